//! What Deno reads for a bundle, held against what may be part of one: the bytes of the request and the packages in
//! Deno's own cache. Deno has no option for that. But it logs what it is asked to resolve and load before it does so,
//! and whoever hears that can stop it (`design/bundling.md`, "Deno").

use std::path::{Path, PathBuf};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::read::{self, FileKind, Within};
use serde_json::Value;
use url::Url;

use super::super::fence::{Fence, names_a_place, normalized};

/// The value of `DENO_LOG` that makes Deno tell what it reads.
pub(super) const LOG: &str = "info,deno::tools::bundle=debug";

/// What lines of the log begin with.
const LOGGED: &str = "DEBUG ";
const LOADS: &str = "on_load: OnLoadArgs {";
const RESOLVES: &str = "on_resolve: OnResolveArgs {";

/// What cannot be a file of this machine, by how its address begins.
const ELSEWHERE: &[&str] = &["http:", "https:", "data:", "node:", "jsr:", "npm:", "blob:"];

/// What a line of standard error was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// None of the log.
    Other,
    /// Deno bundles, and fetches nothing at the moment.
    Logged,
    /// It wants what it may not have, and has to be stopped.
    Refused,
}

/// What one build reads.
pub(super) struct Reads {
    entry: PathBuf,
    sources: Fence,
    packages: Fence,
    is_entry_loaded: bool,
    /// Imports whose targets lie outside, should there be anything.
    leading_out: Vec<Import>,
    refusal: Option<Refusal>,
}

struct Import {
    importer: String,
    specifier: String,
    /// Where it leads, as it is written.
    target: PathBuf,
}

enum Refusal {
    Import(Import),
    /// A file that no single import names.
    File(String),
}

impl Reads {
    /// For a build of the file `entry`, of sources and packages in these directories.
    ///
    /// # Errors
    /// If one of the directories is not there.
    pub(super) fn new(entry: &Path, sources: &Path, packages: &Path) -> std::io::Result<Self> {
        Ok(Self {
            entry: entry.canonicalize()?,
            sources: Fence::around(sources)?,
            packages: Fence::around(packages)?,
            is_entry_loaded: false,
            leading_out: Vec::new(),
            refusal: None,
        })
    }

    /// Hears a line of standard error.
    pub(super) fn hear(&mut self, line: &str) -> Line {
        if !line.starts_with(LOGGED) {
            return Line::Other;
        }
        if let Some((_, arguments)) = line.split_once(RESOLVES) {
            self.resolves(arguments);
        } else if let Some((_, arguments)) = line.split_once(LOADS) {
            self.loads(arguments);
        }
        if self.refusal.is_some() { Line::Refused } else { Line::Logged }
    }

    /// `key: 0, ids: [0], path: "./x", importer: Some("/a/b.js"), kind: …, resolve_dir: Some("/a"), …`
    fn resolves(&mut self, arguments: &str) {
        let parsed = || {
            let (specifier, rest) = quoted(arguments.split_once("path: ")?.1)?;
            let (importer, rest) = quoted(rest.strip_prefix(", importer: Some(")?)?;
            let directory = rest.split_once("resolve_dir: Some(").and_then(|(_, rest)| quoted(rest));
            Some((specifier, importer, directory.map(|(directory, _)| directory)))
        };
        let Some((specifier, importer, directory)) = parsed() else { return };
        if is_elsewhere(&importer) {
            return;
        }
        let is_place = names_a_place(&specifier);
        let target = match directory {
            _ if is_place => path_of(&specifier),
            Some(directory) if specifier.starts_with('.') => normalized(&Path::new(&directory).join(&specifier)),
            _ => return,
        };
        let import = Import { importer, specifier, target };
        if is_place && self.is_package(&import.importer) {
            self.refuse(Refusal::Import(import));
        } else if !self.admits(&import.target.to_string_lossy()) {
            self.leading_out.push(import);
        }
    }

    /// `key: 0, ids: [0], path: "/a/x.js", namespace: "file", …`
    fn loads(&mut self, arguments: &str) {
        let path = arguments.split_once("path: ").and_then(|(_, rest)| quoted(rest));
        let Some((path, _)) = path else {
            return self.refuse(Refusal::File(arguments.to_owned()));
        };
        if is_elsewhere(&path) {
            return;
        }
        let file = normalized(&path_of(&path));
        let is_entry = || file.canonicalize().is_ok_and(|real| real == self.entry);
        self.is_entry_loaded = self.is_entry_loaded || is_entry();
        if self.admits(&file.to_string_lossy()) {
            return;
        }
        // A loader may have added an extension.
        let named = |import: &Import| file.to_string_lossy().starts_with(&*import.target.to_string_lossy());
        let import = self.leading_out.iter().position(named).map(|index| self.leading_out.swap_remove(index));
        self.refuse(import.map_or(Refusal::File(path), Refusal::Import));
    }

