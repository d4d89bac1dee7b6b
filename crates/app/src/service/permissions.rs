//! What a type would have to be granted.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    permission::Grantee,
    permission_use::{MissingGrants, PermissionUse},
    source::Kind,
    type_name::TypeName,
};

use super::{base::Service, error::ServiceError};
use crate::{builtin, method::model_kind, types::NotReady};

/// What the code of a type asks for, and what of it is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionAdvice {
    /// The type.
    pub type_name: TypeName,
    /// What its code asks for, as far as its text says so; add-ons included.
    pub uses: BTreeSet<PermissionUse>,
    /// What of it is not granted.
    pub missing: MissingGrants,
}

/// Why nothing can be said of a type.
#[derive(Debug, thiserror::Error)]
pub enum PermissionAdviceError {
    /// It is not ready, so that there is no code to look at.
    #[error("{}", .0.headline())]
    NotReady(Box<NotReady>),
    /// This service does not look at code.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// The type of this kind that a text names, as the kind writes its types; `None` if it can be none.
    #[must_use]
    pub fn type_name(&self, kind: &Kind, text: &str) -> Option<TypeName> {
        let layout = self.scanner.loaders().get(kind)?.layout();
        (layout.normalise)(text).ok()
    }

    /// The kind that is meant where somebody only names a type: a model, unless only types of another kind have the name.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn usual_kind(&self, text: &str) -> Result<Kind, ServiceError> {
        let index = self.types().await?;
        let models = model_kind();
        let named = |kind: &Kind| self.type_name(kind, text).is_some_and(|name| index.kinds_of(&name).contains(kind));
        if named(&models) {
            return Ok(models);
        }
        let kinds = self.scanner.loaders().rule_versions().into_keys();
        Ok(kinds.into_iter().find(named).unwrap_or(models))
    }

    /// What a type asks for and is not granted, by the text of its code. One that comes with the program asks for nothing. The type is built if it has to be; nothing of it
    /// runs.
    ///
    /// # Errors
    /// [`PermissionAdviceError`].
    pub async fn permission_advice(
        &self,
        kind: &Kind,
        type_name: &TypeName,
    ) -> Result<PermissionAdvice, PermissionAdviceError> {
        let finder =
            self.options.permission_uses.as_ref().ok_or(ServiceError::Without("a look at what code asks for"))?;
        if *kind == model_kind() && builtin::model(type_name).is_some() {
            let (uses, missing) = (BTreeSet::new(), MissingGrants::default());
            return Ok(PermissionAdvice { type_name: type_name.clone(), uses, missing });
        }
        let ready =
            self.ready(kind, type_name).await.map_err(|error| PermissionAdviceError::NotReady(Box::new(error)))?;
        let bundles = ready.add_ons.iter().map(|add_on| &add_on.bundle).chain([&ready.bundle]);
        let uses: BTreeSet<PermissionUse> = bundles.flat_map(|bundle| finder.of(&bundle.code)).collect();
        let grants = self.permissions.load().of(type_name.as_str(), &ready.row.extension.name).cloned();
        let grantee = Grantee {
            name: type_name.to_string(),
            root: ready.row.source.root.clone(),
            grants: grants.unwrap_or_default(),
            variables: BTreeMap::new(),
        };
        let missing = MissingGrants::of(&grantee, &uses);
        Ok(PermissionAdvice { type_name: type_name.clone(), uses, missing })
    }
}
