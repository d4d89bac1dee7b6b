//! Descriptions as people see them: of a type with all that add-ons bring to it.

use std::path::Path;

use anyhow::{Context as _, Result};
use mangrove_domain::kind_layout::KindLayout;
use serde_json::{Value, json};

use super::{
    Options, Report,
    deno::Answer,
    difference::differences,
    rows::{self, Found},
};

/// The sections to which add-ons add.
const SECTIONS: [&str; 2] = ["checks", "resources"];

/// An indexed source with what Deno says of it.
pub(crate) struct Described<'a> {
    found: &'a Found,
    answer: Answer,
}

impl<'a> Described<'a> {
    pub(crate) fn new(found: &'a Found, answer: Answer) -> Self {
        Self { found, answer }
    }
}

/// Compares what `describe` shows of each type of a root.
pub(crate) fn compare(
    options: &Options,
    root: &Path,
    layouts: &[KindLayout],
    described: &[Described<'_>],
    report: &mut Report,
) {
    for one in described {
        let (row, name) = (&one.found.row, one.found.name());
        let Some(indexed) = one.found.indexed() else { continue };
        if let Some(other) = &row.shadowed_by {
            report.left_out.push(format!("{name} is shadowed by {other}"));
            continue;
        }
        let is_of_the_type = |other: &&Described<'_>| {
            other.found.row.is_resolvable()
                && other.found.row.kind == row.kind
                && other.found.indexed().is_some_and(|of| of.type_name == indexed.type_name)
        };
        // What an add-on brings is compared with its type, or alone while it waits for one.
        if indexed.is_add_on && described.iter().any(|other| is_of_the_type(&other)) {
            continue;
        }
        let found = layouts
            .iter()
            .find(|layout| layout.kind == row.kind)
            .context("a kind that nobody knows")
            .and_then(|layout| differences_of(options, root, layout, one, described));
        match found {
            Ok((compared, found)) => {
                report.described += compared;
                report.differences.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
            }
            Err(error) => report.differences.push(format!("{name}: {error:#}")),
        }
    }
}

/// How many sources a description was compared for, and where it differs.
fn differences_of(
    options: &Options,
    root: &Path,
    layout: &KindLayout,
    one: &Described<'_>,
    described: &[Described<'_>],
) -> Result<(usize, Vec<String>)> {
    let indexed = one.found.indexed().context("only indexed sources are described")?;
    let document = rows::describe(&options.program, root, indexed, one.found.row.kind.as_str())?;
    let of = |name: &Value| described.iter().find(|other| name.as_str() == Some(&*other.found.name()));
    let base = of(&document["path"]).context("the source that is described was not looked at")?;
    let type_text = base.answer.type_text.as_str().context("its type is no text in Deno")?;
    let type_name = (layout.normalise)(type_text).map_or_else(|error| error.to_string(), |name| name.to_string());
    let mut expected = base.answer.description.clone();
    let mut compared = 1;
    for name in document["addOns"].as_array().into_iter().flatten() {
        let add_on = of(name).with_context(|| format!("the add-on {name} was not looked at"))?;
        add(&mut expected, &add_on.answer.description, name);
        compared += 1;
    }
    for method in expected["methods"].as_array_mut().into_iter().flatten() {
        if method.get("addedBy").is_none() {
            method["addedBy"] = Value::Null;
        }
    }
    let mut found = differences("type", &json!(type_name), &document["type"]);
    for member in ["version", "methods", "details"] {
        found.extend(differences(member, &expected[member], &document[member]));
    }
    Ok((compared, found))
}

/// Adds what an add-on brings: whatever has a name that is still free.
fn add(whole: &mut Value, add_on: &Value, source: &Value) {
    let (Value::Array(methods), more) = (&mut whole["methods"], add_on["methods"].as_array()) else { return };
    for method in more.into_iter().flatten() {
        if methods.iter().all(|known| known["name"] != method["name"]) {
            let mut method = method.clone();
            method["addedBy"] = source.clone();
            methods.push(method);
        }
    }
    for section in SECTIONS {
        for (name, member) in add_on["details"][section].as_object().into_iter().flatten() {
            if whole["details"][section].get(name).is_none() {
                whole["details"][section][name] = member.clone();
            }
        }
    }
}
