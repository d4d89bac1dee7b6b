//! Looking types up in the catalog, without building anything.

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{
    description::Description,
    index::TypeIndex,
    observation::DiskView,
    plan,
    ports::Names,
    row::Row,
    source::{Kind, SourceId},
    type_name::TypeName,
};

use crate::{
    attachment::{self, Composed},
    builtin,
    method::model_kind,
    scan::{self, ScanRequest, Scanner},
    types::{Departed, NotReady, Unclaimed},
};

/// What a name turned out to be.
#[derive(Debug)]
pub enum Lookup {
    /// One type, with its add-ons.
    Found(Box<Composed>),
    /// A model type that comes with the program.
    BuiltIn(&'static Arc<Description>),
    /// A type of each of these kinds; one of them has to be named.
    Ambiguous(Vec<Kind>),
    /// No type that resolves.
    Unknown(Box<NotReady>),
    /// Nothing that could be the name of a type. With the names that are near, and their kinds.
    NoName(Vec<(Kind, TypeName)>),
}

/// The type that `text` names: of this kind, or of whatever kind has one. Where none resolves, those that claim it
/// count, and where none claims it, the disk is looked at for what the catalog does not know.
///
/// Only the rows of that name are read, and all of them where there are none.
///
/// # Errors
/// The catalog cannot be read.
pub async fn find(scanner: &Scanner, text: &str, kind: Option<&Kind>) -> Result<Lookup, scan::Error> {
    if let Some(description) = built_in(text, kind) {
        return Ok(Lookup::BuiltIn(description));
    }
    let names = names(scanner, text, kind);
    if !names.is_empty() {
        let types = names.iter().map(|(_, name)| name.clone()).collect();
        let asked = Names { types, ..Names::default() };
        let view = scanner.ports().catalog.rows_named(&asked).await.map_err(scan::Error::reading_catalog)?;
        let index = TypeIndex::build(view.rows.into_iter().map(Arc::new));
        if let Some(found) = find_known(scanner, &index, &names).await? {
            return Ok(found);
        }
    }
    let index = scanner.load().await?;
    find_in(scanner, &index, text, kind).await
}

/// As [`find`], in this snapshot.
///
/// # Errors
/// The catalog cannot be read.
pub async fn find_in(
    scanner: &Scanner,
    index: &TypeIndex,
    text: &str,
    kind: Option<&Kind>,
) -> Result<Lookup, scan::Error> {
    if let Some(description) = built_in(text, kind) {
        return Ok(Lookup::BuiltIn(description));
    }
    let names = names(scanner, text, kind);
    if names.is_empty() {
        return Ok(Lookup::NoName(index.nearest_of_all(text)));
    }
    if let Some(found) = find_known(scanner, index, &names).await? {
        return Ok(found);
    }
    let (mut unclaimed, remark) = match scanner.look(&ScanRequest::dry_run()).await {
        Ok(observed) => (unclaimed(&names, &observed.disk, &observed.catalog.rows), None),
        Err(error) => (Unclaimed::default(), Some(format!("the sources cannot be read: {error}"))),
    };
    for (kind, name) in &names {
        unclaimed.departed.extend(Departed::of(scanner.ports().catalog.as_ref(), kind, name).await);
    }
    let name = match (kind, names.as_slice()) {
        (Some(_), [(_, name), ..]) => name.clone(),
        (None | Some(_), _) => TypeName::stored(text),
    };
    Ok(Lookup::Unknown(Box::new(NotReady::explain(index, kind, &name, unclaimed, remark))))
}

fn built_in(text: &str, kind: Option<&Kind>) -> Option<&'static Arc<Description>> {
    let is_model = kind.is_none_or(|kind| *kind == model_kind());
    TypeName::model(text).ok().as_ref().filter(|_| is_model).and_then(builtin::model)
}

