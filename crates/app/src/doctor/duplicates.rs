//! Types that several sources claim, and which of them resolves (`design/claims.md`).

use mangrove_domain::{
    claims::{self, Claims},
    row::Row,
    source::{Kind, Origin, SourceId},
    state::StateName,
    type_name::TypeName,
};

/// A type that several sources claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub type_name: TypeName,
    /// Who resolves it; `None` if nobody does.
    pub winner: Option<SourceId>,
    /// The rejected source that keeps every other one from resolving it.
    pub blocked_by: Option<SourceId>,
    /// True if the winner only is used in place of a source that failed.
    pub is_fallback: bool,
    /// True if two claimants of equal origin could resolve it: somebody has to decide.
    pub is_conflict: bool,
    /// Every claimant, first in precedence first.
    pub claimants: Vec<Claimant>,
}

/// A source that claims a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Which one.
    pub source: SourceId,
    /// Where its root comes from.
    pub origin: Origin,
    /// Its state.
    pub state: StateName,
    /// The source that resolves or blocks the type instead of it.
    pub shadowed_by: Option<SourceId>,
}

/// Every type with more than one claimant, sorted by kind and name.
pub(super) fn find(rows: &[Row], claims: &Claims) -> Vec<Duplicate> {
    let contested = claims::contested(rows).into_iter();
    contested.map(|((kind, type_name), claimants)| duplicate(kind, type_name, &claimants, claims)).collect()
}

fn duplicate(kind: &Kind, type_name: &TypeName, claimants: &[&Row], claims: &Claims) -> Duplicate {
    let shadow = |row: &Row| claims.shadowed_by.get(&row.source);
    let resolves = |row: &&&Row| row.state.name() == StateName::Indexed && shadow(row).is_none();
    let winner = claimants.iter().find(resolves).map(|row| row.source.clone());
    let blocked_by = claimants.iter().find_map(|row| shadow(row)).filter(|_| winner.is_none()).cloned();
    let origin_of = |source: &SourceId| claimants.iter().find(|row| row.source == *source).map(|row| row.origin);
    let is_conflict = claimants.iter().any(|row| shadow(row).is_some_and(|head| origin_of(head) == Some(row.origin)));
    Duplicate {
        kind: kind.clone(),
        type_name: type_name.clone(),
        is_fallback: winner.as_ref().is_some_and(|winner| claims.fallbacks.contains(winner)),
        winner,
        blocked_by,
        is_conflict,
        claimants: claimants
            .iter()
            .map(|row| Claimant {
                source: row.source.clone(),
                origin: row.origin,
                state: row.state.name(),
                shadowed_by: shadow(row).cloned(),
            })
            .collect(),
    }
}
