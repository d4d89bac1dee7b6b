//! Modules that other engines have built in: one list for the bundler, which leaves them out, and for the engine, which
//! has stand-ins for them.

/// Their names without `node:` and without what follows a slash, sorted.
const NAMES: [&str; 55] = [
    "_http_agent",
    "_http_client",
    "_http_common",
    "_http_incoming",
    "_http_outgoing",
    "_http_server",
    "_stream_duplex",
    "_stream_passthrough",
    "_stream_readable",
    "_stream_transform",
    "_stream_writable",
    "_tls_common",
    "_tls_wrap",
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// True for `node:fs`, and for `fs` and `fs/promises`, which mean the same. What exists only with its prefix
/// (`node:test`) is no bare name, and neither is a path that ends in a slash: packages are named so on purpose.
#[must_use]
pub fn is_built_in(specifier: &str) -> bool {
    specifier.starts_with("node:") || is_bare(specifier)
}

/// True if the specifier names a built-in module without `node:`.
#[must_use]
pub fn is_bare(specifier: &str) -> bool {
    let first = specifier.split('/').next().unwrap_or_default();
    NAMES.binary_search(&first).is_ok() && !specifier.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_bare() {
        assert!(NAMES.is_sorted_by(|left, right| left < right));
        assert!(NAMES.iter().all(|name| !name.contains([':', '/'])));
    }

    #[test]
    fn with_and_without_prefix_and_below_a_slash() {
        for specifier in ["node:fs", "node:test", "fs", "fs/promises", "diagnostics_channel", "constants"] {
            assert!(is_built_in(specifier), "{specifier}");
        }
        for specifier in ["test", "punycode/", "fs-extra", "@a/fs", "./fs", "", "zod"] {
            assert!(!is_built_in(specifier), "{specifier}");
        }
        assert!(!is_bare("node:fs"));
    }
}
