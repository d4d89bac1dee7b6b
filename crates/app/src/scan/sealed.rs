//! A scan over a seal that holds: what rests is told again, and what failed is tried again. Nothing else is read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    freshness::Fresh,
    index::TypeIndex,
    observation::{CatalogView, DiskView},
    plan::{self, Scope},
    problem::{Code, Problem},
    row::Row,
    seal::{self, Conclusion, Failing, Seal, resting_step},
    source::SourceId,
    survey::{Survey, SurveyedEntry},
};

use super::{
    Scanner,
    carry_out::CarryOut,
    error::Error,
    needs::Needs,
    observe::{self, Start},
    report::Report,
    request::ScanRequest,
    rivals::Rivalry,
    seals::{self, Held},
    writer::{Again, Finished, Rest, Writer},
};
use crate::health;

impl Scanner {
    /// The only round of a scan over a seal that holds; gives the sources that must be looked at again.
    pub(super) async fn pass_over_seal(
        &self,
        held: Held,
        request: &ScanRequest,
        start: Start,
        report: &mut Report,
    ) -> Result<Again, Error> {
        let Held { mut seal, mark, rows, resolved, statistics, edits } = held;
        report.add_cost(statistics);
        report.add_problems(seal.found.iter().cloned());
        let edits = edits.map(|edits| *edits).unwrap_or_default();
        let edited: BTreeSet<SourceId> = edits.disk.observations.iter().map(|seen| seen.source.clone()).collect();
        for row in rows.iter().filter(|row| edited.contains(&row.source)) {
            seal.conclusion.take_out(row);
        }
        let sealed_survey = seal.survey;
        // What cannot be asked for again by its name is sealed by nobody.
        let may_seal = !request.dry_run && (edits.since.is_none() || edits.mark.is_some());
        seal.survey = edits.mark.unwrap_or(sealed_survey);
        report.looked_at = seal.conclusion.healthy.values().map(|rows| rows.indexed).sum::<u64>() + rows.len() as u64;
        let answers = seal.conclusion.answers.iter();
        report.steps = answers.map(|(source, fresh)| resting_step(source, fresh)).collect();
        let failing = seal.conclusion.failing.iter().map(|failing| failing.observation.source.clone());
        let tried: BTreeSet<SourceId> = failing.chain(edited.iter().cloned()).collect();
        if tried.is_empty() {
            tracing::info!("nothing has changed since a scan that found nothing to do");
            tell(report, &seal, rows.into_iter().map(Arc::new).collect());
            // Another mark than the seal's was taken before the version was read that is the seal's.
            let is_mark_settled = mark.is_some() && mark == seal.mark;
            let has_moved =
                mark != seal.mark || is_mark_settled != seal.is_mark_settled || seal.survey != sealed_survey;
            if has_moved && may_seal {
                self.save_seal(&Seal { mark, is_mark_settled, ..seal }).await;
            }
            return Ok(Again::default());
        }
        let failing = seal.conclusion.failing.len();
        if edited.is_empty() {
            tracing::info!(failing, "nothing has changed since the latest scan; what failed is tried again");
        } else {
            let edited = edited.len();
            tracing::info!(failing, edited, "nothing but the text of modules has changed since the latest scan");
        }
        let outages = plan::outages(&rows);
        let (of_tried, resting): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| tried.contains(&row.source));
        let catalog = CatalogView { rows: of_tried, ..CatalogView::default() };
        let survey = with_failing(edits, &seal.conclusion.failing);
        let (mut disk, needs) = observe::with_outside_parts(survey, &catalog, &resolved);
        let with_bundles: Vec<&Row> = catalog.rows.iter().collect();
        disk.presence = observe::presence(&self.ports, &with_bundles).await?;
        let request = ScanRequest { scope: Scope::Sources(tried), ..request.clone() };
        let plan = plan::plan(&disk, &catalog, &self.policy(&request));
        report.merge(&plan);
        for step in plan.steps.iter().filter(|step| edited.contains(&step.source)) {
            report.put_step(step);
        }
        let index = TypeIndex::build(catalog.rows.into_iter().map(Arc::new));
        let is_quoted = seal.claimed.iter().any(|problem| problem.code == Code::SHADOW_FALLBACK);
        let begun = (start.edition, seal.version);
        let rest = Rest { is_quoted, edited: edited.clone(), extended: seal.conclusion.extended.clone() };
        let mut writer = Writer::over_rest(&self.ports, &self.publisher, index, begun, rest);
        if !request.dry_run {
            let work = self.work(&request, &plan, (&disk, &needs), Rivalry::LookAgain, outages);
            CarryOut { is_sealed: true, ..work }.run(&mut writer, report).await?;
        }
        let Finished { again, rows, is_whole, version, claimed } = writer.finish(report).await?;
        if is_whole {
            // An attempt ended otherwise than before, and all rows were read for it.
            tell_all(report, rows, claimed);
            return Ok(again);
        }
        let of_edited: Vec<Arc<Row>> = rows.iter().filter(|row| edited.contains(&row.source)).cloned().collect();
        let mut told: Vec<Arc<Row>> = resting.into_iter().map(Arc::new).chain(rows).collect();
        told.sort_by(|left, right| left.source.cmp(&right.source));
        tell(report, &seal, told);
        if let Some(version) = version
            && again.is_empty()
            && !report.is_cancelled
            && may_seal
            && let Some(concluded) = self.conclude_edits(disk, &needs, &of_edited, &report.changed)
        {
            // The other failures are the same; only how often and when they were seen is not.
            seal.conclusion.add(concluded);
            self.save_seal(&Seal { version, mark: None, is_mark_settled: false, ..seal }).await;
        }
        Ok(again)
    }

    /// What the next scan would find of the rows of edited sources, as they are now; `None` if it would do anything else than
    /// try what has failed.
    fn conclude_edits(
        &self,
        mut disk: DiskView,
        needs: &BTreeMap<SourceId, Needs>,
        rows: &[Arc<Row>],
        changed: &BTreeSet<SourceId>,
    ) -> Option<Conclusion> {
        let rows: Vec<Row> = rows.iter().map(|row| Row::clone(row)).collect();
        let is_one = |source: &SourceId| rows.iter().any(|row| row.source == *source);
        disk.observations.retain(|observation| is_one(&observation.source));
        // What was written was put into the store before.
        disk.presence.retain(|source, _| !changed.contains(source));
        let catalog = CatalogView { rows, ..CatalogView::default() };
        let plan = plan::plan(&disk, &catalog, &seals::next_policy(self.loaders.rule_versions()));
        let needs_of = |source: &SourceId| needs.get(source).map(Needs::outside);
        seal::conclude(&plan, &disk, &catalog.rows, needs_of)
    }
}

