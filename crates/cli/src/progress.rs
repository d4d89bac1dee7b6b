//! Progress: a bar on a terminal, nothing elsewhere.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use mangrove_domain::ports::{Event, Phase, Progress};

use crate::visible;

/// Draws a bar while sources are built.
#[derive(Debug, Default)]
pub(crate) struct Bar {
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress for Bar {
    fn event(&self, event: &Event<'_>) {
        let mut slot = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { phase: Phase::Observe, .. } => {
                let spinner = ProgressBar::new_spinner().with_message("Reading the sources");
                spinner.enable_steady_tick(std::time::Duration::from_millis(100));
                *slot = Some(spinner);
            }
            Event::Started { phase: Phase::Build, total } => {
                let bar = ProgressBar::new(total.unwrap_or(0));
                if let Ok(style) = ProgressStyle::with_template("  Building [{bar:30}] {pos}/{len} {wide_msg}") {
                    bar.set_style(style.progress_chars("=> "));
                }
                *slot = Some(bar);
            }
            Event::Done { source, .. } => {
                if let Some(bar) = slot.as_ref() {
                    bar.set_message(visible::line(&source.to_string()).into_owned());
                    bar.inc(1);
                }
            }
            Event::Finished { .. } => {
                if let Some(bar) = slot.take() {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Silent;

impl Progress for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// A bar for one transfer.
#[derive(Debug)]
pub(crate) struct Transfer {
    bar: ProgressBar,
}

impl Transfer {
    /// A bar that moves from the start, because the first byte can take its time.
    pub(crate) fn new(verb: &'static str) -> Self {
        let bar = ProgressBar::new(0).with_message(verb);
        if let Ok(style) =
            ProgressStyle::with_template("  {msg} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Self { bar }
    }

    /// Shows how many bytes of how many have come.
    pub(crate) fn show(&self, received: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(received);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
