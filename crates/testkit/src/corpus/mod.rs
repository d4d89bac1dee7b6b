//! Repositories of any size whose outcome is known: models of many services, some broken, some invalid.
//!
//! Needs no package and no network, but for [`packages`]. The same numbers give the same bytes.

pub mod packages;

use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path};

use mangrove_domain::state::StateName;

/// What to write. Broken entries come first, then invalid ones, then good ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// Entry points in total.
    pub entries: usize,
    /// Services; each is one directory with one shared file in `_lib`. At most as many as entries.
    pub services: usize,
    /// Entries with a syntax error.
    pub broken: usize,
    /// Entries whose export breaks the rules of models.
    pub invalid: usize,
}

/// One entry point and what a scan must make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its path below the repository.
    pub path: String,
    /// The service that it belongs to, such as `s003`.
    pub service: String,
    /// The type that it defines or, if it is broken, claims. `None` for an invalid entry, whose type is no text.
    pub type_name: Option<String>,
    /// The state after a scan.
    pub state: StateName,
}

impl Corpus {
    /// Writes the repository, marker included, into `directory`. The answer is sorted by path.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, directory: &Path) -> io::Result<Vec<Expected>> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("mangrove.yaml"), "repoId: 00000000-0000-4000-8000-00000000c0de\n")?;
        let services = self.services.clamp(1, self.entries.max(1));
        let mut expected = Vec::with_capacity(self.entries);
        for number in 0..self.entries {
            let service = format!("s{:03}", number % services);
            let folder = directory.join("extensions/models").join(&service);
            if number < services {
                fs::create_dir_all(folder.join("_lib"))?;
                fs::write(directory.join(library_path(&service)), library(&service))?;
            }
            let state = match number {
                _ if number < self.broken => StateName::BundleBuildFailed,
                _ if number < self.broken + self.invalid => StateName::ValidationFailed,
                _ => StateName::Indexed,
            };
            let name = format!("thing{:04}", number / services);
            fs::write(folder.join(format!("{name}.ts")), model(&service, &name, state))?;
            expected.push(Expected {
                path: format!("extensions/models/{service}/{name}.ts"),
                type_name: (state != StateName::ValidationFailed).then(|| format!("@corpus/{service}/{name}")),
                service,
                state,
            });
        }
        expected.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(expected)
    }
}

/// Makes each entry at least `bytes` long, as real ones are, with code that a bundler must keep.
///
/// # Errors
/// Whatever the file system says.
pub fn lengthen(directory: &Path, expected: &[Expected], bytes: usize) -> io::Result<()> {
    for entry in expected {
        let path = directory.join(&entry.path);
        let mut text = fs::read_to_string(&path)?;
        text.push_str("\nexport const details = [\n");
        let mut number = 0;
        while text.len() < bytes {
            let _ = writeln!(
                text,
                "  (value: {{ id: string; size: number }}): string => \
                 `detail {number} of ${{value.id}} is ${{value.size * {number}}}`,"
            );
            number += 1;
        }
        text.push_str("];\n");
        fs::write(path, text)?;
    }
    Ok(())
}

/// A way in which an entry can be unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ailment {
    /// Its export breaks the rules of models.
    Rejected,
    /// It does not parse.
    Syntax,
    /// It imports [`ABSENT_PACKAGE`].
    Package,
    /// It imports what only Deno serves.
    Program,
    /// It claims the type of another entry, and that one comes first.
    Conflict,
    /// A file beside it exports what another kind is known by.
    Warning,
}

impl Ailment {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Rejected, Self::Syntax, Self::Package, Self::Program, Self::Conflict, Self::Warning];
}

/// The scope of [`ABSENT_PACKAGE`], so that a setting can send those who ask for it where it is not.
pub const ABSENT_SCOPE: &str = "@mangrove-corpus";

/// A package that no registry has.
pub const ABSENT_PACKAGE: &str = "@mangrove-corpus/absent";

/// Makes so many entries of a healthy corpus ill in each way; the first ones, which stand for the others, stay as they
/// are. Gives the ailments by path.
///
/// # Errors
/// Whatever the file system says.
///
/// # Panics
/// If there are fewer than seven times as many entries.
pub fn sicken(directory: &Path, expected: &[Expected], each: usize) -> io::Result<BTreeMap<String, Ailment>> {
    let (others, ill) = expected.split_at(each);
    assert!(ill.len() >= each * Ailment::ALL.len(), "too few entries");
    let stride = ill.len() / (each * Ailment::ALL.len()).max(1);
    let ailments = Ailment::ALL.iter().cycle().take(each * Ailment::ALL.len());
    let mut by_path = BTreeMap::new();
    for (number, (entry, ailment)) in ill.iter().step_by(stride).zip(ailments).enumerate() {
        let path = directory.join(&entry.path);
        let text = fs::read_to_string(&path)?;
        let own = format!("type: \"{}\"", entry.type_name.as_deref().unwrap_or_default());
        let other = others[number / Ailment::ALL.len()].type_name.as_deref().unwrap_or_default();
        let text = match ailment {
            Ailment::Rejected => text.replace(&own, "type: 42"),
            Ailment::Syntax => format!("const unfinished = {{ list: [;\n{text}"),
            Ailment::Package => format!("import {{ absent }} from \"npm:{ABSENT_PACKAGE}@1\";\nabsent();\n{text}"),
            Ailment::Program => format!("import {{ join }} from \"jsr:@std/path@1\";\njoin(\"a\");\n{text}"),
            Ailment::Conflict => text.replace(&own, &format!("type: \"{other}\"")),
            Ailment::Warning => {
                let stray = path.with_file_name(format!("stray{number}.ts"));
                fs::write(stray, "export const vault = {};\n")?;
                text
            }
        };
        fs::write(&path, text)?;
        by_path.insert(entry.path.clone(), *ailment);
    }
    Ok(by_path)
}

