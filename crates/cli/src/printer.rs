//! The one way out: results to standard output, everything else to standard error.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    sync::{Arc, OnceLock},
};

use mangrove_documents::{advice, human::is_plain};
use mangrove_domain::problem::{Problem, Severity};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::{
    args::{Color, Global, JsonForm},
    line::{Line, Style},
    visible,
};

/// What is to be said beside the result, where scripts of swamp read it.
#[derive(Serialize)]
struct WarningDocument {
    warning: String,
}

/// Writes for people or machines. A reader that goes away is no error: the rest is not written. Whatever text others
/// wrote is made visible on its way to people ([`visible`]).
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    json: Option<JsonForm>,
    quiet: bool,
    color_stdout: bool,
    color_stderr: bool,
    /// Why nothing more is written to standard output.
    closed: Arc<OnceLock<io::Error>>,
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wanted = |is_terminal: bool| match global.color {
            _ if global.no_color => false,
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !no_color,
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            color_stdout: wanted(io::stdout().is_terminal()),
            color_stderr: wanted(io::stderr().is_terminal()),
            closed: Arc::default(),
        }
    }

    /// What writes for scripts of swamp before the arguments are known.
    pub(crate) fn errors_of_swamp() -> Self {
        Self {
            json: Some(JsonForm::Swamp),
            quiet: true,
            color_stdout: false,
            color_stderr: false,
            closed: Arc::default(),
        }
    }

    /// True if results are JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.json.is_some()
    }

    /// True if documents have the form that scripts of swamp read.
    pub(crate) fn is_json_of_swamp(&self) -> bool {
        self.json == Some(JsonForm::Swamp)
    }

    /// True if nothing but results and errors is printed.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// True if a progress bar may be drawn.
    pub(crate) fn draws_progress(&self) -> bool {
        !self.quiet && self.json.is_none() && io::stderr().is_terminal()
    }

    /// True if standard error shows styles.
    pub(crate) const fn colors_errors(&self) -> bool {
        self.color_stderr
    }

    /// Why the results could not be written, apart from a reader that went away.
    pub(crate) fn output_failure(&self) -> Option<&io::Error> {
        self.closed.get().filter(|error| error.kind() != ErrorKind::BrokenPipe)
    }

    /// One line of a result.
    pub(crate) fn line(&self, line: impl Into<Line>) {
        self.lines([line]);
    }

    /// Lines of a result, written at once.
    pub(crate) fn lines(&self, lines: impl IntoIterator<Item: Into<Line>>) {
        let mut text = String::new();
        for line in lines {
            line.into().render_into(&mut text, self.color_stdout);
            text.push('\n');
        }
        self.write(&text);
    }

    /// A text of many lines: as it is, unless a terminal would show it.
    pub(crate) fn text(&self, text: &str) {
        if io::stdout().is_terminal() { self.write(&visible::page(text)) } else { self.write(text) }
    }

    /// One JSON document on lines of its own, or one line of JSON lines.
    pub(crate) fn document(&self, document: &impl Serialize) {
        let mut bytes = Vec::new();
        match document.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, visible::Json)) {
            Ok(()) => {
                bytes.push(b'\n');
                self.write_bytes(&bytes);
            }
            Err(error) => self.error_line(format!("a document cannot be written: {error}")),
        }
    }

    /// One JSON document on as many lines as it has.
    pub(crate) fn indented_document(&self, document: &impl Serialize) {
        let mut bytes = Vec::new();
        match document
            .serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, visible::IndentedJson::default()))
        {
            Ok(()) => {
                bytes.push(b'\n');
                self.write_bytes(&bytes);
            }
            Err(error) => self.error_line(format!("a document cannot be written: {error}")),
        }
    }

    /// One JSON document on one line of standard error.
    pub(crate) fn error_document(&self, document: &impl Serialize) {
        let mut bytes = Vec::new();
        match document.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, visible::Json)) {
            Ok(()) => {
                bytes.push(b'\n');
                // Nobody reads it any more if standard error is closed.
                let _ = io::stderr().lock().write_all(&bytes);
            }
            Err(error) => self.error_line(format!("a document cannot be written: {error}")),
        }
    }

    /// A status verb and what it is about, as `cargo` does it.
    pub(crate) fn status(&self, verb: &str, text: impl Into<Line>) {
        if !self.quiet && !self.is_json_of_swamp() {
            self.error_line(Style::Green.of(format!("{verb:>10}")) + " " + text);
        }
    }

    /// A line for people, beside the result.
    pub(crate) fn note(&self, text: impl Into<Line>) {
        if !self.quiet && !self.is_json_of_swamp() {
            self.error_line(text);
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
        if self.is_json_of_swamp() {
            self.error_document(&WarningDocument { warning: problem.placed_message() });
            return;
        }
        let head = format!("{}[{}]", problem.severity.as_str(), problem.code);
        // A place in the very file that it is about is printed in one line with it.
        let (subject, place) = match &problem.position {
            Some(position) if position.file == problem.subject => (position.to_string(), String::new()),
            Some(position) => (problem.subject.clone(), format!("{position}: ")),
            None => (problem.subject.clone(), String::new()),
        };
        self.error_line(style.of(head) + ": " + visible::line(&subject).as_ref());
        for (index, line) in problem.message.lines().enumerate() {
            let prefix = if index == 0 { place.as_str() } else { "" };
            self.error_line(format!("  {prefix}{line}"));
        }
        if let Some(hint) = problem.remedy() {
            self.hint(&advice::text(&hint));
        }
    }

    /// An error that ends the command.
    pub(crate) fn error(&self, head: &str, details: &[String], hint: Option<&str>) {
        let (title, rest) = head.split_once(": ").unwrap_or(("error", head));
        self.error_line(Style::Red.of(title) + ": " + rest);
        for detail in details {
            self.error_line(format!("  {detail}"));
        }
        if let Some(hint) = hint {
            self.hint(hint);
        }
    }

    /// What somebody is asked who sits before the terminal.
    pub(crate) fn question(&self, question: &str) {
        self.error_line(question);
    }

    /// What to do next.
    pub(crate) fn hint(&self, hint: &str) {
        self.error_line(Style::Cyan.of("hint") + ": " + hint);
    }

    fn write(&self, text: &str) {
        self.write_bytes(text.as_bytes());
    }

    fn write_bytes(&self, bytes: &[u8]) {
        if self.closed.get().is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
            // The first one is kept.
            let _ = self.closed.set(error);
        }
    }

    fn error_line(&self, line: impl Into<Line>) {
        // Nobody reads it any more if standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{}", line.into().render(self.color_stderr));
    }
}

/// A table whose columns are as wide as their widest cell; the last one is not padded. Each row is one line.
pub(crate) fn table(rows: &[Vec<impl AsRef<str>>]) -> Vec<String> {
    let rows: Vec<Vec<(Cow<'_, str>, usize)>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (widest, (_, width)) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(*width);
        }
    }
    let line = |row: &Vec<(Cow<'_, str>, usize)>| {
        let mut line = String::with_capacity(widths.iter().map(|width| width + 2).sum());
        let mut padding = 0;
        for ((cell, width), widest) in row.iter().zip(&widths) {
            line.extend(std::iter::repeat_n(' ', padding));
            line.push_str(cell);
            padding = widest.saturating_sub(*width) + 2;
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

/// What is shown of a cell, and how many columns of a terminal that takes.
fn cell(text: &impl AsRef<str>) -> (Cow<'_, str>, usize) {
    let shown = visible::line(text.as_ref());
    let width = if is_plain(&shown) { shown.len() } else { shown.width() };
    (shown, width)
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
    fn f14_a_cell_stays_in_its_row_and_column() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&[row(["a\nb\tc", "\u{1b}[1m"]), row(["d", "e"])]), ["a\\nb\\tc  \\u{1b}[1m", "d        e"]);
    }
}
