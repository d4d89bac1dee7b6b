//! Claims: which row resolves a type that several sources name (`design/claims.md`).
//!
//! Depends on nothing but the rows as they are now: neither on their order nor on who came first (fault 13).

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    problem::{Code, Problem},
    row::Row,
    source::{Kind, SourceId},
    state::StateName,
    type_name::TypeName,
};

/// Who stands behind whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// For each `Indexed` row that does not resolve its type: the row that resolves it instead, or whose rejection
    /// blocks it.
    pub shadowed_by: BTreeMap<SourceId, SourceId>,
    /// The rows that resolve only because a higher one failed and has no good bundle.
    pub fallbacks: BTreeSet<SourceId>,
    /// Conflicts of equal origin, fallbacks, and types that a rejection blocks; sorted by kind and type.
    pub problems: Vec<Problem>,
}

impl Claims {
    /// Writes into `row` what these claims say of it. True if that changed the row.
    pub fn mark(&self, row: &mut Row) -> bool {
        let shadowed_by = self.shadowed_by.get(&row.source);
        let shadow_fallback = self.fallbacks.contains(&row.source);
        let changes = row.shadowed_by.as_ref() != shadowed_by || row.shadow_fallback != shadow_fallback;
        row.shadowed_by = shadowed_by.cloned();
        row.shadow_fallback = shadow_fallback;
        changes
    }
}

/// What a row means for the rows below it in rank.
enum Standing {
    /// It works: it resolves the type.
    Resolves,
    /// Its author's code was rejected: nothing may silently run in its place.
    Blocks,
    /// It failed and has no good bundle: a lower one may stand in.
    Yields,
}

fn standing(row: &Row) -> Standing {
    match row.state.name() {
        StateName::Indexed => Standing::Resolves,
        StateName::ValidationFailed => Standing::Blocks,
        StateName::BundleBuildFailed | StateName::EntryPointUnreadable | StateName::OrphanedBundleOnly => {
            // A rejection is not forgotten because a later build could not be carried out.
            if row.rejected_before.is_empty() { Standing::Yields } else { Standing::Blocks }
        }
        StateName::Bundled | StateName::Tombstoned => Standing::Yields,
    }
}

/// The order of precedence: origin, extension name, path; the root decides where all are equal.
#[must_use]
pub fn precedence(left: &Row, right: &Row) -> Ordering {
    let rank = |row: &Row| (row.origin, row.extension.name.clone(), row.source.path.clone(), row.source.root.clone());
    rank(left).cmp(&rank(right))
}

/// The types that several rows claim, each with its claimants, first in precedence first. Add-ons share their target's
/// name and take no part.
pub fn contested<'a>(rows: impl IntoIterator<Item = &'a Row>) -> BTreeMap<(&'a Kind, &'a TypeName), Vec<&'a Row>> {
    let mut groups: BTreeMap<(&Kind, &TypeName), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        if row.is_add_on() || row.state.name() == StateName::Tombstoned {
            continue;
        }
        if let Some(type_name) = row.type_name() {
            groups.entry((&row.kind, type_name)).or_default().push(row);
        }
    }
    groups.retain(|_, claimants| claimants.len() > 1);
    for claimants in groups.values_mut() {
        claimants.sort_by(|left, right| precedence(left, right));
    }
    groups
}

/// Settles all claims.
pub fn resolve<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Claims {
    let mut claims = Claims::default();
    for ((kind, type_name), claimants) in contested(rows) {
        settle_group(kind, type_name, &claimants, &mut claims);
    }
    claims
}

fn settle_group(kind: &Kind, type_name: &TypeName, claimants: &[&Row], claims: &mut Claims) {
    let deciding = claimants.iter().position(|row| !matches!(standing(row), Standing::Yields));
    let Some(deciding) = deciding else {
        return;
    };
    let (higher, lower) = (&claimants[..deciding], &claimants[deciding + 1..]);
    let head = claimants[deciding];
    let shadowed: Vec<&Row> = lower.iter().copied().filter(|row| row.state.name() == StateName::Indexed).collect();
    for row in &shadowed {
        claims.shadowed_by.insert(row.source.clone(), head.source.clone());
        if row.origin == head.origin {
            claims.problems.push(conflict(kind, type_name, row, head));
        }
    }
    match standing(head) {
        Standing::Resolves => {
            if let Some(failed) = higher.first() {
                claims.fallbacks.insert(head.source.clone());
                claims.problems.push(fallback(kind, type_name, head, failed));
            }
        }
        Standing::Blocks => {
            if let Some(blocked) = shadowed.first() {
                claims.problems.push(blocking(kind, type_name, head, blocked));
            }
        }
        Standing::Yields => {}
    }
}

fn conflict(kind: &Kind, type_name: &TypeName, row: &Row, head: &Row) -> Problem {
    Problem::error(
        Code::TYPE_CONFLICT,
        row.source.to_string(),
        format!(
            "{} and {} both claim the {kind} type {type_name}; the first takes precedence",
            head.source, row.source
        ),
    )
    .advise("change the type of one of the two sources, or remove one of them")
}

fn fallback(kind: &Kind, type_name: &TypeName, head: &Row, failed: &Row) -> Problem {
    Problem::warning(
        Code::SHADOW_FALLBACK,
        head.source.to_string(),
        format!(
            "{} resolves the {kind} type {type_name} only because {} failed: {}",
            head.source,
            failed.source,
            failed.failure().map_or("it has no bundle", |failure| failure.latest_message.as_str())
        ),
    )
    .advise(format!("fix {}, or remove it", failed.source))
}

fn blocking(kind: &Kind, type_name: &TypeName, head: &Row, blocked: &Row) -> Problem {
    Problem::error(
        Code::EXPORT_REJECTED,
        head.source.to_string(),
        format!(
            "the {kind} type {type_name} is not available: {} was rejected, and {} is not used in its place",
            head.source, blocked.source
        ),
    )
    .advise(format!("fix {}, or remove it", head.source))
}
