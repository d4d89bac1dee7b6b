//! Problems: what is wrong with an extension, a definition or the installation, as data.
//!
//! A broken extension is a [`Problem`], never an `Err`; `Err` means that Mangrove itself failed
//! (`design/errors.md`).

mod code;

pub use code::Code;

use crate::{advice::Advice, position::Position};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is wrong; somebody may want to know.
    Information,
    /// Works, but somebody should look.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// `info`, `warning` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Information => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Something that is wrong outside of Mangrove, to be reported to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Names the page that explains it.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a path relative to the repository, or a name.
    pub subject: String,
    /// Where exactly, if it is in a file.
    pub position: Option<Position>,
    /// One sentence: what is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: Option<Advice>,
}

impl Problem {
    /// Something that does not work, without a position and advice.
    pub fn error(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, subject, message)
    }

    /// Something that works, and that somebody should look at; without a position and advice.
    pub fn warning(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, subject, message)
    }

    /// Something that somebody may want to know; without a position and advice.
    pub fn information(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Information, code, subject, message)
    }

    /// A problem whose severity is the result of a decision, without a position and advice.
    pub fn new(severity: Severity, code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, severity, subject: subject.into(), position: None, message: message.into(), advice: None }
    }

    /// The same problem at a place in a file.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// The same problem at a place in a file, if that is known.
    #[must_use]
    pub fn at_if(self, position: Option<Position>) -> Self {
        Self { position, ..self }
    }

    /// The same problem with what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<Advice>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same problem with what to do about it, if that is known.
    #[must_use]
    pub fn advise_if(self, advice: Option<impl Into<Advice>>) -> Self {
        Self { advice: advice.map(Into::into), ..self }
    }

    /// The message, after the place that it is about.
    #[must_use]
    pub fn placed_message(&self) -> String {
        let place = self.position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default();
        format!("{place}{}", self.message)
    }

    /// What to do about it: its own advice, else what helps against every problem of its code.
    #[must_use]
    pub fn remedy(&self) -> Option<Advice> {
        self.advice.clone().or_else(|| Advice::for_code(self.code))
    }
}
