//! What can be imported by name from the entries of a unit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    failure::Fault,
    nearest::nearest,
    package::{Offer, WideOffer},
    problem::Code,
};

use super::draft::Draft;
use crate::vendor::EntryNames;

/// The offers of a unit. `place` gives what is imported for a file of it, `handed_on` what another unit offers.
pub(super) fn of<'u>(
    package: &str,
    names: &BTreeMap<String, EntryNames>,
    place: impl Fn(&str) -> String,
    handed_on: impl Fn(&str) -> Option<&'u Arc<Offer>>,
) -> BTreeMap<String, Arc<Offer>> {
    let offer = |entry: &EntryNames| {
        let mut offer = Offer {
            package: package.to_owned(),
            names: entry.exports.clone(),
            is_open: entry.is_open,
            wide: entry.wide.as_ref().map(|(file, names)| WideOffer { import: place(file), names: names.clone() }),
        };
        for specifier in &entry.handed_on {
            match handed_on(specifier) {
                Some(other) => {
                    offer.names.extend(other.names.iter().filter(|name| *name != "default").cloned());
                    offer.is_open |= other.is_open;
                }
                None => offer.is_open = true,
            }
        }
        Arc::new(offer)
    };
    names.iter().map(|(specifier, entry)| (specifier.clone(), offer(entry))).collect()
}

/// Refuses a unit that imports a name of another one which that one does not offer.
pub(super) fn check(draft: &Draft, specifier: &str, offer: Option<&Offer>) -> Result<(), Fault> {
    let Some(offer) = offer.filter(|offer| !offer.is_open) else { return Ok(()) };
    let none = BTreeSet::new();
    let imported = draft.imported_names.get(specifier).unwrap_or(&none);
    let Some(missing) = imported.difference(&offer.names).next() else { return Ok(()) };
    let package = &draft.request.tree.root;
    let near = nearest(missing, offer.names.iter().map(String::as_str), 1);
    let near = near.first().map_or_else(String::new, |near| format!(" (it exports `{near}`)"));
    let message = format!(
        "the package {package} imports `{missing}` from `{specifier}`, and {} exports no such name{near}: these two \
         versions do not fit together; ask for another version of one of them",
        offer.package
    );
    Err(Fault::deterministic(Code::MISSING_EXPORT, format!("package:{package}"), message))
}
