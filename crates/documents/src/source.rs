//! Sources: what became of them, and why.

use mangrove_app::why::{Answer, Explanation, Helper};
use mangrove_domain::{
    plan::Step,
    row::Row,
    settle::AuditRecord,
    source::{RelativePath, RootId, SourceId},
    state::{State, StateName},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    built_in::BuiltInDocument,
    failure::FailureDocument,
    moment::Moment,
    problem::{ProblemDocument, problems},
};

/// A bundle that was not built here, but shipped by the extension of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShippedDocument {
    /// SHA-256 of the bundle.
    pub digest: String,
    /// The pull that brought it.
    pub pull: String,
    /// Why it could not be built here: the imports that nothing maps.
    pub unmapped: Vec<String>,
}

impl ShippedDocument {
    /// `None` if the row's bundle was built here, or if it has none.
    #[must_use]
    pub fn of(row: &Row) -> Option<Self> {
        let digest = row.shipped_bundle()?.to_string();
        let acceptance = row.shipped.as_ref()?;
        Some(Self { digest, pull: acceptance.pull.to_string(), unmapped: acceptance.unmapped.clone() })
    }
}

/// One source in `scan` and `why`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceDocument {
    /// The root that it lies in: `local`, `mount:…`, `pulled:…`.
    pub root: String,
    /// Its path below that root.
    pub path: String,
    /// `local`, `mounted` or `pulled`; `null` if the catalog does not have it yet, as everything else that is `null`.
    pub origin: Option<String>,
    /// The extension that it belongs to.
    pub extension: Option<String>,
    /// `model`, `vault`, `driver`, `report`, or a further kind.
    pub kind: Option<String>,
    /// The type that it has; `null` if it is not indexed.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// The type that its text claims.
    pub claimed_type: Option<String>,
    /// `Indexed`, `BundleBuildFailed`, ….
    pub state: Option<String>,
    /// What the rules say of it: `fresh`, or why not, in one word. Left out where nobody looked at the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The verdict as a sentence. Left out where nobody looked at the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// True if it runs on its last good bundle, because its newest text could not be built.
    pub degraded: bool,
    /// The source that resolves the type instead.
    pub shadowed_by: Option<String>,
    /// Why its export was rejected.
    pub violations: Vec<String>,
    /// Why it failed, or is degraded.
    pub failure: Option<FailureDocument>,
    /// `null` if its bundle was built here.
    pub shipped: Option<ShippedDocument>,
}

impl SourceDocument {
    /// A source with what the rules say of it and, if the catalog has it, its row.
    #[must_use]
    pub fn new(step: &Step, row: Option<&Row>) -> Self {
        let verdict = Some(step.verdict.name().to_owned());
        Self { verdict, reason: Some(step.verdict.to_string()), ..Self::of(&step.source, row) }
    }

    /// A source as the catalog has it, without a look at the disk.
    #[must_use]
    pub fn of_row(row: &Row) -> Self {
        Self::of(&row.source, Some(row))
    }