    /// The first one counts.
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    fn admits(&self, path: &str) -> bool {
        let real = Path::new(path).canonicalize().ok();
        let path = real.as_deref().and_then(Path::to_str).unwrap_or(path);
        self.sources.admits(path) || self.packages.admits(path)
    }

    /// True for a file of a package, wherever Deno put it.
    fn is_package(&self, file: &str) -> bool {
        let path = Path::new(file);
        self.packages.is_inside(path) || path.components().any(|part| part.as_os_str() == "node_modules")
    }

    /// What is wrong with what was read, if anything. `is_done` is true if Deno came to a good end.
    pub(super) fn fault(&self, is_done: bool) -> Option<Fault> {
        let no_bundle = "; no bundle was made of it";
        match &self.refusal {
            Some(Refusal::Import(import)) if self.is_package(&import.importer) => {
                let package = self.package(Path::new(&import.importer));
                let message = format!(
                    "the package {package} imports `{}` in {}, which leads outside of the package's own files{no_bundle}",
                    import.specifier,
                    self.shown(&import.importer)
                );
                Some(Fault::environment(Code::PACKAGE_IMPORT_OUTSIDE, format!("package:{package}"), message))
            }
            Some(Refusal::Import(import)) => {
                let importer = self.shown(&import.importer);
                let message = format!(
                    "{importer} imports `{}`, which leads outside of the repository{no_bundle}",
                    import.specifier
                );
                Some(Fault::deterministic(Code::IMPORT_OUTSIDE_ROOT, format!("source:{importer}"), message))
            }
            Some(Refusal::File(path)) => {
                let entry = self.shown(&self.entry.to_string_lossy());
                let message = format!(
                    "{entry}, or a package that it imports, brings {path} into its bundle, by a link or by an \
                     `import()` of a pattern, and that is a file of neither{no_bundle}"
                );
                Some(Fault::environment(Code::PACKAGE_IMPORT_OUTSIDE, format!("source:{entry}"), message))
            }
            None if is_done && !self.is_entry_loaded => {
                let message = "this version of Deno does not tell which files it reads for a bundle, so that files of \
                               others could be part of it";
                Some(Fault::environment(Code::RUNTIME_FAILED, "program:deno", message))
            }
            None => None,
        }
    }

    /// The path below the directory that it lies in.
    fn shown(&self, path: &str) -> String {
        let path = Path::new(path);
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let inside = [&self.sources, &self.packages].map(|fence| real.strip_prefix(fence.directory()).ok());
        inside.into_iter().flatten().next().unwrap_or(&real).display().to_string()
    }

    /// `name@version` of the package that a file belongs to.
    fn package(&self, file: &Path) -> String {
        let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let root = if real.starts_with(self.packages.directory()) { &self.packages } else { &self.sources };
        let inside = real.ancestors().skip(1).take_while(|directory| directory.starts_with(root.directory()));
        let mut names = inside.filter_map(|directory| {
            let text = read::text(directory.join("package.json"), Within::Root(root.directory()), FileKind::Document);
            let manifest: Value = serde_json::from_str(&text.ok()?).ok()?;
            Some(format!("{}@{}", manifest.get("name")?.as_str()?, manifest.get("version")?.as_str()?))
        });
        names.next().unwrap_or_else(|| self.shown(&file.to_string_lossy()))
    }
}

fn is_elsewhere(address: &str) -> bool {
    ELSEWHERE.iter().any(|scheme| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// The path that a path or an address with `file:` means.
fn path_of(place: &str) -> PathBuf {
    let url = place.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:")).and_then(|_| Url::parse(place).ok());
    url.and_then(|url| url.to_file_path().ok()).unwrap_or_else(|| PathBuf::from(place))
}

/// The text in quotes with which this begins, as Rust writes it for people who debug, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?.chars();
    let mut plain = String::new();
    loop {
        match rest.next()? {
            '"' => return Some((plain, rest.as_str())),
            '\\' => plain.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let (number, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    rest = after.chars();
                    char::from_u32(u32::from_str_radix(number, 16).ok()?)?
                }
                escaped => escaped,
            }),
            character => plain.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_they_are_logged() {
        for text in ["", "/a/b.js", "a\"b, importer: Some(\"c", "line\nand\tmore\r\0", "\u{1b}\u{202e}é😀\\"] {
            let logged = format!("{text:?}, namespace: \"file\"");
            assert_eq!(quoted(&logged), Some((text.to_owned(), ", namespace: \"file\"")), "{logged}");
        }
        for broken in ["", "x", "\"x", "\"\\u{zz}\"", "\"\\"] {
            assert_eq!(quoted(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_no_path_is_told_from_paths() {
        for place in ["https://x/y.ts", "HTTP://x", "node:fs", "data:text/plain,x"] {
            assert!(is_elsewhere(place), "{place}");
        }
        for place in ["/x", "file:///x", "x", "", "./https:"] {
            assert!(!is_elsewhere(place), "{place}");
        }
        assert_eq!(path_of("FILE:///a%20b"), Path::new("/a b"));
        assert_eq!(path_of("/a%20b"), Path::new("/a%20b"));
    }
}
