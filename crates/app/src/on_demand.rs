//! Types on demand: what is asked for is brought up to date first, once for all who ask at the same time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use mangrove_domain::{
    bundle::LoadedBundle,
    failure::FailureClass,
    index::TypeIndex,
    observation::{CatalogView, DiskView, Observation},
    plan,
    ports::{Progress, StoreError},
    problem::Problem,
    row::Row,
    source::{Kind, SourceId},
    state::State,
    time::Timestamp,
    type_name::TypeName,
};

use crate::{
    attachment::{self, Composed},
    scan::{self, Choice, ScanRequest, Scanner},
    types::{Departed, NotReady, ReadyAddOn, ReadyType, Types, Unclaimed, claim},
};

/// One shared attempt, with what it could not look into; its error is shared too.
type SharedAttempt = Shared<BoxFuture<'static, Result<Vec<Problem>, Arc<scan::Error>>>>;

/// Gives out types of a repository, building what is needed and nothing else.
pub struct OnDemand {
    scanner: Arc<Scanner>,
    request: ScanRequest,
    attempts: Mutex<HashMap<(Kind, TypeName), SharedAttempt>>,
    looked: Mutex<HashMap<(Kind, TypeName), Looked>>,
}

/// When the latest attempt for a type ended, and what it could not look into.
type Looked = (Timestamp, Vec<Problem>);

/// How long a type that is ready is given out without another look at its sources: the steps of a workflow follow
/// each other faster than people save files.
const READY_FOR: Duration = Duration::from_secs(1);

/// How long a type that could not be made ready is not tried again.
const NOT_READY_FOR: Duration = Duration::from_millis(250);

impl OnDemand {
    /// Types as this scanner builds them.
    #[must_use]
    pub fn new(scanner: Arc<Scanner>) -> Self {
        Self { scanner, request: ScanRequest::default(), attempts: Mutex::default(), looked: Mutex::default() }
    }

