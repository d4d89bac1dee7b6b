//! Two repositories of the same content, of which one repeats what it can and the other never does.

use std::time::Duration;

use mangrove_app::{
    health,
    retry::retry,
    scan::{Report, ScanRequest},
    source_query::SourceQuery,
};
use mangrove_domain::{problem::Code, row::Row, source::SourceId};

use crate::{counts, world::World};

/// What a person and a program are told of a scan: everything but how long it took.
fn told(report: &Report) -> String {
    let is_told = |source: &SourceId| {
        let row = report.rows.iter().find(|row| row.source == *source);
        report.changed.contains(source) || row.is_some_and(|row| health::problem(row).is_some())
    };
    let Report { kinds, rows, steps, withheld, looked_at, changed, problems, statistics, is_cancelled } = report;
    let rows: Vec<_> = rows.iter().filter(|row| is_told(&row.source)).collect();
    let steps: Vec<_> = steps.iter().filter(|step| is_told(&step.source)).collect();
    let cost = (statistics.built, statistics.inspected, statistics.files_read, statistics.directories_listed);
    format!(
        "{kinds:#?}\n{rows:#?}\n{steps:#?}\n{withheld:#?}\n{looked_at}\n{changed:#?}\n{problems:#?}\n{cost:?}\n{is_cancelled}"
    )
}

/// A repository with two processes' worth of memory: one repeats what it can, the other never does.
pub(crate) struct Pair {
    pub(crate) sealed: World,
    pub(crate) planned: World,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self { sealed: World::new(), planned: World::new() }
    }

    pub(crate) fn change(&self, change: impl Fn(&World)) {
        change(&self.sealed);
        change(&self.planned);
    }

    /// A new process in each, a minute later; true if the one read no more than it had to tell of.
    pub(crate) async fn scan(&mut self, what: &str, request: &ScanRequest) -> bool {
        self.planned.seals.forget();
        let mut reports = Vec::new();
        for world in self.begin() {
            reports.push(told(&world.scan_with(request.clone()).await));
        }
        self.compare(what, &reports);
        let (sealed, planned) = (&self.sealed, &self.planned);
        let (once, always) = (sealed.bundler.take_calls(), planned.bundler.take_calls());
        // Where a program is missing, a look is enough.
        let rows = sealed.catalog.rows();
        let lacks_program = |entry: &String| {
            let row = rows.iter().find(|row| row.source.path.as_str() == entry.as_str());
            row.and_then(Row::failure).is_some_and(|failure| failure.code == Code::RUNTIME_MISSING)
        };
        let others =
            |calls: &[String]| -> Vec<String> { calls.iter().filter(|entry| !lacks_program(entry)).cloned().collect() };
        assert_eq!(others(&once), others(&always), "{what}: the builds");
        assert!(once.iter().all(|entry| always.contains(entry)), "{what}: no build more");
        assert!(planned.catalog.take_reads().contains(&None));
        !sealed.catalog.take_reads().contains(&None)
    }

    /// The same for `retry` of what has this name, or of all that failed.
    pub(crate) async fn retry(&mut self, what: &str, query: Option<&SourceQuery>) {
        let mut reports = Vec::new();
        for world in self.begin() {
            let retried = retry(&world.scanner, query, &counts()).await.expect("a retry over fakes cannot fail");
            reports.push(told(&retried.report));
        }
        self.compare(what, &reports);
        for world in [&self.sealed, &self.planned] {
            world.bundler.take_calls();
        }
    }

    /// A new process in each, a minute later. It draws the same random numbers in both, of which a scan with nothing to try
    /// needs none over a seal.
    pub(crate) fn begin(&mut self) -> [&World; 2] {
        let Self { sealed, planned } = self;
        [sealed, planned].map(|world| {
            world.restart();
            world.clock.advance(Duration::from_mins(1));
            world.catalog.take_reads();
            &*world
        })
    }

    fn compare(&self, what: &str, reports: &[String]) {
        let (sealed, planned) = (&self.sealed, &self.planned);
        assert_eq!(reports[0], reports[1], "{what}: what is told");
        assert_eq!(sealed.catalog.rows(), planned.catalog.rows(), "{what}: the rows");
        assert_eq!(sealed.catalog.audit(), planned.catalog.audit(), "{what}: the history");
    }
}