    fn of(source: &SourceId, row: Option<&Row>) -> Self {
        let violations = match row.map(|row| &row.state) {
            Some(State::ValidationFailed { violations, .. }) => violations.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        Self {
            root: source.root.to_string(),
            path: source.path.to_string(),
            origin: row.map(|row| row.origin.as_str().to_owned()),
            extension: row.map(|row| row.extension.name.to_string()),
            kind: row.map(|row| row.kind.to_string()),
            type_name: row.and_then(indexed_type),
            claimed_type: row.and_then(|row| row.claimed_type.as_ref()).map(ToString::to_string),
            state: row.map(|row| row.state.name().as_str().to_owned()),
            verdict: None,
            reason: None,
            degraded: row.is_some_and(|row| row.degraded.is_some()),
            shadowed_by: row.and_then(|row| row.shadowed_by.as_ref()).map(SourceId::to_string),
            violations,
            failure: row.and_then(Row::failure).map(FailureDocument::from),
            shipped: row.and_then(ShippedDocument::of),
        }
    }

    /// The source as people name it.
    #[must_use]
    pub fn name(&self) -> String {
        source_name(&self.root, &self.path)
    }
}

/// A source as people name it, from its root and its path.
#[must_use]
pub fn source_name(root: &str, path: &str) -> String {
    let source = RelativePath::parse(path).map(|path| SourceId { root: RootId::new(root), path });
    source.map_or_else(|_| path.to_owned(), |source| source.to_string())
}

/// The type of an indexed row; other rows only claim one.
pub(crate) fn indexed_type(row: &Row) -> Option<String> {
    (row.state.name() == StateName::Indexed).then(|| row.type_name().map(ToString::to_string)).flatten()
}

/// `why --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhyDocument {
    /// `mangrove.why/1`.
    pub schema: String,
    /// What was asked for.
    pub query: String,
    /// The sources that are meant.
    pub sources: Vec<ExplainedDocument>,
    /// The files that are meant and are no sources themselves.
    pub helpers: Vec<HelperDocument>,
    /// The type that comes with the program, if that is meant; left out if not.
    #[serde(default, rename = "builtIn", skip_serializing_if = "Option::is_none")]
    pub built_in: Option<BuiltInDocument>,
}

impl WhyDocument {
    /// The answer to this query.
    #[must_use]
    pub fn new(query: &str, answer: &Answer) -> Self {
        Self {
            schema: "mangrove.why/1".to_owned(),
            query: query.to_owned(),
            sources: answer.explanations.iter().map(ExplainedDocument::from).collect(),
            helpers: answer.helpers.iter().map(HelperDocument::from).collect(),
            built_in: answer.built_in.map(|description| BuiltInDocument::from(description.as_ref())),
        }
    }
}

/// One source with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedDocument {
    /// The source itself.
    #[serde(flatten)]
    pub source: SourceDocument,
    /// True if it adds to its type, and defines no type itself.
    #[serde(default)]
    pub add_on: bool,
    /// What a scan would do, in one word.
    pub next_action: String,
    /// What is to be said of it besides.
    pub remarks: Vec<ProblemDocument>,
    /// Its transitions, oldest first.
    pub history: Vec<HistoryDocument>,
}

impl From<&Explanation> for ExplainedDocument {
    fn from(explanation: &Explanation) -> Self {
        let row = explanation.row.as_deref();
        Self {
            source: SourceDocument::new(&explanation.step, row),
            add_on: row.is_some_and(Row::is_add_on),
            next_action: explanation.step.action.name().to_owned(),
            remarks: problems(&explanation.remarks),
            history: explanation.history.iter().map(HistoryDocument::from).collect(),
        }
    }
}

/// One transition of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryDocument {
    /// When.
    pub at: Moment,
    /// The state before; `null` if it is new.
    pub from: Option<String>,
    /// The state after.
    pub to: String,
    /// Why, in one sentence.
    pub reason: String,
}

impl From<&AuditRecord> for HistoryDocument {
    fn from(record: &AuditRecord) -> Self {
        Self {
            at: record.transition.at.into(),
            from: record.transition.from.map(|state| state.as_str().to_owned()),
            to: record.transition.to.as_str().to_owned(),
            reason: record.transition.reason.clone(),
        }
    }
}

/// A file that goes into bundles and is no source itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelperDocument {
    /// The root that it lies in.
    pub root: String,
    /// Its path below that root.
    pub path: String,
    /// The export names that would make it a source.
    #[serde(default)]
    pub export_names: Vec<String>,
    /// The sources whose bundles it goes into.
    pub imported_by: Vec<String>,
    /// What is to be said of it besides.
    pub remarks: Vec<ProblemDocument>,
}

impl From<&Helper> for HelperDocument {
    fn from(helper: &Helper) -> Self {
        Self {
            root: helper.source.root.to_string(),
            path: helper.source.path.to_string(),
            export_names: helper.export_names.iter().cloned().collect(),
            imported_by: helper.imported_by.iter().map(ToString::to_string).collect(),
            remarks: problems(&helper.remarks),
        }
    }
}
