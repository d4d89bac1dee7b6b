//! Asking for a type that is ready to run.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{
    description::Description, failure::Failure, index::TypeIndex, ports::LoadedBundle, row::Row, source::Kind,
    state::State, type_name::TypeName,
};

/// Gives out types. A request for a type that failed triggers one shared attempt then and there.
#[async_trait]
pub trait Types: Send + Sync {
    /// The type, ready to run.
    async fn ready(&self, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady>;
}

/// A type that can run.
#[derive(Clone, Debug)]
pub struct ReadyType {
    /// The row that resolves it.
    pub row: Arc<Row>,
    /// What it offers, add-ons included.
    pub description: Arc<Description>,
    /// The verified code of the row itself.
    pub bundle: LoadedBundle,
    /// The add-ons that brought methods, with their verified code.
    pub add_ons: Vec<ReadyAddOn>,
    /// Why add-ons of the same snapshot are left out, a sentence each.
    pub left_out: Vec<String>,
}

/// An add-on that can run.
#[derive(Clone, Debug)]
pub struct ReadyAddOn {
    /// Its row.
    pub row: Arc<Row>,
    /// Its verified code.
    pub bundle: LoadedBundle,
    /// The methods that it brought, with the index of the record of its list in which each stands.
    pub methods: BTreeMap<String, usize>,
}

/// Where the code of a method lies.
#[derive(Clone, Debug)]
pub struct MethodCode<'a> {
    /// The row whose bundle has it: the type's own, or an add-on's.
    pub row: &'a Arc<Row>,
    /// That bundle.
    pub bundle: &'a LoadedBundle,
    /// The export to call into.
    pub export_name: &'static str,
    /// Where the method stands below that export.
    pub path: Vec<String>,
}

impl ReadyType {
    /// Where the code of a method of a model lies. A name that no add-on brought is taken for the model's own.
    #[must_use]
    pub fn code(&self, method: &str) -> MethodCode<'_> {
        let added = self.add_ons.iter().find_map(|add_on| Some((add_on, add_on.methods.get(method)?)));
        match added {
            Some((ReadyAddOn { row, bundle, .. }, record)) => MethodCode {
                row,
                bundle,
                export_name: "extension",
                path: vec!["methods".to_owned(), record.to_string(), method.to_owned()],
            },
            None => MethodCode {
                row: &self.row,
                bundle: &self.bundle,
                export_name: "model",
                path: vec!["methods".to_owned(), method.to_owned()],
            },
        }
    }
}

/// Why a type cannot run.
#[derive(Clone, Debug, PartialEq)]
pub struct NotReady {
    /// The kind that was asked for.
    pub kind: Kind,
    /// The type that was asked for.
    pub type_name: TypeName,
    /// The rows that claim it, in order of precedence.
    pub claimed_by: Vec<Arc<Row>>,
    /// The failure of the first of them that has one.
    pub failure: Option<Failure>,
    /// The nearest known names, nearest first; empty if something claims the type.
    pub nearest: Vec<TypeName>,
    /// What else went wrong on the way, such as a damaged store.
    pub remark: Option<String>,
}

impl NotReady {
    /// What the published snapshot knows of a type that does not resolve.
    #[must_use]
    pub fn explain(index: &TypeIndex, kind: &Kind, type_name: &TypeName, remark: Option<String>) -> Self {
        let claimed_by = index.claimants(kind, type_name);
        let failure = claimed_by.iter().find_map(|row| row.failure().cloned());
        let nearest = if claimed_by.is_empty() { index.nearest(kind, type_name) } else { Vec::new() };
        Self { kind: kind.clone(), type_name: type_name.clone(), claimed_by, failure, nearest, remark }
    }

    /// What is the matter, in a few words: ``unknown model type `@acme/dns` ``.
    #[must_use]
    pub fn headline(&self) -> String {
        format!("unknown {} type `{}`", self.kind, self.type_name)
    }

    /// Why, a sentence each, without times: they change while somebody reads.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.claimed_by.iter().map(|row| claim(row)).collect();
        if reasons.is_empty() {
            let names: Vec<String> = self.nearest.iter().take(3).map(|name| format!("`{name}`")).collect();
            reasons.push("nothing claims it".to_owned());
            if !names.is_empty() {
                reasons.push(format!("did you mean {}?", names.join(" or ")));
            }
        }
        reasons.extend(self.remark.clone());
        reasons
    }
}

/// What a row that claims a type says of itself: the latest message of its failure, and the first where that says
/// something else (fault 43).
pub(crate) fn claim(row: &Row) -> String {
    let Some(failure) = row.failure() else {
        return match &row.state {
            State::ValidationFailed { violations, .. } => {
                let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
                format!("{} claims it, but its export was rejected: {}", row.source, violations.join("; "))
            }
            state => format!("{} claims it, and is {}", row.source, state.name()),
        };
    };
    let attempts =
        if failure.attempts == 1 { "1 attempt".to_owned() } else { format!("{} attempts", failure.attempts) };
    let source = &row.source;
    let mut text = format!("{source} claims it, but its last build failed ({attempts}): {}", failure.latest_message);
    if failure.first_message != failure.latest_message {
        text = format!("{text}; the first one: {}", failure.first_message);
    }
    text
}
