//! A scan over a seal that holds: what rests is told again, and what failed is tried again. Nothing else is read.

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{
    freshness::Fresh,
    index::TypeIndex,
    observation::{CatalogView, DiskView},
    plan::{self, Scope},
    problem::{Code, Problem},
    row::Row,
    seal::{Failing, Seal, resting_step},
    source::SourceId,
    survey::{Survey, SurveyedEntry},
};

use super::{
    Scanner,
    builds::Rivalry,
    carry_out::CarryOut,
    error::Error,
    observe::{self, Start},
    report::Report,
    request::ScanRequest,
    seals::Held,
    writer::{Again, Finished, Writer},
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
        let Held { seal, mark, rows, resolved, statistics } = held;
        report.add_cost(statistics);
        report.add_problems(seal.found.iter().cloned());
        report.looked_at = seal.conclusion.healthy.values().map(|rows| rows.indexed).sum::<u64>() + rows.len() as u64;
        let answers = seal.conclusion.answers.iter();
        report.steps = answers.map(|(source, fresh)| resting_step(source, fresh)).collect();
        if seal.conclusion.failing.is_empty() {
            tracing::info!("nothing has changed since a scan that found nothing to do");
            tell(report, &seal, rows.into_iter().map(Arc::new).collect());
            // The mark was taken before the version was read that is the seal's.
            if mark.is_some() && mark != seal.mark && !request.dry_run {
                self.save_seal(&Seal { mark, ..seal }).await;
            }
            return Ok(Again::default());
        }
        tracing::info!(
            failing = seal.conclusion.failing.len(),
            "nothing has changed since the latest scan; what failed is tried again"
        );
        let failing: BTreeSet<SourceId> =
            seal.conclusion.failing.iter().map(|failing| failing.observation.source.clone()).collect();
        let outages = plan::outages(&rows);
        let (tried, resting): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| failing.contains(&row.source));
        let catalog = CatalogView { rows: tried, ..CatalogView::default() };
        let survey = survey_of(&seal.conclusion.failing);
        let (mut disk, needs) = observe::with_outside_parts(survey, &catalog, &resolved);
        let with_bundles: Vec<&Row> = catalog.rows.iter().collect();
        disk.presence = observe::presence(&self.ports, &with_bundles).await?;
        let request = ScanRequest { scope: Scope::Sources(failing), ..request.clone() };
        let plan = plan::plan(&disk, &catalog, &self.policy(&request));
        report.merge(&plan);
        let index = TypeIndex::build(catalog.rows.into_iter().map(Arc::new));
        let is_quoted = seal.claimed.iter().any(|problem| problem.code == Code::SHADOW_FALLBACK);
        let begun = (start.edition, seal.version);
        let mut writer = Writer::over_rest(&self.ports, &self.publisher, index, begun, is_quoted);
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
        let mut told: Vec<Arc<Row>> = resting.into_iter().map(Arc::new).chain(rows).collect();
        told.sort_by(|left, right| left.source.cmp(&right.source));
        tell(report, &seal, told);
        if let Some(version) = version
            && again.is_empty()
            && !report.is_cancelled
            && !request.dry_run
        {
            // The failures are the same; only how often and when they were seen is not.
            self.save_seal(&Seal { version, mark: None, ..seal }).await;
        }
        Ok(again)
    }
}

/// The sources that are tried, as they were observed: nothing of them has moved since.
fn survey_of(failing: &[Failing]) -> Survey {
    let observations = failing.iter().map(|failing| failing.observation.clone()).collect();
    let entry = |Failing { packages, shipped, .. }: &Failing| SurveyedEntry {
        specifiers: packages.specifiers.clone(),
        lock: packages.lock.clone(),
        shipped: shipped.clone(),
    };
    Survey {
        disk: DiskView { observations, ..DiskView::default() },
        entries: failing.iter().map(entry).collect(),
        ..Survey::default()
    }
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
