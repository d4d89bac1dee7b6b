//! What a candidate file is: an entry point of a kind, a helper, or nothing.

use std::sync::Arc;

use mangrove_domain::{
    kind_layout::KindLayout,
    problem::{Code, Problem},
    type_name::TypeName,
};

use crate::{
    parser::ParsedModule,
    places::{Place, Places},
    view::{Content, ReadFailure, View},
};

/// What a candidate turned out to be.
pub(super) enum Class {
    /// An entry point: `kind` is an index into the kinds of the places; `failure` says why it cannot be read.
    Entry { kind: usize, claimed_type: Option<TypeName>, claims_add_on: bool, failure: Option<ReadFailure> },
    /// A module that exports nothing by which a kind is known.
    Helper,
    /// It is not there any more, or lies where no kind does.
    Gone,
}

/// Says what a candidate is, and adds what is wrong with it.
pub(super) fn classify(view: &mut View, places: &Places, path: &str, problems: &mut Vec<Problem>) -> Class {
    let Some(record) = view.files.get(path).cloned() else {
        return Class::Gone;
    };
    let Some(place) = places.of(path) else {
        return Class::Gone;
    };
    let own = |kind: &usize| place.kinds.contains(kind);
    let failure = match &record.content {
        Content::Read { .. } => None,
        Content::Unreadable(failure) => Some(failure.clone()),
        Content::Absent if view.is_link(path) => Some(ReadFailure::dangling_link()),
        Content::Absent | Content::Outside => return Class::Gone,
    };
    // What a link led to once says nothing of one that leads nowhere: the file may have been another.
    let Some(module) = record.module.as_ref().filter(|_| !matches!(record.content, Content::Absent)) else {
        // Nothing was ever read of it: it may be an entry point, and must not vanish from sight.
        return match (place.kinds.first().copied(), failure) {
            (Some(kind), Some(failure)) => {
                Class::Entry { kind, claimed_type: None, claims_add_on: false, failure: Some(failure) }
            }
            (None, _) | (_, None) => Class::Helper,
        };
    };
    let exported = |names: &[Arc<str>]| {
        names.iter().find(|name| module.exports.iter().any(|export| export.as_str() == name.as_ref())).cloned()
    };
    // Where everything is searched, what `only` leaves out lies in no wrong place.
    for other in (0..places.kinds.len()).filter(|kind| !own(kind) && !place.is_searched) {
        let mut own_names = place.kinds.iter().flat_map(|kind| &places.kinds[*kind].export_names);
        let foreign = exported(&places.kinds[other].export_names);
        if let Some(name) = foreign.filter(|name| !own_names.any(|own| own == name)) {
            problems.push(wrong_kind(path, &name, places, place, other));
        }
    }
    let entry = place
        .kinds
        .iter()
        .find_map(|kind| exported(&places.kinds[*kind].export_names).map(|name| (*kind, &places.kinds[*kind], name)));
    if let Some((kind, layout, name)) = entry {
        let claimed_type = claimed_type(module, layout, &name);
        let claims_add_on = layout.add_on_export_names.contains(&name);
        return Class::Entry { kind, claimed_type, claims_add_on, failure };
    }
    problems.extend(failure.map(|failure| unreadable_helper(path, &failure)));
    Class::Helper
}

pub(in super::super) fn claimed_type(module: &ParsedModule, layout: &KindLayout, export: &str) -> Option<TypeName> {
    let literal = module
        .literals
        .iter()
        .find(|literal| literal.export == export && literal.key.as_str() == layout.type_key.as_ref())?;
    (layout.normalise)(&literal.value).ok()
}

fn wrong_kind(path: &str, name: &str, places: &Places, place: &Place, other: usize) -> Problem {
    let layout = &places.kinds[other];
    let kind = &layout.kind;
    let (message, advice) = if place.kinds.is_empty() {
        (
            format!("the file exports `{name}`, which makes it a {kind}, and the manifest around it does not list it"),
            format!("list it in the manifest under `{}`", layout.directory),
        )
    } else {
        (
            format!("the file exports `{name}`, which makes it a {kind}, in a directory of another kind"),
            format!("move it below {}", places.directory(place, other)),
        )
    };
    Problem::warning(Code::WRONG_KIND, path.to_owned(), message).advise(advice)
}

fn unreadable_helper(path: &str, failure: &ReadFailure) -> Problem {
    Problem::warning(failure.code(), path.to_owned(), format!("the file cannot be read: {}", failure.message))
}
