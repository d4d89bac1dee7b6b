//! The types that the catalog has, for validation.

use std::{collections::HashMap, sync::Arc};

use mangrove_domain::{
    advice::Advice, description::Description, index::TypeIndex, ports::Catalog, source::Kind, type_name::TypeName,
};

use super::catalogue::{Claim, TypeCatalogue};
use crate::{
    attachment, builtin,
    method::model_kind,
    scan,
    types::{NotReady, Unclaimed},
};

/// What is known of a type that no row claims.
type UnclaimedTypes = dyn Fn(&Kind, &TypeName) -> Unclaimed + Send + Sync;

/// What the catalog says of types, and of those that it does not know, the disk.
pub struct CatalogTypes {
    index: Arc<TypeIndex>,
    descriptions: HashMap<(Kind, TypeName), Arc<Description>>,
    unclaimed: Box<UnclaimedTypes>,
}

impl CatalogTypes {
    /// The types of a snapshot, with their add-ons. `unclaimed` says what a look at the disk knows of a type that nothing
    /// in the snapshot claims.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn of(
        catalog: &dyn Catalog,
        index: Arc<TypeIndex>,
        unclaimed: impl Fn(&Kind, &TypeName) -> Unclaimed + Send + Sync + 'static,
    ) -> Result<Self, scan::Error> {
        let mut descriptions = HashMap::new();
        for row in index.rows().filter(|row| row.is_resolvable()) {
            if let Some(composed) =
                attachment::compose(catalog, &index, row).await.map_err(scan::Error::reading_catalog)?
            {
                let description = composed.attachment.description;
                descriptions.insert((row.kind.clone(), description.type_name.clone()), Arc::new(description));
            }
        }
        Ok(Self { index, descriptions, unclaimed: Box::new(unclaimed) })
    }
}

impl TypeCatalogue for CatalogTypes {
    fn describe(&self, kind: &Kind, name: &TypeName) -> Option<Arc<Description>> {
        built_in(kind, name).cloned().or_else(|| self.descriptions.get(&(kind.clone(), name.clone())).cloned())
    }

    fn names(&self, kind: &Kind) -> Vec<TypeName> {
        let resolvable = self.index.rows().filter(|row| row.kind == *kind && row.is_resolvable());
        let built_in = builtin::types().iter().filter(|_| *kind == model_kind());
        let built_in = built_in.map(|description| description.type_name.clone());
        resolvable.filter_map(|row| row.type_name().cloned()).chain(built_in).collect()
    }

    fn claim(&self, kind: &Kind, name: &TypeName) -> Option<Claim> {
        if let Some(reason) = builtin::not_served(name) {
            let advice = Advice::from("take it out: nothing here needs it".to_owned());
            return Some(Claim { reason, advice, is_unscanned: false });
        }
        let not_ready = NotReady::explain(&self.index, Some(kind), name, (self.unclaimed)(kind, name), None);
        let Unclaimed { unscanned, unobservable, .. } = &not_ready.unclaimed;
        let is_known = !not_ready.claimed_by.is_empty() || !unscanned.is_empty() || !unobservable.is_empty();
        is_known.then(|| Claim {
            reason: not_ready.reason(),
            advice: not_ready.advice(),
            is_unscanned: not_ready.claimed_by.is_empty() && !unscanned.is_empty(),
        })
    }
}

/// Types that were made ready for a run. What is not among them may be anything.
pub(crate) struct ReadyTypes(Vec<Arc<Description>>);

impl ReadyTypes {
    pub(crate) fn of(descriptions: Vec<Arc<Description>>) -> Self {
        Self(descriptions)
    }
}

impl TypeCatalogue for ReadyTypes {
    fn describe(&self, kind: &Kind, name: &TypeName) -> Option<Arc<Description>> {
        let ready = || self.0.iter().find(|ready| ready.type_name == *name && *kind == model_kind());
        built_in(kind, name).or_else(ready).cloned()
    }

    fn names(&self, kind: &Kind) -> Vec<TypeName> {
        let ready = self.0.iter().filter(|_| *kind == model_kind());
        ready.map(|description| description.type_name.clone()).collect()
    }

    fn claim(&self, _kind: &Kind, _name: &TypeName) -> Option<Claim> {
        None
    }
}

/// The type of this name that comes with the program.
fn built_in(kind: &Kind, name: &TypeName) -> Option<&'static Arc<Description>> {
    builtin::model(name).filter(|_| *kind == model_kind())
}
