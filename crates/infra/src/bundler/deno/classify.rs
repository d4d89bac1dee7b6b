//! What Deno's words mean. It gives nothing else: every failure ends with exit status 1. The one place of the project
//! where text decides about a class; each line of the table has a recorded output in `tests.rs`.

use mangrove_domain::{
    failure::{FailureClass, Fault},
    position::Position,
    problem::Code,
};

use FailureClass::{Deterministic, Environment, Transient};

/// Texts, in the order in which they are looked for: the more specific ones first.
const TABLE: &[(&str, FailureClass, Code)] = &[
    ("No space left on device", Environment, Code::DISK_FULL),
    ("Disk quota exceeded", Environment, Code::DISK_FULL),
    ("Read-only file system", Environment, Code::NOT_WRITABLE),
    ("Permission denied", Environment, Code::NOT_WRITABLE),
    ("invalid peer certificate", Environment, Code::REGISTRY_UNREACHABLE),
    ("Tarball checksum did not match", Transient, Code::INTEGRITY_MISMATCH),
    ("Integrity check failed", Transient, Code::INTEGRITY_MISMATCH),
    ("Requires import access to", Environment, Code::UNSUPPORTED_SPECIFIER),
    ("\" target ../", Environment, Code::PACKAGE_IMPORT_OUTSIDE),
    ("\" target ./../", Environment, Code::PACKAGE_IMPORT_OUTSIDE),
    ("\" target file:", Environment, Code::PACKAGE_IMPORT_OUTSIDE),
    ("[ERR_INVALID_PACKAGE_TARGET]", Environment, Code::PACKAGE_UNSUPPORTED),
    ("npm package '", Environment, Code::PACKAGE_NOT_FOUND),
    ("JSR package not found", Environment, Code::PACKAGE_NOT_FOUND),
    ("Could not find version of", Environment, Code::PACKAGE_NOT_FOUND),
    ("error sending request", Transient, Code::REGISTRY_UNREACHABLE),
    ("dns error", Transient, Code::REGISTRY_UNREACHABLE),
    ("tcp connect error", Transient, Code::REGISTRY_UNREACHABLE),
    ("operation timed out", Transient, Code::REGISTRY_UNREACHABLE),
    ("connection closed", Transient, Code::REGISTRY_UNREACHABLE),
    ("error decoding response body", Transient, Code::REGISTRY_UNREACHABLE),
    ("JSR package manifest for", Transient, Code::REGISTRY_UNREACHABLE),
    ("Failed loading http", Transient, Code::REGISTRY_FAILED),
    ("Module not found \"http", Environment, Code::PACKAGE_NOT_FOUND),
    ("Import 'http", Transient, Code::REGISTRY_UNREACHABLE),
    ("not a dependency", Environment, Code::UNSUPPORTED_SPECIFIER),
    ("SyntaxError", Deterministic, Code::SYNTAX),
    ("source code could not be parsed", Deterministic, Code::SYNTAX),
    ("No matching export", Deterministic, Code::UNRESOLVED_IMPORT),
    ("Module not found \"file:", Deterministic, Code::UNRESOLVED_IMPORT),
];

/// The fault behind a failed call. `prefixes` is what stands before our own paths in Deno's texts.
pub(super) fn output(errors: &str, prefixes: &[String]) -> Fault {
    // It may tell the address of a proxy or a registry as it was given.
    let text = mangrove_npm::address::shown_in(&relevant_lines(errors, prefixes));
    let (class, code) = status(&text).map_or_else(
        || {
            let line = TABLE.iter().find(|(known, _, _)| text.contains(known));
            line.map_or((Environment, Code::BUNDLE_FAILED), |(_, class, code)| (*class, *code))
        },
        of_status,
    );
    let cause = match code {
        Code::PACKAGE_NOT_FOUND | Code::INTEGRITY_MISMATCH | Code::UNSUPPORTED_SPECIFIER => {
            format!("deno:{}", quoted(&text).unwrap_or("package"))
        }
        Code::REGISTRY_UNREACHABLE | Code::REGISTRY_FAILED | Code::REGISTRY_REFUSED => {
            format!("registry:{}", origin(&text).unwrap_or_else(|| "unknown".to_owned()))
        }
        Code::DISK_FULL => "disk:full".to_owned(),
        _ => "bundler:deno".to_owned(),
    };
    let hint = if code == Code::UNSUPPORTED_SPECIFIER && text.contains("Requires import access to") {
        "; Deno imports from well-known hosts only: copy the file into the repository"
    } else {
        ""
    };
    let fault = Fault::new(class, code, cause, format!("Deno cannot bundle it: {}{hint}", sentence(&text)));
    match place(&text) {
        Some(position) => fault.at(position),
        None => fault,
    }
}

