//! A row in the making.

use super::{Moment, Settled};
use crate::{
    bundle::{BundleRef, Presence},
    description::Violation,
    failure::{Failure, Fault},
    fingerprint::Inputs,
    freshness::has_bundle,
    observation::Observation,
    problem::Code,
    row::Row,
    state::{Event, IllegalTransition, Indexed, State, StateName},
    type_name::TypeName,
};

/// The rule version of a row whose export no rules have judged, or that is to be judged again.
const NEVER_JUDGED: u32 = 0;

/// What the next row continues.
#[derive(Clone, Copy)]
enum Basis<'a> {
    /// A row of the same kind that is not leaving.
    Known(&'a Row, Option<&'a Observation>),
    /// Nothing; the row to write replaces one of this revision.
    New(&'a Observation, u64),
}

/// Everything that the next row is made from.
pub(super) struct Next<'a> {
    basis: Basis<'a>,
    presence: Presence,
    rule_version: u32,
    moment: Moment,
}

impl<'a> Basis<'a> {
    fn of(row: Option<&'a Row>, observation: Option<&'a Observation>) -> Option<Self> {
        let continues = |row: &&Row| {
            row.state.name() != StateName::Tombstoned
                && observation.is_none_or(|observation| row.kind == observation.kind)
        };
        match (row.filter(continues), observation) {
            (Some(row), observation) => Some(Basis::Known(row, observation)),
            (None, Some(observation)) => Some(Basis::New(observation, row.map_or(0, |row| row.revision))),
            (None, None) => None,
        }
    }
}

impl<'a> Next<'a> {
    pub(super) fn after_attempt(
        row: Option<&'a Row>,
        observation: &'a Observation,
        presence: Presence,
        rule_version: u32,
        moment: Moment,
    ) -> Option<Self> {
        let basis = Basis::of(row, Some(observation))?;
        Some(Self { basis, presence, rule_version, moment })
    }

    /// `None` if there is nothing to continue. Actions were planned with the store's answer in mind, so the bundle
    /// counts as present.
    pub(super) fn after_action(
        row: Option<&'a Row>,
        observation: Option<&'a Observation>,
        moment: Moment,
    ) -> Option<Self> {
        let basis = Basis::of(row, observation)?;
        let rule_version = row.map_or(0, |row| row.rule_version);
        Some(Self { basis, presence: Presence::Present, rule_version, moment })
    }