    /// The same; whoever shows how far scans are is informed of these, too.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.request.progress = progress;
        self
    }

    /// Brings one type up to date. Simultaneous requests share one attempt, which runs to its end even if
    /// all of them go away.
    async fn refresh(&self, kind: &Kind, type_name: &TypeName) -> Result<(), Arc<scan::Error>> {
        let key = (kind.clone(), type_name.clone());
        let attempt = {
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            match attempts.get(&key).filter(|attempt| attempt.peek().is_none()) {
                Some(attempt) => attempt.clone(),
                None => {
                    let (scanner, request) = (Arc::clone(&self.scanner), self.request.clone());
                    let (kind, type_name) = key.clone();
                    let task =
                        tokio::spawn(async move { refresh_all(&scanner, &kind, &[type_name].into(), &request).await });
                    let attempt: SharedAttempt = async move {
                        match task.await {
                            Ok(outcome) => outcome.map_err(Arc::new),
                            Err(error) => std::panic::resume_unwind(error.into_panic()),
                        }
                    }
                    .boxed()
                    .shared();
                    attempts.insert(key, attempt.clone());
                    attempt
                }
            }
        };
        let outcome = attempt.await;
        let now = self.scanner.ports().clock.now();
        let unobservable = outcome.as_ref().cloned().unwrap_or_default();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.insert((kind.clone(), type_name.clone()), (now, unobservable));
        drop(looked);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.get(&(kind.clone(), type_name.clone())).is_some_and(|attempt| attempt.peek().is_some()) {
            attempts.remove(&(kind.clone(), type_name.clone()));
        }
        outcome.map(|_| ())
    }

    /// True if the latest look at this type is so recent that another one would only cost.
    fn is_recent(&self, kind: &Kind, type_name: &TypeName) -> bool {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, _)) = looked.get(&(kind.clone(), type_name.clone())) else { return false };
        let is_ready = self.scanner.index().resolve(kind, type_name).is_some_and(|row| row.failure().is_none());
        let now = self.scanner.ports().clock.now();
        // A clock that was set back says nothing of how long ago that was.
        now >= *at && now.since(*at) < if is_ready { READY_FOR } else { NOT_READY_FOR }
    }

    async fn not_ready(&self, kind: &Kind, type_name: &TypeName, remark: Option<String>) -> NotReady {
        let index = self.scanner.index();
        let unobservable = {
            let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            looked.get(&(kind.clone(), type_name.clone())).map(|(_, unobservable)| unobservable.clone())
        };
        let departed = if index.claimants(kind, type_name).is_empty() {
            Departed::of(self.scanner.ports().catalog.as_ref(), kind, type_name).await
        } else {
            Vec::new()
        };
        // What claims it has a row by now.
        let unobservable = unobservable.unwrap_or_default();
        let unclaimed = Unclaimed { departed, unscanned: Vec::new(), unobservable };
        NotReady::explain(&index, Some(kind), type_name, unclaimed, remark)
    }

    /// What a type of one snapshot offers, with the verified code of all its rows. The code of an add-on that cannot
    /// be loaded is an error at the first try, so that it is built again; after that the add-on is left out, and
    /// the type is not (fault 24).
    async fn open(&self, index: &TypeIndex, row: &Arc<Row>, is_last_try: bool) -> Result<ReadyType, OpenError> {
        let State::Indexed(indexed) = &row.state else {
            return Err(OpenError::Remark("the row is no longer indexed".to_owned()));
        };
        let ports = self.scanner.ports();
        let mut left_out: BTreeMap<SourceId, String> = BTreeMap::new();
        let mut bundles: BTreeMap<SourceId, LoadedBundle> = BTreeMap::new();
        let add_ons = index.add_ons(&row.kind, &indexed.type_name);
        for add_on in &add_ons {
            let Some(bundle) = add_on.bundle() else { continue };
            match ports.store.load(bundle).await {
                Ok(bundle) => {
                    bundles.insert(add_on.source.clone(), bundle);
                }
                Err(error) if is_last_try => {
                    left_out.insert(add_on.source.clone(), format!("{} is left out: {error}", add_on.source));
                }
                Err(error) => return Err(OpenError::Store(error)),
            }
        }
        for broken in index.broken_add_ons(&row.kind, &indexed.type_name) {
            left_out.insert(broken.source.clone(), claim(&broken));
        }
        let add_ons: Vec<Arc<Row>> = add_ons.into_iter().filter(|row| bundles.contains_key(&row.source)).collect();
        let composed = match attachment::compose_of(ports.catalog.as_ref(), row, add_ons).await {
            Ok(Some(composed)) => composed,
            Ok(None) => return Err(OpenError::Undescribed),
            Err(error) => return Err(OpenError::Remark(explain(&error))),
        };
        let bundle = ports.store.load(&indexed.bundle).await.map_err(OpenError::Store)?;
        let Composed { row, attachment, add_ons } = composed;
        let add_ons = add_ons.into_iter().filter_map(|row| {
            let added = attachment.methods.iter().filter(|(_, method)| method.add_on == row.source);
            let methods = added.map(|(name, method)| (name.clone(), method.record)).collect();
            Some(ReadyAddOn { bundle: bundles.remove(&row.source)?, row, methods })
        });
        Ok(ReadyType {
            row,
            bundle,
            add_ons: add_ons.collect(),
            left_out: left_out.into_values().collect(),
            description: Arc::new(attachment.description),
        })
    }
}

enum OpenError {
    Store(StoreError),
    /// The catalog has lost the description; the next look finds that out and inspects again.
    Undescribed,
    Remark(String),
}