/// What follows from edits, with the sources whose latest build failed as they were observed: nothing of these has moved
/// since.
fn with_failing(mut edits: Survey, failing: &[Failing]) -> Survey {
    let observations = failing.iter().map(|failing| failing.observation.clone());
    let entries = failing.iter().map(|Failing { packages, shipped, .. }| SurveyedEntry {
        specifiers: packages.specifiers.clone(),
        lock: packages.lock.clone(),
        shipped: shipped.clone(),
    });
    edits.disk.observations.extend(observations);
    edits.entries.extend(entries);
    edits
}

/// Tells what the seal says of all rows, with these, which are those that it names.
fn tell(report: &mut Report, seal: &Seal, rows: Vec<Arc<Row>>) {
    report.kinds = health::by_kind(rows.iter().map(AsRef::as_ref));
    for (kind, sealed) in &seal.conclusion.healthy {
        health::add_sealed(&mut report.kinds, kind, *sealed);
    }
    report.add_problems(seal.claimed.iter().cloned());
    report.rows = rows;
}

/// Tells of all rows what they say themselves. Those that have changed without having been tried, because their claims
/// did, were fresh.
fn tell_all(report: &mut Report, rows: Vec<Arc<Row>>, claimed: Vec<Problem>) {
    report.kinds = health::by_kind(rows.iter().map(AsRef::as_ref));
    for source in &report.changed {
        if let Err(place) = report.steps.binary_search_by(|step| step.source.cmp(source)) {
            report.steps.insert(place, resting_step(source, &Fresh::Unchanged));
        }
    }
    report.rows = rows;
    report.add_problems(claimed);
}
