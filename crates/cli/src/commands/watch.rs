//! `mangrove scan --watch`: the catalog is kept up to date, and each change is one line.

use std::{collections::BTreeMap, sync::Arc};

use mangrove_app::{health, scan::Publication, service::Service};
use mangrove_daemon::{LastLook, Phase, Watching};
use mangrove_documents::{FailureDocument, Moment};
use mangrove_domain::{
    digest::Digest, index::TypeIndex, problem::Problem, row::Row, source::SourceId, state::State, time::Timestamp,
};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::Context;
use crate::{compose, errors::CommandError, exit::Exit, human, line::Line};

/// One change, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangedDocument {
    reason: &'static str,
    at: Moment,
    root: String,
    path: String,
    /// `null` if the source is gone.
    state: Option<&'static str>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    degraded: bool,
    failure: Option<FailureDocument>,
}

/// What is said when everything was looked at once, as JSON.
#[derive(Serialize)]
struct ReadyDocument {
    reason: &'static str,
    types: usize,
    failing: usize,
}

pub(crate) async fn run(context: &Context, jobs: Option<u16>) -> Result<Exit, CommandError> {
    let service = context.open(jobs)?;
    let cancellation = context.interrupts.cancellation();
    let mut publications = service.publications();
    let mut watching = Watching::start(service.clone(), compose::watcher());
    let control = watching.control();
    let mut status = control.status();
    let mut teller = Teller { context, told: BTreeMap::new(), problems: Vec::new(), is_ready: false };
    loop {
        tokio::select! {
            () = watching.ended() => return Ok(Exit::Failed),
            () = cancellation.cancelled() => break,
            published = publications.recv() => match published {
                Ok(publication) => teller.published(&publication, &service),
                Err(RecvError::Lagged(_)) => teller.look_at_all(&service),
                Err(RecvError::Closed) => break,
            },
            changed = status.changed() => {
                if changed.is_err() {
                    break;
                }
                let now = status.borrow_and_update().clone();
                teller.looked(now.last_look.as_ref());
                if now.phase != Phase::Starting {
                    teller.ready(&service.scanner().index());
                }
            }
        }
    }
    control.stop().await;
    watching.ended().await;
    Ok(Exit::Done)
}

/// What makes a line: what is said of a source, and the bundle that it runs on.
type Told = (String, Option<Digest>);

struct Teller<'a> {
    context: &'a Context,
    told: BTreeMap<SourceId, Told>,
    problems: Vec<Problem>,
    is_ready: bool,
}

impl Teller<'_> {
    fn published(&mut self, publication: &Publication, service: &Service) {
        let index = service.scanner().index();
        for source in &publication.changed {
            self.changed(source, &index, service.clock().now());
        }
    }

    /// Too much happened to be told one by one.
    fn look_at_all(&mut self, service: &Service) {
        let index = service.scanner().index();
        let known: Vec<SourceId> = self.told.keys().cloned().collect();
        let sources: Vec<SourceId> = index.rows().map(|row| row.source.clone()).chain(known).collect();
        for source in sources {
            self.changed(&source, &index, service.clock().now());
        }
    }

    fn changed(&mut self, source: &SourceId, index: &TypeIndex, now: Timestamp) {
        let row = index.row(source).map(Arc::as_ref);
        let words = row.map_or_else(|| "is gone".to_owned(), words);
        let bundle = row.and_then(Row::bundle).map(|bundle| bundle.entry.key.digest());
        let told = (words, bundle);
        if self.told.get(source) == Some(&told) {
            return;
        }
        self.context.print_notices();
        let printer = &self.context.printer;
        if printer.is_json() {
            printer.document(&ChangedDocument {
                reason: "source-changed",
                at: now.into(),
                root: source.root.to_string(),
                path: source.path.to_string(),
                state: row.map(|row| row.state.name().as_str()),
                type_name: row.and_then(|row| row.type_name().or(row.claimed_type.as_ref())).map(ToString::to_string),
                degraded: row.is_some_and(|row| row.degraded.is_some()),
                failure: row.and_then(Row::failure).map(Into::into),
            });
        } else {
            printer.line(Line::name(source.to_string()) + " " + told.0.as_str());
        }
        match row {
            Some(_) => self.told.insert(source.clone(), told),
            None => self.told.remove(source),
        };
    }

    /// Says what is wrong besides the sources, whenever it is something else.
    fn looked(&mut self, look: Option<&LastLook>) {
        let problems = look.map(|look| look.problems.to_vec()).unwrap_or_default();
        for problem in problems.iter().filter(|problem| !self.problems.contains(problem)) {
            self.context.printer.problem(problem);
        }
        self.problems = problems;
    }

    fn ready(&mut self, index: &TypeIndex) {
        if std::mem::replace(&mut self.is_ready, true) {
            return;
        }
        let types = index.rows().filter(|row| row.is_resolvable()).count();
        let failing = index.rows().filter(|row| health::problem(row).is_some()).count();
        let printer = &self.context.printer;
        if printer.is_json() {
            printer.document(&ReadyDocument { reason: "ready", types, failing });
            return;
        }
        let failing = if failing > 0 { format!(", {failing} unhealthy") } else { String::new() };
        printer.status("Watching", format!("{}{failing}; Ctrl-C ends it", human::count(types as u64, "type")));
    }
}

/// What is to be said of a row: `works as @acme/a`, `cannot be built: …`.
fn words(row: &Row) -> String {
    let message = health::problem(row).map(|problem| format!("[{}] {}", problem.code, problem.message));
    let because = |what: &str| message.as_ref().map_or_else(|| what.to_owned(), |message| format!("{what}: {message}"));
    match &row.state {
        State::Indexed(_) if row.degraded.is_some() => because("cannot be built as it is now"),
        State::Indexed(indexed) => match &row.shadowed_by {
            Some(other) => format!("works as {}, which {other} is", indexed.type_name),
            None => format!("works as {}", indexed.type_name),
        },
        State::Bundled { .. } => "is about to be looked at".to_owned(),
        State::BundleBuildFailed { .. } => because("cannot be built"),
        State::ValidationFailed { .. } => because("is rejected"),
        State::EntryPointUnreadable { .. } => because("cannot be read"),
        State::OrphanedBundleOnly { .. } => because("is out of reach"),
        State::Tombstoned { .. } => "is gone".to_owned(),
    }
}
