//! Sources of every kind from one description: what a good, a rejected and a broken one looks like.
//!
//! Needs no package and no network.

/// What a good source of one kind looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The kind; sources lie in the directory of this name with an `s`.
    pub kind: &'static str,
    /// The name of the export.
    pub export: &'static str,
    /// The member that holds the type's name.
    pub type_key: &'static str,
    /// The other members that a good export needs, `description` apart, with their code.
    members: &'static [(&'static str, &'static str)],
    /// The one of them that a rejected export has wrong.
    function: &'static str,
}

/// The kinds that a repository can have today, sorted.
pub const SAMPLES: [Sample; 5] = [
    Sample {
        kind: "datastore",
        export: "datastore",
        type_key: "type",
        members: &[("name", "\"Sample\""), ("createProvider", "() => ({})")],
        function: "createProvider",
    },
    Sample {
        kind: "driver",
        export: "driver",
        type_key: "type",
        members: &[("name", "\"Sample\""), ("createDriver", "() => ({ type: \"sample\", execute: async () => ({}) })")],
        function: "createDriver",
    },
    Sample {
        kind: "model",
        export: "model",
        type_key: "type",
        members: &[("version", "\"2026.05.23.1\""), ("methods", METHODS)],
        function: "methods",
    },
    Sample {
        kind: "report",
        export: "report",
        type_key: "name",
        members: &[("scope", "\"workflow\""), ("execute", "async () => ({ markdown: \"\", json: {} })")],
        function: "execute",
    },
    Sample {
        kind: "vault",
        export: "vault",
        type_key: "type",
        members: &[("name", "\"Sample\""), ("createProvider", "() => ({})")],
        function: "createProvider",
    },
];

const METHODS: &str =
    "{ run: { description: \"runs\", arguments: schema, execute: async () => ({ dataHandles: [] }) } }";

/// In what condition a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is accepted.
    Good,
    /// It loads, and its export breaks a rule of its kind: a function is a number.
    Rejected,
    /// As [`Rejected`](Self::Rejected), and the name of its type is computed: only who loads it can know it.
    RejectedComputed,
    /// It loads, and the name of its type is a number. Nothing says which type it would be.
    Nameless,
    /// It does not parse; its export, and the name of its type in it, can be found all the same.
    Broken,
    /// It imports a file that is not there.
    Unresolvable,
    /// It throws when it is loaded.
    Throwing,
    /// It exports nothing that makes it an entry point.
    Helper,
}

impl Sample {
    /// The text of a source of this kind.
    ///
    /// `description` becomes part of the export, so that another one makes another bundle. The source imports `note`
    /// from `../_lib/note.ts`, see [`note`].
    #[must_use]
    pub fn text(&self, type_name: &str, condition: Condition, description: &str) -> String {
        let head = match condition {
            Condition::Good
            | Condition::Rejected
            | Condition::RejectedComputed
            | Condition::Nameless
            | Condition::Helper => "",
            Condition::Broken => "const unfinished = { list: [;\n",
            Condition::Unresolvable => "import \"./missing.ts\";\n",
            Condition::Throwing => "throw new Error(\"cannot be loaded\");\n",
        };
        let export = if condition == Condition::Helper { "helper" } else { self.export };
        let type_name = match condition {
            Condition::Nameless => "42".to_owned(),
            Condition::RejectedComputed => format!("[\"{type_name}\"].join()"),
            Condition::Good
            | Condition::Rejected
            | Condition::Broken
            | Condition::Unresolvable
            | Condition::Throwing
            | Condition::Helper => format!("\"{type_name}\""),
        };
        let members: Vec<String> = self
            .members
            .iter()
            .map(|(name, code)| {
                let is_wrong =
                    matches!(condition, Condition::Rejected | Condition::RejectedComputed) && *name == self.function;
                format!("  {name}: {},\n", if is_wrong { "42" } else { code })
            })
            .collect();
        format!(
            "import {{ note }} from \"../_lib/note.ts\";\n{head}\
             const schema = {{ _def: {{}}, parse: (value: unknown) => value, \
             safeParse: (value: unknown) => ({{ success: true, data: value }}) }};\n\
             export const schemas = [schema];\n\
             export const {export} = {{\n  {}: {type_name},\n  description: \"{description}, \" + note,\n{}}};\n",
            self.type_key,
            members.concat()
        )
    }
}

/// The text of the file `_lib/note.ts` that the sources of all kinds beside it import.
#[must_use]
pub fn note(text: &str) -> String {
    format!("export const note = \"{text}\";\n")
}