/// Where the shared file of a service lies, below the repository.
#[must_use]
pub fn library_path(service: &str) -> String {
    format!("extensions/models/{service}/_lib/shared.ts")
}

fn library(service: &str) -> String {
    let mut text = format!(
        "// Shared by the models of service {service}.\n\n\
         export interface Context {{ writeResource(spec: string, instance: string, data: unknown): Promise<unknown>; }}\n\n\
         export const schema = () => ({{ _def: {{}}, parse: (value: unknown) => value, \
         safeParse: (value: unknown) => ({{ success: true, data: value }}) }});\n\n\
         export const revision = \"1\";\n"
    );
    for number in 0..20 {
        let _ = write!(
            text,
            "\nexport function helper{number}(value: number): number {{\n  return value * {number};\n}}\n"
        );
    }
    text
}

fn model(service: &str, name: &str, state: StateName) -> String {
    let type_name =
        if state == StateName::ValidationFailed { "42".to_owned() } else { format!("\"@corpus/{service}/{name}\"") };
    let mistake = if state == StateName::BundleBuildFailed { "const unfinished = { list: [;\n\n" } else { "" };
    let mut text = format!(
        "// The model {name} of service {service}.\n\nimport {{ helper3, revision, schema, type Context }} from \"./_lib/shared.ts\";\n\n\
         {mistake}export const model = {{\n  type: {type_name},\n  version: \"2026.05.23.1\",\n  resources: {{\n    \
         state: {{ description: \"state\", schema: schema(), lifetime: \"infinite\", garbageCollection: 10 }},\n  }},\n  methods: {{\n"
    );
    for method in ["create", "get", "update", "delete", "list"] {
        let _ = write!(
            text,
            "    {method}: {{\n      description: \"{method} the {name}\",\n      arguments: schema(),\n      \
             execute: async (args: {{ id: string }}, context: Context) => {{\n        \
             const handle = await context.writeResource(\"state\", args.id, {{ id: args.id, revision, size: helper3(2) }});\n        \
             return {{ dataHandles: [handle] }};\n      }},\n    }},\n"
        );
    }
    text.push_str("  },\n};\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Corpus = Corpus { entries: 7, services: 3, broken: 1, invalid: 2 };

    #[test]
    fn as_many_of_each_as_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let expected = SMALL.write(directory.path()).expect("a corpus");
        let count = |state| expected.iter().filter(|entry| entry.state == state).count();
        assert_eq!(expected.len(), 7);
        assert_eq!(count(StateName::BundleBuildFailed), 1);
        assert_eq!(count(StateName::ValidationFailed), 2);
        assert!(expected.iter().all(|entry| directory.path().join(&entry.path).is_file()));
        assert!(expected.iter().all(|entry| directory.path().join(library_path(&entry.service)).is_file()));
    }

    #[test]
    fn lengthened_entries_keep_what_they_were() {
        let directory = tempfile::tempdir().expect("a directory");
        let expected = SMALL.write(directory.path()).expect("a corpus");
        let read = |entry: &Expected| fs::read_to_string(directory.path().join(&entry.path)).expect("an entry");
        let before: Vec<String> = expected.iter().map(read).collect();
        lengthen(directory.path(), &expected, 5_000).expect("longer entries");
        for (entry, before) in expected.iter().zip(before) {
            let after = read(entry);
            assert!(after.starts_with(&before));
            assert!((5_000..5_200).contains(&after.len()), "{} bytes", after.len());
        }
    }

    #[test]
    fn as_many_fall_ill_in_each_way_as_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let healthy = Corpus { entries: 30, services: 3, broken: 0, invalid: 0 };
        let expected = healthy.write(directory.path()).expect("a corpus");
        let text = |path: &str| fs::read_to_string(directory.path().join(path)).expect("an entry");
        let before: BTreeMap<&str, String> =
            expected.iter().map(|entry| (entry.path.as_str(), text(&entry.path))).collect();
        let ailments = sicken(directory.path(), &expected, 2).expect("an ill corpus");
        for ailment in Ailment::ALL {
            assert_eq!(ailments.values().filter(|other| **other == ailment).count(), 2, "{ailment:?}");
        }
        for entry in &expected {
            let is_changed = text(&entry.path) != before[entry.path.as_str()];
            let is_ill = ailments.get(&entry.path).is_some_and(|ailment| *ailment != Ailment::Warning);
            assert_eq!(is_changed, is_ill, "{}", entry.path);
        }
    }

    #[test]
    fn the_same_numbers_give_the_same_bytes() {
        let (left, right) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let expected = SMALL.write(left.path()).expect("a corpus");
        assert_eq!(SMALL.write(right.path()).expect("a corpus"), expected);
        for entry in &expected {
            let read = |directory: &Path| fs::read(directory.join(&entry.path)).expect("an entry");
            assert_eq!(read(left.path()), read(right.path()));
        }
    }
}
