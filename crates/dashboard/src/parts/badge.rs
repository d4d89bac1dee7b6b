//! States in a word, with a shape for those who cannot tell colours apart.

use askama::{Template, filters::HtmlSafe};
use mangrove_domain::{row::Row, run::RunStatus, state::StateName};

/// How good a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Goes on.
    Busy,
    /// Works, and somebody should look.
    Warning,
    /// Does not work.
    Bad,
    /// Neither good nor bad.
    Idle,
}

impl Tone {
    /// The class of its colour.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Busy => "busy",
            Tone::Warning => "warning",
            Tone::Bad => "bad",
            Tone::Idle => "idle",
        }
    }

    /// Its shape, as the path of an SVG of 16 by 16: a check, an arrow, a triangle, a cross, a ring.
    pub(crate) const fn shape(self) -> &'static str {
        match self {
            Tone::Good => "M3 8.5l3.2 3.2L13 4.8",
            Tone::Busy => "M5 3.2v9.6L12.6 8z",
            Tone::Warning => "M8 2.6l6 10.8H2zM8 6.6v3M8 11.4v.4",
            Tone::Bad => "M4 4l8 8M12 4l-8 8",
            Tone::Idle => "M8 4a4 4 0 1 0 .01 0z",
        }
    }

    /// How good it is that a run, a job or a step is like this, by the word that documents have for it.
    pub(crate) fn of_status(status: &str) -> Self {
        match RunStatus::parse(status) {
            Some(RunStatus::Succeeded) => Tone::Good,
            Some(RunStatus::Running) => Tone::Busy,
            Some(RunStatus::Blocked | RunStatus::WaitingApproval | RunStatus::Suspended) => Tone::Warning,
            Some(RunStatus::Failed | RunStatus::Interrupted) => Tone::Bad,
            Some(RunStatus::Pending | RunStatus::Skipped | RunStatus::Cancelled) | None => Tone::Idle,
        }
    }
}

/// A state in a word.
#[derive(Clone, Debug, Template)]
#[template(
    source = "<span class=\"badge {{ tone.class() }}\"><svg class=\"mark\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">\
              <path d=\"{{ tone.shape() }}\"/></svg>{{ text }}</span>",
    ext = "html"
)]
pub(crate) struct Badge {
    tone: Tone,
    text: String,
}

impl HtmlSafe for Badge {}

impl Badge {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }

    /// How a source is.
    pub(crate) fn of_row(row: &Row) -> Self {
        match row.state.name() {
            StateName::Indexed if row.degraded.is_some() => Self::new(Tone::Warning, "last good code"),
            StateName::Indexed if row.shadowed_by.is_some() => Self::new(Tone::Idle, "shadowed"),
            StateName::Indexed if row.is_add_on() => Self::new(Tone::Good, "add-on"),
            state => Self::of_state(state),
        }
    }

    /// A state of a source.
    pub(crate) fn of_state(state: StateName) -> Self {
        let tone = match state {
            StateName::Indexed => Tone::Good,
            StateName::Bundled => Tone::Busy,
            StateName::BundleBuildFailed | StateName::ValidationFailed | StateName::EntryPointUnreadable => Tone::Bad,
            StateName::OrphanedBundleOnly => Tone::Warning,
            StateName::Tombstoned => Tone::Idle,
        };
        Self::new(tone, Self::word(state))
    }

    /// What people call a state of a source.
    pub(crate) const fn word(state: StateName) -> &'static str {
        match state {
            StateName::Indexed => "live",
            StateName::Bundled => "built, not inspected",
            StateName::BundleBuildFailed => "build failed",
            StateName::ValidationFailed => "rejected",
            StateName::EntryPointUnreadable => "unreadable",
            StateName::OrphanedBundleOnly => "source is gone",
            StateName::Tombstoned => "removed",
        }
    }

    /// How a run, a job or a step is, by the word that documents have for it.
    pub(crate) fn of_status(status: &str) -> Self {
        Self::new(Tone::of_status(status), status)
    }
}
