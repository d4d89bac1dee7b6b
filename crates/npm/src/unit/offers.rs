//! What can be imported by name from the entries of a unit.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    nearest::nearest,
    package::{Offer, WideOffer},
    problem::Code,
};

use super::draft::Draft;
use crate::vendor::EntryNames;

/// The offers of a unit, from bare specifier to what can be imported of it by name.
pub(super) type Offers = BTreeMap<String, Arc<Offer>>;

/// How many units are remembered.
const REMEMBERED: usize = 256;

/// The offers of the latest units, so that thousands of sources that import one package share them. A draft and what became of
/// it in the store say what a unit offers: what it hands on is in the names of the files that it imports.
#[derive(Debug, Default)]
pub(super) struct LatestOffers(Mutex<VecDeque<Known>>);

/// What one unit offers.
#[derive(Debug)]
struct Known {
    draft: Digest,
    object: Digest,
    offers: Arc<Offers>,
}

impl LatestOffers {
    /// The offers of the unit that was made of this draft and is this object.
    pub(super) fn get_or_make(&self, draft: Digest, object: Digest, make: impl FnOnce() -> Offers) -> Arc<Offers> {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = latest.iter().find(|known| known.draft == draft && known.object == object) {
            return Arc::clone(&known.offers);
        }
        let offers = Arc::new(make());
        if latest.len() == REMEMBERED {
            latest.pop_front();
        }
        latest.push_back(Known { draft, object, offers: Arc::clone(&offers) });
        offers
    }
}

/// The offers of a unit. `place` gives what is imported for a file of it, `handed_on` what another unit offers.
pub(super) fn of<'u>(
    package: &str,
    names: &BTreeMap<String, EntryNames>,
    place: impl Fn(&str) -> String,
    handed_on: impl Fn(&str) -> Option<&'u Arc<Offer>>,
) -> Offers {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_share_what_a_unit_offers_and_only_that() {
        let latest = LatestOffers::default();
        let [draft, object, other] = [b"draft", b"object".as_slice(), b"other"].map(Digest::of);
        let made = |name: &str| Offers::from([(name.to_owned(), Arc::new(Offer::default()))]);
        let first = latest.get_or_make(draft, object, || made("zod"));
        assert!(Arc::ptr_eq(&first, &latest.get_or_make(draft, object, || made("never made"))));
        assert_eq!(*latest.get_or_make(draft, other, || made("another object")), made("another object"));
        assert_eq!(*latest.get_or_make(other, object, || made("another draft")), made("another draft"));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let latest = LatestOffers::default();
        let key = |number: usize| Digest::of(&number.to_le_bytes());
        let first = latest.get_or_make(key(0), key(0), Offers::new);
        for number in 1..=REMEMBERED {
            let _ = latest.get_or_make(key(number), key(0), Offers::new);
        }
        assert!(!Arc::ptr_eq(&first, &latest.get_or_make(key(0), key(0), Offers::new)));
    }
}
