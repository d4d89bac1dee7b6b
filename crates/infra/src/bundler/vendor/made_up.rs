//! Modules that exist in no file: they stand between what a package imports and what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::Value;

use super::PLACEHOLDER;

/// Imports the entry of this specifier in its own form and gives it out in ours.
pub(super) const NAMED_ENTRY: &str = "mangrove-entry:";
/// The same with every member that the entry is known to have.
pub(super) const MEMBERS_ENTRY: &str = "mangrove-members:";
/// What the modules of these entries import: the entry itself.
pub(in crate::bundler) const ORIGINAL: &str = "mangrove-original:";
/// The id of a module that a `require` of something external gets; the external follows.
pub(in crate::bundler) const REQUIRE_ID: &str = "\0mangrove-require:";
/// The id of a module that is not installed; the specifier follows.
pub(super) const ABSENT_ID: &str = "\0mangrove-absent:";
/// How the files of native code end.
pub(super) const NATIVE: &str = ".node";

/// What a first build showed to be needed for a second one.
#[derive(Clone, Debug, Default)]
pub(super) struct Forms {
    /// Entries that have to be given out in another form, by their specifiers.
    pub(super) named: BTreeMap<String, Named>,
    /// What stands at the end of ES modules that hand on what a `CommonJS` module exports, by their ids.
    pub(super) handed_on: BTreeMap<String, String>,
}

impl Forms {
    /// True if the first build is as it should be.
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.handed_on.is_empty()
    }
}

/// An entry that has to be given out in another form than the bundler's.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// The module that it is.
    pub(super) id: String,
    pub(super) form: Form,
}

/// What an entry is.
#[derive(Clone, Debug)]
pub(in crate::bundler) enum Form {
    /// A module that sets `module.exports`.
    CommonJs {
        /// What Node and Deno let others import by name.
        names: BTreeSet<String>,
        /// Names of further members that it has, known by running it or by what it copies onto its exports.
        members: BTreeSet<String>,
    },
    /// A file of JSON, which has a default and nothing else.
    Json,
}

/// The text of an entry with the names of `form`, and with all members if `is_wide`.
pub(in crate::bundler) fn entry(specifier: &str, form: &Form, is_wide: bool) -> String {
    let original = Value::from(format!("{ORIGINAL}{specifier}"));
    let Form::CommonJs { names, members } = form else {
        return format!("import whole from {original};\nexport default whole;\n");
    };
    let mut source = format!(
        "const whole = require({original});\nexport default whole;\nexport {{ whole as \"module.exports\" }};\n\
         const member = (name) => {{ try {{ return whole[name]; }} catch {{ return undefined; }} }};\n"
    );
    let members = members.iter().filter(|name| is_wide && !names.contains(*name));
    for (index, name) in names.iter().chain(members).enumerate() {
        let name = Value::from(name.as_str());
        // Writing into a string cannot fail.
        let _ = writeln!(source, "const e{index} = member({name});\nexport {{ e{index} as {name} }};");
    }
    source
}

/// The text of a module that a `require` gets in the place of something external, which can only be imported.
pub(in crate::bundler) fn required(target: &str) -> String {
    let quoted = Value::from(target);
    if target.starts_with(PLACEHOLDER) {
        format!(
            "import * as whole from {quoted};\n\
             module.exports = \"module.exports\" in whole ? whole[\"module.exports\"] : whole;\n"
        )
    } else {
        format!("import whole from {quoted};\nmodule.exports = whole;\n")
    }
}

/// The text of a module that is not there: it throws what Node throws, whenever it is asked for.
pub(super) fn absent(specifier: &str) -> String {
    let (kind, specifier) = specifier.split_once(':').unwrap_or_default();
    let (text, code) = match kind {
        "require" => (format!("Cannot find module '{specifier}'"), "MODULE_NOT_FOUND"),
        _ => (format!("Cannot find package '{specifier}'"), "ERR_MODULE_NOT_FOUND"),
    };
    throwing(&text, code)
}

/// The text of a module in the place of native code, as if it could not be opened.
pub(super) fn native(file: &str) -> String {
    throwing(&format!("{file} is native code, which is no part of a bundle"), "ERR_DLOPEN_FAILED")
}

fn throwing(text: &str, code: &str) -> String {
    format!(
        "module.exports = {{}};\nthrow Object.assign(new Error({}), {{ code: {} }});\n",
        Value::from(text),
        Value::from(code)
    )
}
