//! No file uses a file that uses it back, directly or through others: such files are one file in parts.
//!
//! A file uses another if it names something that the other defines. Declaring a module and passing its items on
//! (`pub use`) is no use; whoever imports what is passed on uses the file that defines it. What a folder's own
//! `mod.rs` (or the crate's first file) defines is there for the files below it: their use of it does not count,
//! its use of them does.

mod text;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::tree::Tree;
use text::{declared, flatten, imports, paths, stripped};

/// Files that are in a circle today. The list may only become shorter.
const KNOWN: &[&str] = &[
    "crates/app/src/workflow/engine.rs",
    "crates/app/src/workflow/step.rs",
    "crates/cli/src/commands/mod.rs",
    "crates/cli/src/compose.rs",
];

/// How often an import is followed to the import that it names.
const LONGEST_CHAIN: usize = 8;

/// The path of a module from the root of its crate.
type ModulePath = Vec<String>;

/// The files that each file uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    findings(&circles(tree), KNOWN)
}

fn findings(circles: &[Vec<String>], known: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for circle in circles {
        if !circle.iter().all(|file| known.contains(&file.as_str())) {
            let first = circle.first().map_or("", String::as_str);
            findings.push(format!("these files use each other in a circle: {} → {first}", circle.join(" → ")));
        }
    }
    for file in known {
        if !circles.iter().any(|circle| circle.iter().any(|member| member == file)) {
            findings.push(format!(
                "{file} is in no circle any more; take it out of the list in xtask/src/tidy/circles/mod.rs"
            ));
        }
    }
    findings
}

/// One circle for each group of files that reach each other, and one more for each file of the group that is not in it.
fn circles(tree: &Tree) -> Vec<Vec<String>> {
    let mut uses = Uses::new();
    for root in roots(tree) {
        uses.extend(Crate::read(tree, &root).uses());
    }
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for file in uses.keys() {
        if !seen.contains(file)
            && let Some(circle) = shortest_circle(&uses, file)
        {
            seen.extend(circle.iter().cloned());
            circles.push(circle);
        }
    }
    circles
}

