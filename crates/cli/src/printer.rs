//! The one way out: results to standard output, everything else to standard error.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anstyle::AnsiColor;
use mangrove_domain::problem::{Problem, Severity};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::{
    advice,
    args::{Color, Global},
};

/// Writes for people or machines. A reader that goes away is no error: the rest is not written.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    color_stdout: bool,
    color_stderr: bool,
    is_closed: Arc<AtomicBool>,
}

/// The colours in use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
    Cyan,
}

impl Style {
    fn style(self) -> anstyle::Style {
        let colored = |color: AnsiColor| anstyle::Style::new().bold().fg_color(Some(color.into()));
        match self {
            Style::Bold => anstyle::Style::new().bold(),
            Style::Dim => anstyle::Style::new().dimmed(),
            Style::Green => colored(AnsiColor::Green),
            Style::Yellow => colored(AnsiColor::Yellow),
            Style::Red => colored(AnsiColor::Red),
            Style::Cyan => colored(AnsiColor::Cyan),
        }
    }
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wanted = |is_terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !no_color,
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            color_stdout: wanted(io::stdout().is_terminal()),
            color_stderr: wanted(io::stderr().is_terminal()),
            is_closed: Arc::default(),
        }
    }

    /// True if results are JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// True if nothing but results and errors is printed.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// True if a progress bar may be drawn.
    pub(crate) fn draws_progress(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// True if standard error shows styles.
    pub(crate) const fn colors_errors(&self) -> bool {
        self.color_stderr
    }

    /// `text` in a style, if standard output shows styles.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        paint(self.color_stdout, style, text)
    }

    /// One line of a result.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        self.write(&format!("{}\n", text.as_ref()));
    }

    /// Text of a result as it is.
    pub(crate) fn text(&self, text: &str) {
        self.write(text);
    }

    /// One JSON document on lines of its own, or one line of JSON lines.
    pub(crate) fn document(&self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(text) => self.line(text),
            Err(error) => self.error_line(&format!("a document cannot be written: {error}")),
        }
    }

    /// A status verb and what it is about, as `cargo` does it.
    pub(crate) fn status(&self, verb: &str, text: impl AsRef<str>) {
        if !self.quiet {
            self.error_line(&format!(
                "{} {}",
                paint(self.color_stderr, Style::Green, &format!("{verb:>10}")),
                text.as_ref()
            ));
        }
    }

    /// A line for people, beside the result.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.error_line(text.as_ref());
        }
    }

    /// A problem with its code, place and hint.
    pub(crate) fn problem(&self, problem: &Problem) {
        let style = match problem.severity {
            Severity::Error => Style::Red,
            Severity::Warning => Style::Yellow,
            Severity::Information => Style::Dim,
        };
        if self.quiet && problem.severity < Severity::Error {
            return;
        }
        let head = format!("{}[{}]", problem.severity.as_str(), problem.code);
        // A place in the very file that it is about is printed in one line with it.
        let (subject, place) = match &problem.position {
            Some(position) if position.file == problem.subject => (position.to_string(), String::new()),
            Some(position) => (problem.subject.clone(), format!("{position}: ")),
            None => (problem.subject.clone(), String::new()),
        };
        self.error_line(&format!("{}: {subject}", paint(self.color_stderr, style, &head)));
        for (index, line) in problem.message.lines().enumerate() {
            let prefix = if index == 0 { place.as_str() } else { "" };
            self.error_line(&format!("  {prefix}{line}"));
        }
        if let Some(hint) = problem.remedy() {
            self.hint(&advice::text(&hint));
        }
    }

    /// An error that ends the command.
    pub(crate) fn error(&self, head: &str, details: &[String], hint: Option<&str>) {
        let (title, rest) = head.split_once(": ").unwrap_or(("error", head));
        self.error_line(&format!("{}: {rest}", paint(self.color_stderr, Style::Red, title)));
        for detail in details {
            self.error_line(&format!("  {detail}"));
        }
        if let Some(hint) = hint {
            self.hint(hint);
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self, hint: &str) {
        self.error_line(&format!("{}: {hint}", paint(self.color_stderr, Style::Cyan, "hint")));
    }

    fn write(&self, text: &str) {
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let mut out = io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            self.is_closed.store(true, Ordering::Relaxed);
        }
    }

    #[expect(clippy::unused_self, reason = "all output goes through the printer")]
    fn error_line(&self, text: &str) {
        // Nobody reads it any more if standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

fn paint(colored: bool, style: Style, text: &str) -> String {
    let style = style.style();
    if colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A table whose columns are as wide as their widest cell; the last one is not padded.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(column, cell)| {
                    let padding = widths[column].saturating_sub(cell.width());
                    if column + 1 == row.len() { cell.clone() } else { format!("{cell}{}", " ".repeat(padding)) }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_a_terminal_shows() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        // Each of these letters takes two columns.
        assert_eq!(table(&[row(["日本", "a"]), row(["abcd", "b"])]), ["日本  a", "abcd  b"]);
    }

    #[test]
    fn text_is_painted_only_where_styles_are_shown() {
        assert_eq!(paint(false, Style::Red, "no"), "no");
        let painted = paint(true, Style::Red, "yes");
        assert!(
            painted.starts_with('\u{1b}') && painted.contains("yes") && painted.ends_with("\u{1b}[0m"),
            "{painted:?}"
        );
    }
}