    fn before(&self) -> Option<&'a Row> {
        match self.basis {
            Basis::Known(row, _) => Some(row),
            Basis::New(..) => None,
        }
    }

    fn state_before(&self) -> Option<&'a State> {
        self.before().map(|row| &row.state)
    }

    fn built_before(&self) -> Option<&'a Inputs> {
        self.before().and_then(|row| row.built.as_ref())
    }

    /// The payload of a working row: accepted once, and its bundle is in the store. A bundle that was just built
    /// and is the accepted one counts, even if it was missing before. One that the extension shipped for other sources
    /// does not.
    fn working(&self, just_built: Option<&BundleRef>) -> Option<&'a Indexed> {
        let row = self.before()?;
        if let Basis::Known(_, Some(observation)) = self.basis
            && observation.inputs().is_some_and(|observed| row.runs_outdated_shipped_bundle(observed))
        {
            return None;
        }
        row.state.indexed().filter(|indexed| has_bundle(row, self.presence) || just_built == Some(&indexed.bundle))
    }

    fn failure(&self, fault: Fault) -> Failure {
        let Moment { now, jitter, outage } = self.moment;
        Failure::record_in_outage(self.before().and_then(Row::failure), fault, now, jitter, outage)
    }

    /// The row in this state, with everything else as it was before or as it is observed.
    fn row(&self, state: State) -> Row {
        match self.basis {
            Basis::Known(before, observation) => {
                let mut row = Row { state, rejected_before: rejections(before), ..before.clone() };
                if row.state.bundle().is_none() {
                    row.built = None;
                }
                if let Some(observation) = observation {
                    identify(&mut row, before, observation);
                } else {
                    row.claimed_type = before.type_name().cloned();
                    row.claims_add_on = before.is_add_on();
                }
                row
            }
            Basis::New(observation, revision) => Row {
                source: observation.source.clone(),
                origin: observation.origin,
                extension: observation.extension.clone(),
                kind: observation.kind.clone(),
                claimed_type: observation.claimed_type.clone(),
                claims_add_on: observation.claims_add_on,
                entry_digest: observation.entry_digest(),
                state,
                built: None,
                attempted: None,
                degraded: None,
                rejected_before: Vec::new(),
                rule_version: NEVER_JUDGED,
                shadowed_by: None,
                shadow_fallback: false,
                shipped: None,
                revision,
            },
        }
    }

    pub(super) fn accepted(&self, indexed: Indexed, inputs: Inputs) -> Result<Row, IllegalTransition> {
        let claimed_type = indexed.type_name.clone();
        let state = State::built(self.state_before(), indexed.bundle.clone())?.accepted(indexed)?;
        let row = self.row(state);
        Ok(Row {
            claimed_type: self.claim_in_text().or(Some(claimed_type)),
            claims_add_on: row.is_add_on(),
            built: Some(inputs),
            attempted: None,
            degraded: None,
            rejected_before: Vec::new(),
            rule_version: self.rule_version,
            ..row
        })
    }

    fn claim_in_text(&self) -> Option<TypeName> {
        match self.basis {
            Basis::Known(_, observation) => observation?.claimed_type.clone(),
            Basis::New(observation, _) => observation.claimed_type.clone(),
        }
    }

    fn claims_add_on_in_text(&self) -> bool {
        match self.basis {
            Basis::Known(before, observation) => {
                observation.map_or_else(|| before.is_add_on(), |observation| observation.claims_add_on)
            }
            Basis::New(observation, _) => observation.claims_add_on,
        }
    }

    pub(super) fn rejected(
        &self,
        bundle: BundleRef,
        violations: Vec<Violation>,
        claimed_type: Option<TypeName>,
        inputs: Inputs,
    ) -> Result<Row, IllegalTransition> {
        if let Some(tightened) = self.tightened(&bundle, &violations, &inputs) {
            return tightened;
        }
        let row = self.row(State::built(self.state_before(), bundle)?.rejected(violations)?);
        Ok(Row {
            // Nothing from before: a rejection stands in the way of the type that it claims, so a claim that a cold
            // start would not find would decide who resolves (I8).
            claimed_type: claimed_type.or_else(|| self.claim_in_text()),
            claims_add_on: self.claims_add_on_in_text(),
            built: Some(inputs),
            attempted: None,
            degraded: None,
            rejected_before: Vec::new(),
            rule_version: self.rule_version,
            ..row
        })
    }

    /// The working row that stays, degraded, because nothing that its author decides has changed since it was
    /// accepted: only we have. `None` if it is the author's doing.
    fn tightened(
        &self,
        bundle: &BundleRef,
        violations: &[Violation],
        inputs: &Inputs,
    ) -> Option<Result<Row, IllegalTransition>> {
        let built = self.built_before().filter(|built| built.same_author_parts(inputs))?;
        let accepted = self.state_before().and_then(State::indexed)?;
        let (indexed, attempted) = if built == inputs {
            // The same inputs make the same bundle; if it was missing, this is the one that is there now.
            (Indexed { bundle: bundle.clone(), ..accepted.clone() }, None)
        } else {
            // Built by another version of ours: the accepted bundle stays, the new one is not taken.
            (self.working(None)?.clone(), Some(inputs.clone()))
        };
        let row = self.row(State::Indexed(indexed));
        let fault = tightened_fault(&row, violations);
        Some(row.state.degraded().map(|state| Row {
            state,
            attempted,
            degraded: Some(self.failure(fault)),
            rule_version: self.rule_version,
            ..row
        }))
    }

    pub(super) fn build_failed(&self, fault: Fault, attempted: Inputs) -> Result<Row, IllegalTransition> {
        let failure = self.failure(fault);
        if let Some(working) = self.working(None) {
            return self.stays_working(working, failure, Some(attempted));
        }
        let row = self.row(State::build_failed(self.state_before(), failure)?);
        Ok(Row { attempted: Some(attempted), degraded: None, ..row })
    }

    pub(super) fn inspection_failed(
        &self,
        fault: Fault,
        bundle: BundleRef,
        inputs: Inputs,
    ) -> Result<Row, IllegalTransition> {
        let failure = self.failure(fault);
        if let Some(working) = self.working(Some(&bundle)) {
            return self.stays_working(working, failure, Some(inputs));
        }
        let row = self.row(State::built(self.state_before(), bundle)?.inspection_failed(failure)?);
        Ok(Row { built: Some(inputs.clone()), attempted: Some(inputs), degraded: None, ..row })
    }

    fn stays_working(
        &self,
        working: &Indexed,
        failure: Failure,
        attempted: Option<Inputs>,
    ) -> Result<Row, IllegalTransition> {
        let row = self.row(State::Indexed(working.clone()).degraded()?);
        // The new failure takes the place of the remark that rules have tightened: once it has healed, the export must
        // be judged again, or the remark would be forgotten.
        let is_tightened = |failure: &Failure| failure.code == Code::RULES_TIGHTENED;
        let rule_version =
            if row.degraded.as_ref().is_some_and(is_tightened) { NEVER_JUDGED } else { row.rule_version };
        Ok(Row { attempted: attempted.or(row.attempted), degraded: Some(failure), rule_version, ..row })
    }

    /// The row with its failure cleared: nothing was attempted, the last good bundle fits again.
    pub(super) fn recovered(&self) -> Result<Row, IllegalTransition> {
        let state = match self.basis {
            Basis::Known(row, _) => row.state.degraded()?,
            Basis::New(..) => return Err(IllegalTransition { from: None, event: Event::Degraded }),
        };
        Ok(Row { attempted: None, degraded: None, ..self.row(state) })
    }

    pub(super) fn degraded(&self, fault: Fault) -> Result<Row, IllegalTransition> {
        match self.state_before().and_then(State::indexed) {
            Some(working) => self.stays_working(working, self.failure(fault), None),
            None => Err(IllegalTransition { from: self.state_before().map(State::name), event: Event::Degraded }),
        }
    }

    pub(super) fn entry_lost(&self, fault: Fault) -> Result<Row, IllegalTransition> {
        let row = self.row(State::entry_lost(self.state_before(), self.failure(fault))?);
        Ok(Row { degraded: None, ..row })
    }

    pub(super) fn source_lost(&self) -> Result<Row, IllegalTransition> {
        let state = match self.basis {
            Basis::Known(row, _) => row.state.source_lost()?,
            Basis::New(..) => return Err(IllegalTransition { from: None, event: Event::SourceLost }),
        };
        Ok(Row { degraded: None, ..self.row(state) })
    }

    /// The same row with the identity that is observed now.
    pub(super) fn migrated(&self) -> Settled {
        let Basis::Known(before, Some(observation)) = self.basis else {
            return Settled::Unchanged;
        };
        let mut row = before.clone();
        row.origin = observation.origin;
        row.extension = observation.extension.clone();
        if row == *before { Settled::Unchanged } else { Settled::Write(Box::new(row)) }
    }
}

