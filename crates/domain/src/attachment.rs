//! Attachment: what a type offers together with the add-ons that share its name (`design/claims.md`).
//!
//! Pure, and worked out again from one published snapshot for each request: descriptions are named by their digests,
//! so one snapshot always gives one answer, whichever side was scanned first and whichever side changed last. Nothing
//! of it is stored, so nothing can be forgotten (fault 17) or attached twice (fault 21).

use std::collections::BTreeMap;

use crate::{
    description::Description,
    index::TypeIndex,
    json::{Json, Number},
    problem::{Code, Problem},
    row::Row,
    source::SourceId,
};

/// The member of an add-on's details that says in which record of its list each method stands: method name to index.
pub const RECORDS: &str = "methodRecords";

/// As [`RECORDS`], of checks.
pub const CHECK_RECORDS: &str = "checkRecords";

/// The sections of details to which an add-on may add.
const SECTIONS: [(&str, &str); 2] = [("checks", "check"), ("resources", "resource")];

/// A type with its add-ons.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// The base with everything that was added.
    pub description: Description,
    /// Where each method that is not the base's own comes from, by its name.
    pub methods: BTreeMap<String, Added>,
    /// Where each check that is not the base's own comes from, by its name.
    pub checks: BTreeMap<String, Added>,
    /// What add-ons lost because the name was taken, in the order of attachment.
    pub collisions: Vec<Collision>,
}

/// Where something stands that an add-on brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The add-on.
    pub add_on: SourceId,
    /// The index of its record in the add-on's list.
    pub record: usize,
}

/// A name that was taken already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The add-on that loses it; the rest of that add-on attaches.
    pub add_on: SourceId,
    /// What it is: `method`, `check` or `resource`.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// Who has it: the base or an earlier add-on.
    pub taken_by: SourceId,
}

impl Collision {
    /// As a warning about the add-on.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let Self { add_on, what, name, taken_by } = self;
        Problem::warning(
            Code::METHOD_COLLISION,
            add_on.to_string(),
            format!("its {what} `{name}` is left out: {taken_by} already has one with this name"),
        )
        .advise(format!("give the {what} another name"))
    }
}

/// Attaches add-ons, which come in order of precedence, to their base.
#[must_use]
pub fn attach(base: (&SourceId, &Description), add_ons: &[(&SourceId, &Description)]) -> Attachment {
    let (base_source, base) = base;
    let mut whole = base.clone();
    let (mut methods, mut checks) = (BTreeMap::new(), BTreeMap::new());
    let mut collisions = Vec::new();
    // Who has a name: what it is, and the name.
    let mut owners: BTreeMap<(&str, &str), &SourceId> = BTreeMap::new();
    owners.extend(base.methods.iter().map(|method| (("method", method.name.as_str()), base_source)));
    for (section, what) in SECTIONS {
        owners.extend(members(base, section).iter().map(|(name, _)| ((what, name.as_str()), base_source)));
    }
    for (source, add_on) in add_ons.iter().copied() {
        let mut take = |what: &'static str, name: &str, taken_by: Option<&SourceId>| match taken_by {
            None => true,
            Some(taken_by) => {
                let taken_by = taken_by.clone();
                collisions.push(Collision { add_on: source.clone(), what, name: name.to_owned(), taken_by });
                false
            }
        };
        for method in &add_on.methods {
            if take("method", &method.name, owners.get(&("method", method.name.as_str())).copied()) {
                owners.insert(("method", method.name.as_str()), source);
                let record = record(add_on, RECORDS, &method.name);
                methods.insert(method.name.clone(), Added { add_on: source.clone(), record });
                whole.methods.push(method.clone());
            }
        }
        for (section, what) in SECTIONS {
            for (name, value) in members(add_on, section) {
                if take(what, name, owners.get(&(what, name.as_str())).copied()) {
                    owners.insert((what, name.as_str()), source);
                    push(&mut whole.details, section, name, value);
                    if what == "check" {
                        let record = record(add_on, CHECK_RECORDS, name);
                        checks.insert(name.clone(), Added { add_on: source.clone(), record });
                    }
                }
            }
        }
        whole.requirements.extend(add_on.requirements.iter().cloned());
    }
    whole.requirements.sort();
    whole.requirements.dedup();
    Attachment { description: whole, methods, checks, collisions }
}

fn members<'a>(description: &'a Description, section: &str) -> &'a [(String, Json)] {
    description.details.get(section).and_then(Json::as_object).unwrap_or_default()
}

fn record(add_on: &Description, records: &str, name: &str) -> usize {
    match add_on.details.get(records).and_then(|records| records.get(name)) {
        Some(Json::Number(Number::Integer(index))) => usize::try_from(*index).unwrap_or_default(),
        _ => 0,
    }
}

fn push(details: &mut Json, section: &str, name: &str, value: &Json) {
    let Json::Object(sections) = details else { return };
    if let Some((_, Json::Object(members))) = sections.iter_mut().find(|(key, _)| key == section) {
        members.push((name.to_owned(), value.clone()));
    } else {
        sections.push((section.to_owned(), Json::object([(name, value.clone())])));
    }
}

/// The add-ons whose type does not resolve, as information: each attaches by itself as soon as it does.
#[must_use]
pub fn waiting(index: &TypeIndex) -> Vec<Problem> {
    index.waiting_add_ons().map(|row| wait(index, row)).collect()
}

fn wait(index: &TypeIndex, row: &Row) -> Problem {
    let kind = &row.kind;
    let name = row.type_name().map(ToString::to_string).unwrap_or_default();
    let claimant = row.type_name().and_then(|name| index.claimants(kind, name).into_iter().next());
    let why = claimant.as_ref().map_or_else(
        || "which no source defines yet".to_owned(),
        |claimant| format!("which does not resolve: {} is {}", claimant.source, claimant.state.name()),
    );
    Problem::information(Code::ADD_ON_WAITS, row.source.to_string(), format!("waits for the {kind} type {name}, {why}"))
}