/// The shortest way from `file` back to itself, each file once.
fn shortest_circle(uses: &Uses, file: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([file]);
    while let Some(current) = open.pop_front() {
        for next in uses.get(current).into_iter().flatten() {
            if next == file {
                let mut way = vec![current.to_owned()];
                let mut back = current;
                while back != file {
                    back = came_from.get(back)?;
                    way.push(back.to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next.as_str()) {
                came_from.insert(next, current);
                open.push_back(next);
            }
        }
    }
    None
}

/// The first files of all libraries and programs of ours.
fn roots(tree: &Tree) -> Vec<String> {
    let is_root = |path: &str| {
        let in_source = path.strip_suffix("/src/lib.rs").or_else(|| path.strip_suffix("/src/main.rs"));
        in_source.is_some_and(|directory| directory == "xtask" || directory.starts_with("crates/"))
    };
    tree.files().map(|(path, _)| path.to_owned()).filter(|path| is_root(path)).collect()
}

/// A crate as its files and what each of them imports.
struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

struct Module {
    file: String,
    /// Its text without comments, strings, tests and imports.
    code: String,
    /// Absolute paths within the crate by the names that they have here.
    imported: BTreeMap<String, ModulePath>,
    /// The names that imports for use here bind; what is only passed on is not among them.
    used: Vec<ModulePath>,
}

impl Crate {
    fn read(tree: &Tree, root: &str) -> Self {
        let directory = root.rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut files = BTreeMap::from([(ModulePath::new(), root.to_owned())]);
        let mut open = vec![(ModulePath::new(), root.to_owned(), directory.to_owned())];
        // The modules that each file declares, followed from the root.
        while let Some((path, file, directory)) = open.pop() {
            for name in declared(&stripped(tree.text(&file).unwrap_or_default())) {
                let mut child = path.clone();
                child.push(name.clone());
                let below = format!("{directory}/{name}");
                for candidate in [format!("{below}.rs"), format!("{below}/mod.rs")] {
                    if tree.text(&candidate).is_some() {
                        files.insert(child.clone(), candidate.clone());
                        open.push((child.clone(), candidate, below.clone()));
                    }
                }
            }
        }
        let module = |path: &ModulePath, file: &str| {
            let text = stripped(tree.text(file).unwrap_or_default());
            Module::read(path, file, &text, &files)
        };
        Self { modules: files.iter().map(|(path, file)| (path.clone(), module(path, file))).collect() }
    }

    fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (path, module) in &self.modules {
            let written = paths(&module.code).filter_map(|written| module.absolute(path, &written, &self.modules));
            let all = module.used.iter().cloned().chain(written);
            let above: Vec<&str> = (0..=path.len())
                .filter_map(|length| self.modules.get(&path[..length]))
                .map(|module| module.file.as_str())
                .collect();
            let files = all.filter_map(|target| self.file_of(&target, 0)).filter(|file| !above.contains(file));
            uses.entry(module.file.clone()).or_default().extend(files.map(str::to_owned));
        }
        uses
    }

    /// The file that defines the item of this path; `None` for a path that names a module as a whole.
    fn file_of(&self, path: &[String], depth: usize) -> Option<&str> {
        let length = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
        let module = self.modules.get(&path[..length])?;
        let (item, rest) = path[length..].split_first()?;
        if depth < LONGEST_CHAIN
            && let Some(target) = module.imported.get(item)
        {
            let target: ModulePath = target.iter().chain(rest).cloned().collect();
            return self.file_of(&target, depth + 1);
        }
        Some(&module.file)
    }
}

impl Module {
    fn read(path: &ModulePath, file: &str, text: &str, files: &BTreeMap<ModulePath, String>) -> Self {
        let mut module = Self {
            file: file.to_owned(),
            code: String::with_capacity(text.len()),
            imported: BTreeMap::new(),
            used: Vec::new(),
        };
        let mut copied = 0;
        for import in imports(text) {
            module.code.push_str(&text[copied..import.range.start]);
            copied = import.range.end;
            let mut leaves = Vec::new();
            flatten(&import.tree, &mut Vec::new(), &mut leaves);
            for (segments, name) in leaves {
                let Some(absolute) = absolute(path, &segments, files) else { continue };
                if name == "*" {
                    module.used.push(absolute.into_iter().chain([name]).collect());
                    continue;
                }
                if !import.is_passed_on {
                    module.used.push(absolute.clone());
                }
                module.imported.insert(name, absolute);
            }
        }
        module.code.push_str(&text[copied..]);
        module
    }

    /// The absolute path that is meant by one that is written in code.
    fn absolute(
        &self,
        own: &ModulePath,
        written: &[String],
        modules: &BTreeMap<ModulePath, Module>,
    ) -> Option<ModulePath> {
        let (first, rest) = written.split_first()?;
        if let Some(target) = self.imported.get(first) {
            return Some(target.iter().chain(rest).cloned().collect());
        }
        absolute(own, written, modules)
    }
}

/// The absolute path of one that begins with `crate`, `self`, `super` or a child module.
fn absolute<T>(own: &ModulePath, segments: &[String], modules: &BTreeMap<ModulePath, T>) -> Option<ModulePath> {
    let mut rest = segments;
    let mut base = match rest.first()?.as_str() {
        "crate" => {
            rest = &rest[1..];
            ModulePath::new()
        }
        "self" => {
            rest = &rest[1..];
            own.clone()
        }
        "super" => own.clone(),
        name => {
            let mut child = own.clone();
            child.push(name.to_owned());
            modules.contains_key(&child).then(|| own.clone())?
        }
    };
    while rest.first().is_some_and(|segment| segment == "super") {
        base.pop()?;
        rest = &rest[1..];
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
        circles(&Tree::from(files)).iter().map(|circle| circle.join(" ")).collect()
    }

    #[test]
    fn two_files_that_use_each_other_are_found() {
        let root = ("crates/a/src/lib.rs", "mod one;\npub mod two;\n");
        let one = ("crates/a/src/one.rs", "use crate::two::{Other, self};\npub struct One(Other);\n");
        let two = ("crates/a/src/two.rs", "pub struct Other;\nfn f(one: &super::one::One) {}\n");
        assert_eq!(found([root, one, two]), ["crates/a/src/one.rs crates/a/src/two.rs"]);
        let plain =
            ("crates/a/src/two.rs", "// super::one::One\npub struct Other;\nconst X: &str = \"super::one::One\";\n");
        assert_eq!(found([root, one, plain]), Vec::<String>::new());
    }

    #[test]
    fn a_longer_circle_is_found_with_its_way() {
        let root = ("crates/a/src/main.rs", "mod one;\nmod two;\nmod three;\n");
        let one = ("crates/a/src/one.rs", "use crate::two;\nfn f() { two::g() }\n");
        let two = ("crates/a/src/two/mod.rs", "use crate::three::H as Renamed;\npub fn g() {}\n");
        let three = ("crates/a/src/three.rs", "pub struct H;\nfn f() { crate::one::f() }\n");
        let way = "crates/a/src/one.rs crates/a/src/two/mod.rs crates/a/src/three.rs";
        assert_eq!(found([root, one, two, three]), [way]);
    }

    #[test]
    fn files_may_use_what_their_own_folder_defines() {
        let root = ("crates/a/src/lib.rs", "mod folder;\nmod other;\n");
        let folder = ("crates/a/src/folder/mod.rs", "mod child;\npub struct Shared;\nfn f() { child::g() }\n");
        let child = ("crates/a/src/folder/child.rs", "use super::Shared;\npub fn g() {}\n");
        assert_eq!(found([root, folder, child, ("crates/a/src/other.rs", "")]), Vec::<String>::new());
        let child = ("crates/a/src/folder/child.rs", "use crate::other::h;\npub fn g() {}\n");
        let other = ("crates/a/src/other.rs", "use crate::folder::Shared;\npub fn h() {}\n");
        let way = "crates/a/src/folder/child.rs crates/a/src/other.rs crates/a/src/folder/mod.rs";
        assert_eq!(found([root, folder, child, other]), [way]);
    }

    #[test]
    fn an_item_that_is_passed_on_belongs_to_the_file_that_defines_it() {
        let root = ("crates/a/src/lib.rs", "mod parts;\nmod user;\nfn f() { user::g() }\n");
        let parts =
            ("crates/a/src/parts/mod.rs", "mod deep;\npub use deep::{Deep, Other};\nfn f() { crate::user::g() }\n");
        let deep = ("crates/a/src/parts/deep.rs", "pub struct Deep;\npub struct Other;\n");
        let user = ("crates/a/src/user.rs", "use crate::parts::Deep;\npub fn g() {}\n");
        assert_eq!(found([root, parts, deep, user]), Vec::<String>::new());
    }

    #[test]
    fn tests_of_a_file_do_not_count() {
        let root = ("crates/a/src/lib.rs", "mod one;\nmod two;\n");
        let one = ("crates/a/src/one.rs", "use crate::two::Two;\n");
        let two = ("crates/a/src/two.rs", "pub struct Two;\n#[cfg(test)]\nmod tests {\n    use crate::one::f;\n}\n");
        assert_eq!(found([root, one, two]), Vec::<String>::new());
    }

    #[test]
    fn a_known_circle_passes_until_it_is_gone() {
        let circle = [vec!["a.rs".to_owned(), "b.rs".to_owned()]];
        assert_eq!(findings(&circle, &["a.rs", "b.rs"]), Vec::<String>::new());
        assert_eq!(findings(&circle, &["a.rs"]), ["these files use each other in a circle: a.rs → b.rs → a.rs"]);
        assert_eq!(findings(&[], &["a.rs"]).len(), 1);
    }
}
