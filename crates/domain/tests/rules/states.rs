//! The transition table, and `design/states.md`, which is rendered from it.

use std::{fmt::Write as _, fs, path::Path};

use mangrove_domain::state::{Event, IllegalTransition, State, StateName, TombstoneReason, next};

use crate::notation::row;

const BEGIN: &str = "<!-- rendered from the transition table: begin -->\n";
const END: &str = "<!-- rendered from the transition table: end -->\n";

fn rendered() -> String {
    let froms = || std::iter::once(None).chain(StateName::ALL.map(Some));
    let mut out = String::from("\n| from \\ event |");
    for event in Event::ALL {
        write!(out, " {event} |").unwrap();
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(Event::ALL.len()));
    for from in froms() {
        write!(out, "\n| {} |", from.map_or("*no row*".to_owned(), |name| format!("**{name}**"))).unwrap();
        for event in Event::ALL {
            write!(out, " {} |", next(from, event).map_or("–", StateName::as_str)).unwrap();
        }
    }
    out.push_str("\n\n```mermaid\nstateDiagram-v2\n");
    for from in froms() {
        for to in StateName::ALL {
            let events: Vec<&str> =
                Event::ALL.into_iter().filter(|event| next(from, *event) == Some(to)).map(Event::as_str).collect();
            if !events.is_empty() && from != Some(to) {
                writeln!(out, "    {} --> {to}: {}", from.map_or("[*]", StateName::as_str), events.join(", ")).unwrap();
            }
        }
    }
    out.push_str("    Tombstoned --> [*]\n```\n\n");
    out
}

#[test]
fn the_page_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../design/states.md");
    let page = fs::read_to_string(&path).expect("design/states.md is there");
    let (head, rest) = page.split_once(BEGIN).expect("design/states.md has the line where the table begins");
    let (_, tail) = rest.split_once(END).expect("design/states.md has the line where the table ends");
    let expected = format!("{head}{BEGIN}{}{END}{tail}", rendered());
    if std::env::var_os("UPDATE_DESIGN").is_some() {
        fs::write(&path, &expected).expect("design/states.md can be written");
    }
    assert!(
        fs::read_to_string(&path).expect("design/states.md is there") == expected,
        "design/states.md differs from the transition table; UPDATE_DESIGN=1 cargo test -p mangrove-domain rewrites it"
    );
}

#[test]
fn only_bundled_becomes_indexed_or_rejected_and_nothing_leaves_tombstoned() {
    for from in std::iter::once(None).chain(StateName::ALL.map(Some)) {
        for event in Event::ALL {
            match next(from, event) {
                Some(StateName::Indexed) => {
                    assert!(
                        from == Some(StateName::Bundled)
                            || (from, event) == (Some(StateName::Indexed), Event::Degraded)
                    );
                }
                Some(StateName::ValidationFailed) => assert_eq!(from, Some(StateName::Bundled)),
                Some(_) => assert_ne!(from, Some(StateName::Tombstoned)),
                None => {}
            }
        }
    }
}

/// The methods know no other transitions than the table, and say so with a typed error.
#[test]
fn the_methods_keep_to_the_table() {
    let rows = [
        "Indexed",
        "Bundled",
        "BundleBuildFailed attempted=s1",
        "BundleBuildFailed attempted=s1 built=s1",
        "ValidationFailed",
        "EntryPointUnreadable",
        "EntryPointUnreadable built=s1",
        "OrphanedBundleOnly",
        "Tombstoned",
    ];
    for words in rows {
        let state = row(words).unwrap().state;
        let inputs = crate::notation::inputs("s1");
        let failure = crate::notation::failure("registry");
        for event in Event::ALL {
            let result = match event {
                Event::Built => State::built(Some(&state), crate::notation::bundle_of(&inputs)),
                Event::Accepted => state.accepted(crate::notation::indexed(&inputs, "@acme/dns")),
                Event::Rejected => state.rejected(crate::notation::violations()),
                Event::InspectionFailed => state.inspection_failed(failure.clone()),
                Event::BuildFailed => State::build_failed(Some(&state), failure.clone()),
                Event::Degraded => state.degraded(),
                Event::EntryLost => State::entry_lost(Some(&state), failure.clone()),
                Event::SourceLost => state.source_lost(),
                Event::Removed => state.removed(TombstoneReason::SourceDeleted),
            };
            let has_nothing_to_orphan = event == Event::SourceLost && state.bundle().is_none();
            match next(Some(state.name()), event).filter(|_| !has_nothing_to_orphan) {
                Some(name) => assert_eq!(result.unwrap().name(), name, "{words}, {event}"),
                None => assert_eq!(result.unwrap_err(), IllegalTransition { from: Some(state.name()), event }),
            }
        }
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for name in StateName::ALL {
        assert_eq!(StateName::parse(name.as_str()), Some(name));
    }
    assert_eq!(StateName::parse("indexed"), None);
    assert_eq!(
        IllegalTransition { from: Some(StateName::Tombstoned), event: Event::Built }.to_string(),
        "a source in state Tombstoned cannot be built"
    );
}
