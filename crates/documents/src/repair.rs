//! Repairs: what `doctor --repair` does, or would do.

use mangrove_app::doctor::repair::Repair;
use mangrove_domain::plan::{Action, Step};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a repair did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepairDocument {
    /// True if it was done; the rest of the report is then what is left.
    pub applied: bool,
    /// What was done, or would be.
    pub actions: Vec<ActionDocument>,
}

/// One thing that a repair does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionDocument {
    /// `remove-row`, `rebuild-bundle`, `inspect-bundle`, `delete-object` or `delete-leftovers`.
    pub action: String,
    /// A source, an object of the store, or a directory.
    pub subject: String,
    /// Why.
    pub reason: String,
}

/// A repair, thing by thing.
#[must_use]
pub fn repair_actions(repair: &Repair) -> Vec<ActionDocument> {
    let action = |action: &str, subject: String, reason: &str| ActionDocument {
        action: action.to_owned(),
        subject,
        reason: reason.to_owned(),
    };
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
    ActionDocument { action: action.to_owned(), subject: step.source.to_string(), reason: step.verdict.to_string() }
}