#[async_trait]
impl Types for OnDemand {
    async fn ready(&self, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady> {
        let mut is_second_try = false;
        loop {
            if (is_second_try || !self.is_recent(kind, type_name))
                && let Err(error) = self.refresh(kind, type_name).await
            {
                return Err(self.not_ready(kind, type_name, Some(explain(&error))).await);
            }
            let index = self.scanner.index();
            let Some(row) = index.resolve(kind, type_name).map(Arc::clone) else {
                return Err(self.not_ready(kind, type_name, None).await);
            };
            match self.open(&index, &row, is_second_try).await {
                Ok(ready) => return Ok(ready),
                // Found damaged only now, by its digest: taken away, so that the second try builds it again.
                Err(OpenError::Store(error)) if !is_second_try => {
                    self.scanner.ports().discard_unusable(&error).await;
                    is_second_try = true;
                }
                Err(OpenError::Store(error)) => {
                    return Err(self.not_ready(kind, type_name, Some(error.to_string())).await);
                }
                Err(OpenError::Undescribed) if !is_second_try => is_second_try = true,
                Err(OpenError::Undescribed) => {
                    let remark = "the catalog has lost the description; `mangrove catalog rebuild` restores it";
                    return Err(self.not_ready(kind, type_name, Some(remark.to_owned())).await);
                }
                Err(OpenError::Remark(remark)) => return Err(self.not_ready(kind, type_name, Some(remark)).await),
            }
        }
    }
}

/// The chain of causes as one sentence.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Scans the sources that are, claim or might be one of these types, with one look at the repository. Gives what that
/// look could not see.
///
/// # Errors
/// Sources, catalog or store cannot be looked at.
pub async fn refresh_all(
    scanner: &Scanner,
    kind: &Kind,
    type_names: &BTreeSet<TypeName>,
    request: &ScanRequest,
) -> Result<Vec<Problem>, scan::Error> {
    let observed = scanner.look(request).await?;
    let unobservable = plan::unobservable(&observed.disk);
    let choice = choose(kind, type_names, &observed.disk, &observed.catalog);
    scanner.carry_out(observed, choice).await?;
    Ok(unobservable)
}

fn choose(kind: &Kind, type_names: &BTreeSet<TypeName>, disk: &DiskView, catalog: &CatalogView) -> Choice {
    let rows: BTreeMap<&SourceId, &Row> =
        catalog.rows.iter().filter(|row| row.kind == *kind).map(|row| (&row.source, row)).collect();
    let observed = || disk.observations.iter().filter(|observation| observation.kind == *kind);
    let mut sources: BTreeSet<SourceId> = BTreeSet::new();
    let mut claimed: BTreeSet<&TypeName> = BTreeSet::new();
    let known = rows.iter().map(|(source, row)| (*source, row.type_name()));
    let texts = observed().map(|observation| (&observation.source, observation.claimed_type.as_ref()));
    for (source, type_name) in known.chain(texts) {
        if let Some(type_name) = type_name.filter(|name| type_names.contains(*name)) {
            sources.insert(source.clone());
            claimed.insert(type_name);
        }
    }
    // An add-on whose target is computed may add to any of them.
    let is_unnamed_add_on =
        |observation: &&Observation| observation.claimed_type.is_none() && observation.claims_add_on;
    let is_known = |source: &SourceId| rows.get(source).is_some_and(|row| row.type_name().is_some());
    let unnamed = observed().filter(is_unnamed_add_on).filter(|observation| !is_known(&observation.source));
    sources.extend(unnamed.map(|observation| observation.source.clone()));
    if claimed.len() < type_names.len() {
        // A type whose name is computed says so only when it is inspected. One that was inspected has its name.
        let unnamed = observed().filter(|observation| observation.claimed_type.is_none());
        sources.extend(unnamed.map(|observation| observation.source.clone()));
    }
    // The same inputs fail in the same way where the failure is the source's own.
    let is_worth_it = |source: &&SourceId| {
        let failure = rows.get(*source).and_then(|row| row.failure());
        failure.is_none_or(|failure| failure.class != FailureClass::Deterministic)
    };
    let retried = sources.iter().filter(is_worth_it).cloned().collect();
    Choice { sources, retried }
}