/// What a text may name: of this kind, or of every kind.
fn names(scanner: &Scanner, text: &str, kind: Option<&Kind>) -> Vec<(Kind, TypeName)> {
    let layouts = scanner.loaders().layouts();
    let wanted = layouts.iter().filter(|layout| kind.is_none_or(|kind| *kind == layout.kind));
    wanted.filter_map(|layout| Some((layout.kind.clone(), (layout.normalise)(text).ok()?))).collect()
}

/// What rows say that have or claim one of these names; `None` if there are none. No other row makes a difference.
async fn find_known(
    scanner: &Scanner,
    index: &TypeIndex,
    names: &[(Kind, TypeName)],
) -> Result<Option<Lookup>, scan::Error> {
    let known = |is_known: &dyn Fn(&Kind, &TypeName) -> bool| -> Vec<(Kind, TypeName)> {
        names.iter().filter(|(kind, name)| is_known(kind, name)).cloned().collect()
    };
    let mut candidates = known(&|kind, name| index.resolve(kind, name).is_some());
    if candidates.is_empty() {
        candidates = known(&|kind, name| !index.claimants(kind, name).is_empty());
    }
    match candidates.as_slice() {
        [] => {
            for (kind, name) in names {
                if let Some(found) = waiting(scanner, index, kind, name).await? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        [(kind, name)] => Ok(Some(describe(scanner, index, kind, name).await?)),
        several => Ok(Some(Lookup::Ambiguous(several.iter().map(|(kind, _)| kind.clone()).collect()))),
    }
}

async fn describe(scanner: &Scanner, index: &TypeIndex, kind: &Kind, name: &TypeName) -> Result<Lookup, scan::Error> {
    let Some(row) = index.resolve(kind, name) else {
        let not_ready = NotReady::explain(index, Some(kind), name, Unclaimed::default(), None);
        return Ok(Lookup::Unknown(Box::new(not_ready)));
    };
    let catalog = scanner.ports().catalog.as_ref();
    let composed = attachment::compose(catalog, index, row).await.map_err(scan::Error::reading_catalog)?;
    let Some(composed) = composed else {
        let problem = row.undescribed();
        let not_ready = NotReady::explain(index, Some(kind), name, Unclaimed::default(), Some(problem.message));
        return Ok(Lookup::Unknown(Box::new(NotReady { advice: problem.advice, ..not_ready })));
    };
    Ok(Lookup::Found(Box::new(composed)))
}

/// What add-ons bring to a type that nobody defines yet.
async fn waiting(
    scanner: &Scanner,
    index: &TypeIndex,
    kind: &Kind,
    name: &TypeName,
) -> Result<Option<Lookup>, scan::Error> {
    let add_ons = index.add_ons(kind, name);
    let Some((first, others)) = add_ons.split_first() else { return Ok(None) };
    let catalog = scanner.ports().catalog.as_ref();
    let composed =
        attachment::compose_of(catalog, first, others.to_vec()).await.map_err(scan::Error::reading_catalog)?;
    Ok(composed.map(|mut composed| {
        let note =
            format!("an add-on that waits for the {kind} type {name}: nothing of it runs before a source defines that");
        composed.attachment.description.notes.insert(0, note);
        Lookup::Found(Box::new(composed))
    }))
}

/// What the disk says of names that no row claims.
pub(crate) fn unclaimed(names: &[(Kind, TypeName)], disk: &DiskView, rows: &[Row]) -> Unclaimed {
    let rows: BTreeSet<&SourceId> = rows.iter().map(|row| &row.source).collect();
    let claims = disk.observations.iter().filter(|seen| {
        let claimed = |(kind, name): &(Kind, TypeName)| *kind == seen.kind && Some(name) == seen.claimed_type.as_ref();
        !seen.claims_add_on && !rows.contains(&seen.source) && names.iter().any(claimed)
    });
    let unscanned: BTreeSet<&SourceId> = claims.map(|seen| &seen.source).collect();
    let unscanned = unscanned.into_iter().cloned().collect();
    Unclaimed { unscanned, unobservable: plan::unobservable(disk), ..Unclaimed::default() }
}
