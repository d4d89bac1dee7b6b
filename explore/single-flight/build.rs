//! Copies of the source of single flight with one bug in each, which the exploration has to find.

use std::{env, fs, path::Path};

const SOURCE: &str = "../../crates/single-flight/src/flight.rs";

/// A bug: its name in `src/planted.rs`, and what stands in the place of what.
type Bug = (&'static str, &'static [(&'static str, &'static str)]);

const FORGET: &str = "                drop(forget);\n";
const TELL: &str = "                sender.send_replace(Some(outcome));\n";

const BUGS: &[Bug] = &[
    ("told_before_it_is_forgotten", &[(FORGET, ""), (TELL, "sender.send_replace(Some(outcome)); drop(forget);")]),
    ("forgotten_before_it_ends", &[(FORGET, ""), ("let attempt =", "drop(forget); let attempt =")]),
    ("forgotten_twice", &[(FORGET, "lock(&forget.attempts).remove(&forget.key);")]),
    (
        "told_without_waking",
        &[(TELL, "sender.send_if_modified(|told| { *told = Some(outcome); false }); std::mem::forget(sender);")],
    ),
    (
        "looked_for_and_put_under_two_locks",
        &[
            ("HashMap, hash_map::Entry}", "HashMap}"),
            ("let (mut outcome,", "let running = lock(&self.attempts).get(&key).cloned(); let (mut outcome,"),
            ("match lock(&self.attempts).entry(key) {", "match running {"),
            ("Entry::Occupied(running) => (running.get().clone(), None)", "Some(running) => (running, None)"),
            ("Entry::Vacant(slot) =>", "None =>"),
            ("slot.key().clone()", "key.clone()"),
            ("slot.insert(receiver.clone())", "lock(&self.attempts).insert(key, receiver.clone())"),
        ],
    ),
    (
        "run_by_who_asks",
        &[
            ("tokio::spawn(async move {", "(async move {"),
            ("            });\n        }\n", "            }).await;\n        }\n"),
        ],
    ),
    ("panics_are_remembered", &[(FORGET, "if outcome.is_ok() { drop(forget); } else { std::mem::forget(forget); }")]),
];

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed={SOURCE}");
    let source = fs::read_to_string(SOURCE).map_err(|error| format!("cannot read {SOURCE}: {error}"))?;
    let source: String =
        source.lines().skip_while(|line| line.starts_with("//!")).flat_map(|line| [line, "\n"]).collect();
    let directory = env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    for (name, changes) in BUGS {
        let mut text = source.clone();
        for (from, to) in *changes {
            if text.matches(from).count() != 1 {
                return Err(format!("the bug {name} does not fit any more: `{from}` does not stand in {SOURCE} once"));
            }
            text = text.replace(from, to);
        }
        let path = Path::new(&directory).join(format!("{name}.rs"));
        fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
