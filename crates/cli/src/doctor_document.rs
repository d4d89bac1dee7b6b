//! What `doctor --json` prints; its schema is `design/schemas/doctor.json`.

use std::collections::BTreeMap;

use mangrove_app::{
    doctor::{Diagnosis, Duplicate, Need, repair::Repair},
    health::Summary,
};
use mangrove_domain::{
    drift::Drift,
    permission::{Grant, Grants, Permission},
    plan::{Action, Step},
    source::SourceId,
};
use serde::Serialize;

use crate::documents::ProblemDocument;

/// The JSON Schema of [`DoctorDocument`].
pub(crate) const SCHEMA: &str = include_str!("../../../design/schemas/doctor.json");

/// The whole report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoctorDocument {
    schema: &'static str,
    healthy: bool,
    kinds: BTreeMap<String, KindDocument>,
    problems: Vec<ProblemDocument>,
    duplicates: Vec<DuplicateDocument>,
    orphans: Vec<String>,
    waiting_add_ons: Vec<String>,
    withheld_removals: Vec<String>,
    lockfile: LockfileDocument,
    documents: Option<DocumentsDocument>,
    permissions: Vec<NeedDocument>,
    store: StoreDocument,
    pending_sources: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<RepairDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KindDocument {
    healthy: bool,
    states: BTreeMap<&'static str, u64>,
    degraded: u64,
    shadowed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DuplicateDocument {
    kind: String,
    #[serde(rename = "type")]
    type_name: String,
    resolved_by: Option<String>,
    blocked_by: Option<String>,
    shadow_fallback: bool,
    conflict: bool,
    claimants: Vec<ClaimantDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClaimantDocument {
    path: String,
    origin: &'static str,
    state: &'static str,
    shadowed_by: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LockfileDocument {
    drift: Vec<DriftDocument>,
    not_locked: Vec<String>,
}

#[derive(Serialize)]
struct DocumentsDocument {
    definitions: u64,
    workflows: u64,
    broken: Vec<String>,
}

#[derive(Serialize)]
struct DriftDocument {
    extension: String,
    path: Option<String>,
    difference: &'static str,
}

#[derive(Serialize)]
struct NeedDocument {
    path: String,
    kind: String,
    #[serde(rename = "type")]
    type_name: String,
    requires: Vec<String>,
    /// By permission: true for everything, else the list.
    granted: Option<BTreeMap<&'static str, serde_json::Value>>,
    missing: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoreDocument {
    damaged_objects: u64,
    unreferenced_objects: u64,
    unreferenced_bytes: u64,
    sweepable_objects: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepairDocument {
    applied: bool,
    actions: Vec<ActionDocument>,
}

/// One thing that a repair does.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActionDocument {
    /// `remove-row`, `rebuild-bundle`, `inspect-bundle`, `delete-object` or `delete-leftovers`.
    pub(crate) action: &'static str,
    /// A source, an object of the store, or a directory.
    pub(crate) subject: String,
    pub(crate) reason: String,
}

impl DoctorDocument {
    pub(crate) fn new(diagnosis: &Diagnosis, repair: Option<(&Repair, bool)>) -> Self {
        let names = |sources: &[SourceId]| sources.iter().map(ToString::to_string).collect();
        Self {
            schema: "mangrove.doctor/1",
            healthy: diagnosis.is_healthy(),
            kinds: diagnosis.kinds.iter().map(|(name, health)| (name.to_string(), health.into())).collect(),
            problems: diagnosis
                .problems
                .iter()
                .map(|problem| ProblemDocument::from(problem).of_type(diagnosis.types.get(&problem.subject)))
                .collect(),
            duplicates: diagnosis.duplicates.iter().map(DuplicateDocument::from).collect(),
            orphans: names(&diagnosis.orphans),
            waiting_add_ons: names(&diagnosis.waiting),
            withheld_removals: names(&diagnosis.withheld),
            lockfile: LockfileDocument {
                drift: diagnosis.drift.iter().map(DriftDocument::from).collect(),
                not_locked: diagnosis.unlocked.clone(),
            },
            documents: diagnosis.documents.as_ref().map(|health| DocumentsDocument {
                definitions: health.definitions,
                workflows: health.workflows,
                broken: health.broken.clone(),
            }),
            permissions: diagnosis.needs.iter().map(NeedDocument::from).collect(),
            store: StoreDocument {
                damaged_objects: diagnosis.damaged.len() as u64,
                unreferenced_objects: diagnosis.unreferenced.len() as u64,
                unreferenced_bytes: diagnosis.unreferenced.iter().map(|object| object.size_bytes).sum(),
                sweepable_objects: diagnosis.sweepable.len() as u64,
            },
            pending_sources: diagnosis.pending,
            repair: repair.map(|(repair, applied)| RepairDocument { applied, actions: actions(repair) }),
        }
    }
}

impl From<&Summary> for KindDocument {
    fn from(health: &Summary) -> Self {
        Self {
            healthy: health.is_healthy(),
            states: health.states.iter().map(|(state, count)| (state.as_str(), *count)).collect(),
            degraded: health.degraded,
            shadowed: health.shadowed,
        }
    }
}

impl From<&Duplicate> for DuplicateDocument {
    fn from(duplicate: &Duplicate) -> Self {
        let name = |source: &Option<SourceId>| source.as_ref().map(ToString::to_string);
        Self {
            kind: duplicate.kind.to_string(),
            type_name: duplicate.type_name.to_string(),
            resolved_by: name(&duplicate.winner),
            blocked_by: name(&duplicate.blocked_by),
            shadow_fallback: duplicate.is_fallback,
            conflict: duplicate.is_conflict,
            claimants: duplicate
                .claimants
                .iter()
                .map(|claimant| ClaimantDocument {
                    path: claimant.source.to_string(),
                    origin: claimant.origin.as_str(),
                    state: claimant.state.as_str(),
                    shadowed_by: name(&claimant.shadowed_by),
                })
                .collect(),
        }
    }
}

impl From<&Drift> for DriftDocument {
    fn from(drift: &Drift) -> Self {
        Self {
            extension: drift.extension.to_string(),
            path: drift.path.as_ref().map(ToString::to_string),
            difference: drift.difference.as_str(),
        }
    }
}

impl From<&Need> for NeedDocument {
    fn from(need: &Need) -> Self {
        let grant = |grant: &Grant| match grant {
            Grant::All => true.into(),
            Grant::Only(names) => names.clone().into(),
        };
        let grants =
            |grants: &Grants| grants.iter().map(|(permission, value)| (permission.as_str(), grant(value))).collect();
        Self {
            path: need.source.to_string(),
            kind: need.kind.to_string(),
            type_name: need.type_name.to_string(),
            requires: need.requirements.clone(),
            granted: need.granted.as_ref().map(grants),
            missing: need.missing.iter().copied().map(Permission::as_str).collect(),
        }
    }
}

/// A repair, thing by thing.
pub(crate) fn actions(repair: &Repair) -> Vec<ActionDocument> {
    let action = |action, subject: String, reason: &str| ActionDocument { action, subject, reason: reason.to_owned() };
    let mut actions: Vec<ActionDocument> = repair.steps.iter().map(of_step).collect();
    actions.extend(repair.unreadable.iter().map(|source| {
        action("remove-row", source.to_string(), "the catalog cannot read it, and its source is not there")
    }));
    actions
        .extend(repair.objects.iter().map(|object| action("delete-object", object.key.to_string(), "no row needs it")));
    if repair.leftovers > 0 {
        let reason = format!("{} of interrupted writes", repair.leftovers);
        actions.push(action("delete-leftovers", "bundles".to_owned(), &reason));
    }
    actions
}

fn of_step(step: &Step) -> ActionDocument {
    let action = match step.action {
        Action::Tombstone(_) => "remove-row",
        Action::Inspect | Action::Adopt => "inspect-bundle",
        Action::Build
        | Action::Keep
        | Action::Recover
        | Action::Degrade(_)
        | Action::MarkUnreadable(_)
        | Action::Orphan
        | Action::Defer { .. } => "rebuild-bundle",
    };
    ActionDocument { action, subject: step.source.to_string(), reason: step.verdict.to_string() }
}