/// The fault if the part that Deno fetches before its first bundle is not there.
pub(super) fn tool(errors: &str) -> Fault {
    let because = output(errors, &[]);
    lacking(because.class, &because.cause.0, because.message.trim_start_matches("Deno cannot bundle it: "))
}

/// The same, for a reason that is known already.
pub(super) fn lacking(class: FailureClass, cause: &str, because: &str) -> Fault {
    let message = format!("Deno has to fetch its own bundler (esbuild) before its first bundle, and cannot: {because}");
    Fault::new(class, Code::RUNTIME_INCOMPLETE, cause, message)
}

/// The errors without progress, warnings and our own paths.
fn relevant_lines(errors: &str, prefixes: &[String]) -> String {
    let is_noise = |line: &&str| {
        let line = line.trim_start();
        line.is_empty()
            || ["Download ", "Initialize ", "Warning ", "\u{26a0}"].iter().any(|start| line.starts_with(start))
            || line == "error: bundling failed"
    };
    // The log that we ask for makes Deno add this to its errors.
    let errors = errors.split("Stack backtrace:").next().unwrap_or_default();
    let lines: Vec<&str> = errors.lines().filter(|line| !is_noise(line)).collect();
    prefixes.iter().fold(lines.join("\n"), |text, prefix| text.replace(prefix, ""))
}

/// The status that a registry answered with.
fn status(text: &str) -> Option<u16> {
    let number = |after: &str| text.split_once(after)?.1.trim_start().get(..3)?.parse().ok();
    number("Bad response: ")
        .or_else(|| number("HTTP status client error ("))
        .or_else(|| number("HTTP status server error ("))
}

/// As for our own client (`design/packages.md`).
const fn of_status(status: u16) -> (FailureClass, Code) {
    match status {
        408 | 425 | 429 | 500..=599 => (Transient, Code::REGISTRY_FAILED),
        401 | 403 | 407 => (Environment, Code::REGISTRY_REFUSED),
        404 | 410 => (Environment, Code::PACKAGE_NOT_FOUND),
        _ => (Environment, Code::REGISTRY_FAILED),
    }
}

/// `host:port` of the first address.
fn origin(text: &str) -> Option<String> {
    let (before, after) = text.split_once("://")?;
    let scheme = before.rsplit(|character: char| !character.is_ascii_alphabetic()).next()?;
    let host = after.split(['/', ' ', '"', '\'', ')', '\n']).next()?;
    let port = if scheme == "http" { 80 } else { 443 };
    Some(if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    })
}

/// The first text in quotes.
fn quoted(text: &str) -> Option<&str> {
    let start = text.find(['\'', '"'])?;
    let quote = text.get(start..=start)?;
    let rest = text.get(start + 1..)?;
    Some(rest.split_once(quote)?.0)
}

/// One line: what Deno says, without places, excerpts and repetitions of causes.
fn sentence(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let line = line.strip_prefix("error: ").unwrap_or(line);
        let line = match line.split_once(": ") {
            Some((number, rest)) if number.parse::<u8>().is_ok() => rest,
            _ => line,
        };
        let is_excerpt = line.starts_with('|')
            || line.split_once('|').is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok());
        if line.is_empty() || line == "Caused by:" || line.starts_with("at ") || is_excerpt {
            continue;
        }
        if !parts.iter().any(|part| part.contains(line)) {
            parts.push(line);
        }
    }
    parts.truncate(4);
    if parts.is_empty() { "Deno printed no message".to_owned() } else { parts.join(": ") }
}

/// `at models/a.ts:1:18`.
fn place(text: &str) -> Option<Position> {
    let line = text.lines().rev().find_map(|line| line.trim().strip_prefix("at "))?;
    let mut parts = line.rsplitn(3, ':');
    let (column, line, file) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    // Others are Deno's, or on the network.
    (!file.contains("://") && !file.starts_with('/')).then(|| Position { file: file.to_owned(), line, column })
}
