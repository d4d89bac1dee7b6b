//! Modules that Node and Deno have built in: one list for the bundler, which leaves them out, and for the engine, which
//! has stand-ins for them.

use nodejs_built_in_modules::BUILTINS;

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
