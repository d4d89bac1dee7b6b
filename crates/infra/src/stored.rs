//! The stored form of what rows and runs have in common.

use mangrove_domain::{
    failure::{CauseKey, Failure, FailureClass},
    problem::Code,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A failure, in the order and under the names in which it is stored. `C` is the form of its code: records of rows hold
/// the number, records of runs the text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredFailure<C> {
    class: StoredClass,
    pub(crate) code: C,
    cause: String,
    first_message: String,
    latest_message: String,
    first_seen: i64,
    last_seen: i64,
    attempts: u32,
    next_retry: Option<i64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum StoredClass {
    Transient,
    Environment,
    Deterministic,
}

impl<C> StoredFailure<C> {
    /// The stored form of a failure whose code is written so.
    pub(crate) fn of(failure: &Failure, code: C) -> Self {
        Self {
            class: match failure.class {
                FailureClass::Transient => StoredClass::Transient,
                FailureClass::Environment => StoredClass::Environment,
                FailureClass::Deterministic => StoredClass::Deterministic,
            },
            code,
            cause: failure.cause.0.to_string(),
            first_message: failure.first_message.clone(),
            latest_message: failure.latest_message.clone(),
            first_seen: failure.first_seen.as_millis(),
            last_seen: failure.last_seen.as_millis(),
            attempts: failure.attempts,
            next_retry: failure.next_retry.map(Timestamp::as_millis),
        }
    }

    /// The failure, whose code was read by the caller.
    pub(crate) fn load(self, code: Code) -> Failure {
        Failure {
            class: match self.class {
                StoredClass::Transient => FailureClass::Transient,
                StoredClass::Environment => FailureClass::Environment,
                StoredClass::Deterministic => FailureClass::Deterministic,
            },
            code,
            cause: CauseKey(self.cause.into()),
            first_message: self.first_message,
            latest_message: self.latest_message,
            first_seen: Timestamp::from_millis(self.first_seen),
            last_seen: Timestamp::from_millis(self.last_seen),
            attempts: self.attempts,
            next_retry: self.next_retry.map(Timestamp::from_millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use mangrove_domain::failure::Fault;

    use super::*;

    fn failure(class: FailureClass) -> Failure {
        let fault = Fault::new(class, Code::REGISTRY_UNREACHABLE, "registry:a", "no answer");
        let first = Failure::record(None, fault, Timestamp::from_millis(1_000), 0.5);
        Failure { latest_message: "still none".to_owned(), next_retry: Some(Timestamp::from_millis(-7)), ..first }
    }

    #[test]
    fn a_failure_comes_back_from_both_encodings() {
        for class in FailureClass::ALL {
            let failure = failure(class);
            let bytes = postcard::to_stdvec(&StoredFailure::of(&failure, 301_u16)).expect("bytes");
            let stored: StoredFailure<u16> = postcard::from_bytes(&bytes).expect("a failure");
            assert_eq!((stored.code, stored.load(Code::REGISTRY_UNREACHABLE)), (301, failure.clone()));
            let json = serde_json::to_string(&StoredFailure::of(&failure, "MG0301".to_owned())).expect("JSON");
            let stored: StoredFailure<String> = serde_json::from_str(&json).expect("a failure");
            assert_eq!((stored.code.clone(), stored.load(Code::REGISTRY_UNREACHABLE)), ("MG0301".to_owned(), failure));
        }
    }

    /// Records of earlier versions stay readable.
    #[test]
    fn both_encodings_are_those_of_earlier_records() {
        let failure = failure(FailureClass::Environment);
        let binary =
            (1_u32, 301_u16, "registry:a", "no answer", "still none", 1_000_i64, 1_000_i64, 1_u32, Some(-7_i64));
        assert_eq!(
            postcard::to_stdvec(&StoredFailure::of(&failure, 301_u16)).expect("bytes"),
            postcard::to_stdvec(&binary).expect("bytes")
        );
        assert_eq!(
            serde_json::to_string(&StoredFailure::of(&failure, "MG0301".to_owned())).expect("JSON"),
            r#"{"class":"Environment","code":"MG0301","cause":"registry:a","firstMessage":"no answer","latestMessage":"still none","firstSeen":1000,"lastSeen":1000,"attempts":1,"nextRetry":-7}"#
        );
    }
}
