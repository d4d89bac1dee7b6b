//! What can be imported by name from the modules that the engine has built in.
//!
//! Deno runs what imports them, so its names count: `builtin_names.txt` has a line for each module of Deno 2.9.6, and
//! `tests/cli/package_names.rs` holds it against the Deno that is there.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use mangrove_domain::{failure::Fault, nearest::nearest, problem::Code};

/// The Deno that the list was made of.
const DENO: &str = "2.9.6";
const LIST: &str = include_str!("builtin_names.txt");

type Table = HashMap<&'static str, HashSet<&'static str>>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = LIST.lines().filter_map(|line| line.split_once(": "));
        lines.map(|(module, names)| (module, names.split(' ').collect())).collect()
    })
}

/// The fault of importing this name from this module, `node:…`, if it is known not to be there. `who` imports it.
pub(super) fn missing(who: &str, specifier: &str, name: &str) -> Option<Fault> {
    let names = table().get(specifier.strip_prefix("node:")?)?;
    if names.contains(name) {
        return None;
    }
    let near = nearest(name, names.iter().copied(), 2);
    let near: Vec<String> = near.iter().map(|near| format!("`{near}`")).collect();
    let help = if near.is_empty() { String::new() } else { format!(" (it exports {})", near.join(" and ")) };
    let message = format!(
        "{who} imports `{name}` from `{specifier}`, which exports no such name in Deno {DENO}{help}; if a newer Deno has it, \
         import the whole module with `* as` and take the name from it, or use a newer Mangrove"
    );
    // Another version may have it.
    Some(Fault::environment(Code::MISSING_EXPORT, format!("import:{specifier}"), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_built_in_modules_are_known() {
        for (specifier, name) in [
            ("node:path", "join"),
            ("node:path", "default"),
            ("node:fs/promises", "readFile"),
            ("node:async_hooks", "AsyncLocalStorage"),
            ("node:test", "describe"),
            ("node:no_such_module", "anything"),
            ("../vendor/a/path.js", "anything"),
        ] {
            assert_eq!(missing("x", specifier, name), None, "{specifier} {name}");
        }
        let fault = missing("a.ts", "node:path", "jion").unwrap();
        assert!(fault.message.contains("a.ts imports `jion` from `node:path`"), "{fault}");
        assert!(fault.message.contains("`join`"), "{fault}");
        for told in ["in Deno 2.9.6", "if a newer Deno has it", "`* as`", "a newer Mangrove"] {
            assert!(fault.message.contains(told), "{told}: {fault}");
        }
    }
}