/// Takes over what the observation says of the row's identity. What the text claims now counts; where it cannot be
/// read, or is the text whose export was accepted before, what was known before counts.
fn identify(row: &mut Row, before: &Row, observation: &Observation) {
    row.origin = observation.origin;
    row.extension = observation.extension.clone();
    let is_same_text = observation.entry_digest().is_none_or(|digest| before.entry_digest == Some(digest));
    let (known, claimed) = (before.type_name().cloned(), observation.claimed_type.clone());
    if (is_same_text && known.is_some()) || claimed.is_none() {
        row.claimed_type = known;
        row.claims_add_on = before.is_add_on();
    } else {
        row.claimed_type = claimed;
        row.claims_add_on = observation.claims_add_on;
    }
    row.entry_digest = observation.entry_digest().or(before.entry_digest);
}

/// The rejection that a row carries, in its state or as history.
fn rejections(row: &Row) -> Vec<Violation> {
    match &row.state {
        State::ValidationFailed { violations, .. } => violations.clone(),
        State::Indexed(_)
        | State::Bundled { .. }
        | State::BundleBuildFailed { .. }
        | State::EntryPointUnreadable { .. }
        | State::OrphanedBundleOnly { .. }
        | State::Tombstoned { .. } => row.rejected_before.clone(),
    }
}

/// No timer: only an input or our rules can change the answer.
fn tightened_fault(row: &Row, violations: &[Violation]) -> Fault {
    let first = violations.first().map_or_else(String::new, |violation| format!(": {violation}"));
    let more = if violations.len() > 1 { format!(" (and {} more)", violations.len() - 1) } else { String::new() };
    Fault::deterministic(
        Code::RULES_TIGHTENED,
        format!("rules:{}", row.kind),
        format!("the rules of this version reject what an earlier one accepted{first}{more}"),
    )
}
