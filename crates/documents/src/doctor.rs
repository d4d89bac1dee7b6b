//! What `doctor --json` prints; its schema is `design/schemas/doctor.json`.

use std::collections::BTreeMap;

use mangrove_app::{
    doctor::{Diagnosis, Duplicate, Need, repair::Repair},
    health::Summary,
};
use mangrove_domain::{drift::Drift, permission::Grants, source::SourceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    api::grant_value,
    problem::ProblemDocument,
    repair::{RepairDocument, repair_actions},
};

/// The JSON Schema of [`DoctorDocument`].
pub const SCHEMA: &str = include_str!("../../../design/schemas/doctor.json");

/// The whole report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorDocument {
    /// `mangrove.doctor/1`.
    pub schema: String,
    /// False if a source does not work on its newest text, or anything else is in error.
    pub healthy: bool,
    /// The health of each kind that has sources, by its name.
    pub kinds: BTreeMap<String, KindDocument>,
    /// Everything that is wrong, worst first.
    pub problems: Vec<ProblemDocument>,
    /// Types that several sources claim.
    pub duplicates: Vec<DuplicateDocument>,
    /// Sources of which only a bundle that was never accepted is left.
    pub orphans: Vec<String>,
    /// Add-ons whose type does not resolve.
    pub waiting_add_ons: Vec<String>,
    /// Sources that a scan would remove and the guardrail keeps.
    pub withheld_removals: Vec<String>,
    /// How pulled extensions differ from the lockfile.
    pub lockfile: LockfileDocument,
    /// Definitions and workflows; what is wrong with them is among the problems. `null` if nobody could look at them.
    pub documents: Option<DocumentsDocument>,
    /// Types that need something. Information only.
    pub permissions: Vec<NeedDocument>,
    /// The bundle store.
    pub store: StoreDocument,
    /// Sources whose next scan would do something.
    pub pending_sources: u64,
    /// What was repaired, or would be; left out if that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<RepairDocument>,
}

/// The health of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KindDocument {
    /// False if a source of it is not healthy.
    pub healthy: bool,
    /// Sources by state; every state is there.
    pub states: BTreeMap<String, u64>,
    /// Sources that run on an earlier bundle.
    pub degraded: u64,
    /// Sources whose type another one resolves.
    pub shadowed: u64,
}

/// A type that several sources claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateDocument {
    /// Its kind.
    pub kind: String,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The source that resolves it; `null` if none does.
    pub resolved_by: Option<String>,
    /// The rejected source that keeps all others from resolving it.
    pub blocked_by: Option<String>,
    /// True if it is resolved only because a source of higher precedence failed.
    pub shadow_fallback: bool,
    /// True if sources of equal origin claim it: somebody has to decide.
    pub conflict: bool,
    /// First in precedence first.
    pub claimants: Vec<ClaimantDocument>,
}

/// A source that claims a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimantDocument {
    /// The source, as people name it.
    pub path: String,
    /// `local`, `mounted` or `pulled`.
    pub origin: String,
    /// `Indexed`, `BundleBuildFailed`, ….
    pub state: String,
    /// The source that resolves the type instead.
    pub shadowed_by: Option<String>,
}

/// How pulled extensions differ from the lockfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LockfileDocument {
    /// Differences between pulled extensions and their entries.
    pub drift: Vec<DriftDocument>,
    /// Directories of pulled extensions that the lockfile does not name.
    pub not_locked: Vec<String>,
}

/// Definitions and workflows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentsDocument {
    /// Definitions that could be read.
    pub definitions: u64,
    /// Workflows that could be read.
    pub workflows: u64,
    /// The files that are in error.
    pub broken: Vec<String>,
}

/// A difference between a pulled extension and its entry in the lockfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DriftDocument {
    /// The extension.
    pub extension: String,
    /// The file, below the extension; `null` if it is about all of it.
    pub path: Option<String>,
    /// In what it differs, in one word.
    pub difference: String,
}

/// A type that needs something of the world outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeedDocument {
    /// Its source, as people name it.
    pub path: String,
    /// Its kind.
    pub kind: String,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What its code uses, such as `fetch` or `node:fs`.
    pub requires: Vec<String>,
    /// The entry of `permissions:` that counts, by permission: true for everything, else the list. `null` if none speaks of it.
    pub granted: Option<BTreeMap<String, Value>>,
    /// Permissions that it can do nothing without and that are not granted.
    pub missing: Vec<String>,
}

/// The bundle store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreDocument {
    /// Where it lies, such as `s3://bucket/prefix`; not there where it lies in the state directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Objects that sources need and that are missing or not what they were.
    pub damaged_objects: u64,
    /// Objects that no source needs.
    pub unreferenced_objects: u64,
    /// The size of those, in bytes.
    pub unreferenced_bytes: u64,
    /// Those among them that are older than the grace period.
    pub sweepable_objects: u64,
}

impl DoctorDocument {
    /// What was found and, with true if it was carried out, what is repaired.
    #[must_use]
    pub fn new(diagnosis: &Diagnosis, repair: Option<(&Repair, bool)>) -> Self {
        let names = |sources: &[SourceId]| sources.iter().map(ToString::to_string).collect();
        Self {
            schema: "mangrove.doctor/1".to_owned(),
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
                place: diagnosis.store_place.clone(),
                damaged_objects: diagnosis.damaged.len() as u64,
                unreferenced_objects: diagnosis.unreferenced.len() as u64,
                unreferenced_bytes: diagnosis.unreferenced.iter().map(|object| object.size_bytes).sum(),
                sweepable_objects: diagnosis.sweepable.len() as u64,
            },
            pending_sources: diagnosis.pending,
            repair: repair.map(|(repair, applied)| RepairDocument { applied, actions: repair_actions(repair) }),
        }
    }
}

impl From<&Summary> for KindDocument {
    fn from(health: &Summary) -> Self {
        Self {
            healthy: health.is_healthy(),
            states: health.states.iter().map(|(state, count)| (state.as_str().to_owned(), *count)).collect(),
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
                    origin: claimant.origin.as_str().to_owned(),
                    state: claimant.state.as_str().to_owned(),
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
            difference: drift.difference.as_str().to_owned(),
        }
    }
}

impl From<&Need> for NeedDocument {
    fn from(need: &Need) -> Self {
        let grants = |grants: &Grants| {
            grants.iter().map(|(permission, value)| (permission.as_str().to_owned(), grant_value(value))).collect()
        };
        Self {
            path: need.source.to_string(),
            kind: need.kind.to_string(),
            type_name: need.type_name.to_string(),
            requires: need.requirements.clone(),
            granted: need.granted.as_ref().map(grants),
            missing: need.missing.iter().map(|permission| permission.as_str().to_owned()).collect(),
        }
    }
}
