//! Fingerprints, type names, paths, failures and JSON as values.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mangrove_domain::{
    digest::Digest,
    failure::{Failure, FailureClass, Fault, LONGEST_PATIENCE},
    fingerprint::{Change, Line, Part, PartName},
    json::{Json, Number},
    problem::Code,
    source::{PathError, RelativePath},
    time::Timestamp,
    type_name::TypeName,
};
use proptest::prelude::*;

use crate::notation::{NOW, failure, fault, inputs};

fn lines() -> impl Strategy<Value = Vec<(String, String)>> {
    let text = prop_oneof!["[ab:\n 0-9]{0,4}", any::<String>()];
    prop::collection::vec((text.clone(), text), 0..5)
}

/// The part that storage gives back.
fn from_encoded(encoded: &Arc<[u8]>) -> Part {
    Part::from_stored(Digest::of(encoded), Arc::clone(encoded))
}

fn part(lines: &[(String, String)]) -> Part {
    Part::of(lines.iter().map(|(key, value)| Line::new(key.clone(), value.clone())))
}

proptest! {
    #[test]
    fn parts_are_injective_and_do_not_depend_on_order(left in lines(), right in lines()) {
        let as_set = |lines: &[(String, String)]| lines.iter().cloned().collect::<BTreeSet<_>>();
        prop_assert_eq!(part(&left) == part(&right), as_set(&left) == as_set(&right));
        let mut reversed = left.clone();
        reversed.reverse();
        prop_assert_eq!(part(&left), part(&reversed));
    }

    #[test]
    fn parts_come_back_from_their_bytes(lines in lines()) {
        let whole = part(&lines);
        let read = from_encoded(whole.encoded());
        prop_assert_eq!(&read, &whole);
        let expected: BTreeSet<(String, String)> = lines.into_iter().collect();
        for (key, _) in &expected {
            prop_assert!(whole.has_key(key));
            let longer = format!("{key}, and no other");
            prop_assert!(expected.iter().any(|(key, _)| *key == longer) || !whole.has_key(&longer));
        }
        let found: BTreeSet<(String, String)> =
            read.lines().expect("own encoding").into_iter().map(|line| (line.key, line.value)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn decoding_any_bytes_ends(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut encoded = b"mangrove-fingerprint 1\n".to_vec();
        encoded.extend(bytes);
        let _ = from_encoded(&encoded.into()).lines();
    }

    #[test]
    fn a_difference_is_always_named(left in lines(), right in lines()) {
        let (left, right) = (part(&left), part(&right));
        prop_assert_eq!(left.changes(&right).is_empty(), left == right);
    }

    #[test]
    fn model_names_are_stable(text in any::<String>()) {
        if let Ok(name) = TypeName::model(&text) {
            prop_assert_eq!(TypeName::model(name.as_str()), Ok(name.clone()));
            prop_assert!(!name.as_str().starts_with('/') && !name.as_str().ends_with('/'));
            prop_assert!(!name.as_str().contains("//"));
        }
    }

    #[test]
    fn paths_never_leave_their_root(text in "[a./]{0,12}") {
        if let Ok(path) = RelativePath::parse(&text) {
            prop_assert!(path.as_str().split('/').all(|segment| !segment.is_empty() && segment != "." && segment != ".."));
            prop_assert_eq!(RelativePath::parse(path.as_str()), Ok(path.clone()));
            prop_assert!(path.is_inside(""));
        }
    }
}

/// Fault 46: each part changes the whole, and nothing but its own part.
#[test]
fn fault_46_every_part_of_the_inputs_counts() {
    let base = inputs("s1");
    for (name, other) in PartName::ALL.into_iter().zip(["s2", "s1/c2", "s1/p2", "s1/b2"].map(inputs)) {
        assert_ne!(base.digest(), other.digest());
        for part in PartName::ALL {
            assert_eq!(base.part(part) == other.part(part), part != name, "{} in {}", part.as_str(), name.as_str());
        }
    }
}

#[test]
fn a_key_with_two_values_is_no_hiding_place() {
    let one = Part::of([Line::new("k", "1")]);
    let both = Part::of([Line::new("k", "1"), Line::new("k", "2")]);
    let named = Change { key: "k".to_owned(), before: Some("1".to_owned()), after: Some("1, 2".to_owned()) };
    assert_eq!(one.changes(&both), [named]);
}

#[test]
fn names_of_models() {
    let accepted = [
        ("@acme/dns", "@acme/dns"),
        ("  Acme::DNS ", "acme/dns"),
        ("AWS.S3.Bucket", "aws/s3/bucket"),
        ("a b\tc", "a/b/c"),
        ("//a//b//", "a/b"),
        ("@/a/b", "@/a/b"),
        ("Cafe\u{301}/x", "caf\u{e9}/x"),
    ];
    for (text, expected) in accepted {
        assert_eq!(TypeName::model(text).expect(text).as_str(), expected, "{text}");
    }
    for text in ["", "dns", "@acme", "@/a", "::a::", " . "] {
        assert!(TypeName::model(text).is_err(), "{text}");
    }
}

#[test]
fn strict_names() {
    for text in ["@acme/vault", "acme/my_vault-2"] {
        assert_eq!(TypeName::strict(text).expect(text).as_str(), text);
    }
    for text in ["acme", "@acme/Vault", "acme/a/b", "acme/", "@@a/b", "a b/c", "acme/\u{e9}"] {
        assert!(TypeName::strict(text).is_err(), "{text}");
    }
    assert!(TypeName::report("@acme/a/b/c").is_ok());
    assert!(TypeName::report("@acme").is_err());
}

#[test]
fn paths() {
    assert_eq!(RelativePath::parse("a/./b//../c").expect("a path").as_str(), "a/c");
    assert_eq!(RelativePath::parse("../a"), Err(PathError::Outside("../a".to_owned())));
    assert_eq!(RelativePath::parse("/a"), Err(PathError::Absolute("/a".to_owned())));
    assert_eq!(RelativePath::parse("a/.."), Err(PathError::Empty));
}

/// Fault 6: a sibling directory whose name starts the same is not inside.
#[test]
fn fault_06_a_sibling_with_the_same_start_is_outside() {
    let path = RelativePath::parse("models-old/a.ts").expect("a path");
    assert!(!path.is_inside("models"));
    assert!(path.is_inside("models-old"));
}

/// Fault 43: the first message stays beside the latest one.
#[test]
fn fault_43_the_first_message_is_kept() {
    let first = failure("registry");
    let mut echo = fault("registry");
    echo.message = "as before".to_owned();
    let later = NOW.plus(Duration::from_secs(1));
    let second = Failure::record(Some(&first), echo, later, 1.0);
    assert_eq!(second.first_message, first.first_message);
    assert_eq!(second.latest_message, "as before");
    assert_eq!((second.first_seen, second.last_seen, second.attempts), (NOW, later, 2));
    let other = Failure::record(Some(&second), fault("syntax"), later, 1.0);
    assert_eq!((other.first_seen, other.attempts, other.next_retry), (later, 1, None));
}

/// Fault 37: delays double up to their bound; fault 50: transient ones are spread.
#[test]
fn fault_37_delays_grow_and_are_bounded() {
    let delays = |class: FailureClass, jitter: f64| -> Vec<u64> {
        let mut failing_for = Duration::ZERO;
        let mut next = || {
            let longest = class.delay(failing_for, 1.0).unwrap_or_default();
            let delay = class.delay(failing_for, jitter).unwrap_or_default();
            failing_for += longest;
            delay.as_secs()
        };
        (0..8).map(|_| next()).collect()
    };
    assert_eq!(delays(FailureClass::Transient, 1.0), [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(delays(FailureClass::Transient, 0.5), [0, 1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(delays(FailureClass::Environment, 0.5), [30, 60, 120, 240, 480, 600, 600, 600]);
    assert_eq!(FailureClass::Deterministic.delay(Duration::ZERO, 1.0), None);
    assert_eq!(FailureClass::Transient.delay(Duration::MAX, 1.0), Some(Duration::from_mins(1)));
}

/// Who is asked to wait waits, whatever the class, up to a bound; and is not due before because of that.
#[test]
fn f19_a_timer_waits_as_long_as_somebody_asks_for() {
    let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
    let asked = |class: FailureClass, after: Duration, jitter: f64| {
        let fault = Fault::new(class, Code::REGISTRY_FAILED, "registry:a:1", "503").not_before(after);
        Failure::record(None, fault, NOW, jitter)
    };
    let delays = [
        (FailureClass::Transient, 5 * minute, 0.0, Some(5 * minute)),
        (FailureClass::Transient, 5 * minute, 1.0, Some(Duration::from_secs(330))),
        (FailureClass::Transient, hour, 0.0, Some(LONGEST_PATIENCE)),
        (FailureClass::Transient, Duration::ZERO, 1.0, Some(Duration::from_secs(1))),
        (FailureClass::Environment, Duration::from_secs(3), 0.0, Some(Duration::from_secs(30))),
        (FailureClass::Environment, Duration::MAX, 1.0, Some(Duration::from_mins(11))),
        (FailureClass::Deterministic, minute, 1.0, None),
    ];
    for (class, after, jitter, expected) in delays {
        let failure = asked(class, after, jitter);
        assert_eq!(failure.next_retry, expected.map(|delay| NOW.plus(delay)), "{class} {after:?} {jitter}");
        let Some(delay) = expected else { continue };
        assert!(!failure.is_due(NOW), "{class} {after:?} {jitter}");
        assert!(
            !failure.is_due(NOW.plus(delay.saturating_sub(Duration::from_millis(1)))),
            "{class} {after:?} {jitter}"
        );
        assert!(failure.is_due(NOW.plus(delay)), "{class} {after:?} {jitter}");
        // Fault 1: no clock that jumps makes it wait longer.
        let before = Timestamp::from_millis(NOW.as_millis() - 3_600_000);
        assert!(failure.is_due(before), "{class} {after:?} {jitter}");
    }
}

/// Fault 1, at the level of timers: a time that was lost is no reason to wait for ever.
#[test]
fn fault_01_a_failure_whose_time_was_lost_is_due() {
    let lost = Failure { next_retry: None, ..failure("registry") };
    assert!(lost.is_due(NOW));
    let far = Failure { next_retry: Some(Timestamp::from_millis(i64::MAX)), ..failure("registry") };
    assert!(far.is_due(NOW));
    assert!(!failure("registry").is_due(NOW));
    assert!(failure("registry").is_due(NOW.plus(Duration::from_secs(1))));
}

#[test]
fn codes_are_unique_and_read_as_they_are_written() {
    let numbers: BTreeSet<u16> = Code::ALL.iter().map(|code| code.number()).collect();
    assert_eq!(numbers.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(Code::parse(&code.to_string()), Some(*code));
        assert_ne!(code.title(), "unknown problem");
    }
    assert_eq!(Code::parse("MG9999"), None);
}

#[test]
fn digests_are_read_as_they_are_written() {
    let digest = Digest::of(b"abc");
    assert!(digest.to_string().starts_with("ba7816bf8f01"));
    assert_eq!(digest.to_string().parse(), Ok(digest));
    assert!("ba78".parse::<Digest>().is_err());
    assert!("\u{e9}".repeat(32).parse::<Digest>().is_err());
    assert!(format!("+1{}", "0".repeat(62)).parse::<Digest>().is_err());
}

#[test]
fn json_is_written_as_json() {
    let json = Json::object([
        ("text", Json::from("a\"\\\n\u{1}\u{e9}")),
        ("list", Json::Array(vec![Json::Null, Json::Bool(true), Json::from(-3_i64)])),
        ("odd", Json::Number(Number::Float(f64::NAN))),
        ("half", Json::Number(Number::Float(0.5))),
    ]);
    let expected = r#"{"text":"a\"\\\n\u0001é","list":[null,true,-3],"odd":null,"half":0.5}"#;
    assert_eq!(json.to_string(), expected);
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open the archive")]
struct OpenError(#[source] std::io::Error);

#[test]
fn a_fault_keeps_the_error_behind_it_and_is_equal_without() {
    let plain = Fault::environment(Code::UNREADABLE, "os-error:2", "cannot read a.ts: not found");
    let caused = plain.clone().caused_by(OpenError(std::io::Error::from(std::io::ErrorKind::NotFound)));
    assert_eq!(caused, plain);
    assert_eq!(caused.find::<std::io::Error>().map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
    assert!(caused.find::<OpenError>().is_some());
    assert!(caused.find::<std::fmt::Error>().is_none() && plain.find::<std::io::Error>().is_none());
    assert_ne!(plain, Fault::transient(Code::UNREADABLE, "os-error:2", "cannot read a.ts: not found"));
}
