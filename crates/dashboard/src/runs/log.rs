//! What the methods of a run logged.

use mangrove_documents::{Moment, human};
use mangrove_domain::run::LogLine;

/// How many lines a page shows: the latest.
const MOST_LINES: usize = 1_000;

/// The log of a run as a page shows it.
pub(crate) struct LogView {
    /// The first is the oldest.
    pub(crate) lines: Vec<LineView>,
    /// How many lines before them are not shown.
    pub(crate) earlier: usize,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineView {
    pub(crate) at: Moment,
    pub(crate) level: String,
    pub(crate) job: String,
    pub(crate) step: String,
    pub(crate) text: String,
}

impl LineView {
    pub(super) fn new(job: &str, step: &str, line: &LogLine) -> Self {
        Self {
            at: Moment(line.at),
            level: line.level.clone(),
            job: job.to_owned(),
            step: step.to_owned(),
            text: human::without_styles(&line.text).into_owned(),
        }
    }

    /// `12:00:01.123`, of the day in UTC.
    pub(crate) fn clock(&self) -> String {
        let text = self.at.to_string();
        text.split_once('T').map(|(_, time)| time.trim_end_matches('Z').to_owned()).unwrap_or_default()
    }
}

impl LogView {
    /// The latest of these lines.
    pub(crate) fn of(mut lines: Vec<LineView>) -> Self {
        let earlier = lines.len().saturating_sub(MOST_LINES);
        lines.drain(..earlier);
        Self { lines, earlier }
    }
}
