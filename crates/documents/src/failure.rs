//! Failures and faults.

use mangrove_domain::{
    failure::{Failure, FailureClass, Fault},
    problem::Code,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{advice, moment::Moment};

/// A failure with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureDocument {
    /// `Transient`, `Environment` or `Deterministic`: decides when it is tried again.
    pub class: String,
    /// Names the page that explains it, such as `MG0301`.
    pub code: String,
    /// What it shares with others that heal together, such as `registry:host:port`.
    pub cause: String,
    /// What was said last.
    pub message: String,
    /// What helps against every failure of this code; `null` if nothing does in general.
    pub hint: Option<String>,
    /// What was said first.
    pub first_message: String,
    /// How often it was tried, at least 1.
    pub attempts: u32,
    /// When it was seen first.
    pub first_seen: Moment,
    /// When it was seen last.
    pub last_seen: Moment,
    /// When a timer tries again; `null` where none does.
    pub next_retry: Option<Moment>,
}

impl FailureDocument {
    /// The class; `None` if a newer version has another one.
    #[must_use]
    pub fn class(&self) -> Option<FailureClass> {
        class_of(&self.class)
    }

    /// The code; `None` if a newer version has another one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        Code::parse(&self.code)
    }

    /// True if a timer should try now: see [`FailureClass::is_due`].
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let next = self.next_retry.map(|next| next.0);
        self.class().is_some_and(|class| class.is_due(self.last_seen.0, next, now))
    }
}

impl From<&Failure> for FailureDocument {
    fn from(failure: &Failure) -> Self {
        Self {
            class: failure.class.as_str().to_owned(),
            code: failure.code.to_string(),
            cause: failure.cause.0.to_string(),
            message: failure.latest_message.clone(),
            hint: advice::of_code(failure.code),
            first_message: failure.first_message.clone(),
            attempts: failure.attempts,
            first_seen: failure.first_seen.into(),
            last_seen: failure.last_seen.into(),
            next_retry: failure.next_retry.map(Moment),
        }
    }
}

/// A fault, without its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultDocument {
    /// As [`FailureDocument::class`].
    pub class: String,
    /// Names the page that explains it.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What helps against every fault of this code; `null` if nothing does in general.
    pub hint: Option<String>,
}

impl From<&Fault> for FaultDocument {
    fn from(fault: &Fault) -> Self {
        Self {
            class: fault.class.as_str().to_owned(),
            code: fault.code.to_string(),
            message: fault.message.clone(),
            hint: advice::of_code(fault.code),
        }
    }
}

fn class_of(text: &str) -> Option<FailureClass> {
    FailureClass::ALL.into_iter().find(|class| class.as_str() == text)
}
