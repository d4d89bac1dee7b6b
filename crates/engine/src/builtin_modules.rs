//! Modules that Node and Deno have built in: one list for the bundler, which leaves them out, and for the engine, which
//! has stand-ins for them.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use nodejs_built_in_modules::BUILTINS;

/// A line for each module of Deno 2.9.6, and for its members that have functions of their own (`fs.promises`): the names of what is
/// a function, a class, or one of these members.
const FUNCTIONS: &str = include_str!("builtin_functions.txt");

/// True if `owner`, a module without `node:`, a member of one (`fs.promises`) or the global `Buffer`, has a function or class of this
/// name. To read it is no use of it; a value has to be known.
pub(crate) fn has_function(owner: &str, name: &str) -> bool {
    static TABLE: OnceLock<HashMap<&str, HashSet<&str>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let lines = FUNCTIONS.lines().filter_map(|line| line.split_once(": "));
        lines.map(|(owner, names)| (owner, names.split(' ').collect())).collect()
    });
    // Whatever is called can be called through these.
    let is_of_functions = ["apply", "bind", "call"].contains(&name) && owner.contains('.');
    is_of_functions || table.get(owner).is_some_and(|names| names.contains(name))
}

/// True for whatever begins with `node:`, and for `fs` and `fs/promises`, which mean the same as with it. What exists
/// only with its prefix (`node:test`) is no bare name. Every other path below such a name is a package's own
/// (`process/browser`), and so is one that ends in a slash: packages are named so on purpose.
#[must_use]
pub fn is_built_in(specifier: &str) -> bool {
    specifier.starts_with("node:") || is_bare(specifier)
}

/// True if the specifier names a built-in module without `node:`.
#[must_use]
pub fn is_bare(specifier: &str) -> bool {
    BUILTINS.contains(&specifier)
}

/// Every name that means a built-in module without `node:`.
#[must_use]
pub const fn bare_names() -> &'static [&'static str] {
    BUILTINS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_told_from_values() {
        for (owner, name) in
            [("fs", "readFileSync"), ("fs.promises", "readFile"), ("Buffer", "from"), ("events.on", "call")]
        {
            assert!(has_function(owner, name), "{owner}.{name}");
        }
        for (owner, name) in [("path", "sep"), ("os", "EOL"), ("fs", "constants"), ("fs", "call"), ("nothing", "from")]
        {
            assert!(!has_function(owner, name), "{owner}.{name}");
        }
    }

    #[test]
    fn with_and_without_prefix_and_below_a_slash() {
        for specifier in
            ["node:fs", "node:test", "fs", "fs/promises", "diagnostics_channel", "constants", "_stream_wrap"]
        {
            assert!(is_built_in(specifier), "{specifier}");
        }
        for specifier in ["test", "punycode/", "fs-extra", "@a/fs", "./fs", "", "zod", "process/browser", "fs/other"] {
            assert!(!is_built_in(specifier), "{specifier}");
        }
        assert!(!is_bare("node:fs"));
    }
}
