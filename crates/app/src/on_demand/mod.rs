//! Types on demand: what is asked for is brought up to date first, once for all who ask at the same time.

mod opened;
mod recent;
mod refresh;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    advice::{Advice, UserAction},
    attachment::Added,
    bundle::LoadedBundle,
    failure::Fault,
    foreign_state::ForeignState,
    index::TypeIndex,
    ports::{Progress, StoreError},
    problem::Code,
    row::Row,
    source::{Kind, SourceId},
    state::State,
    type_name::TypeName,
};
use mangrove_single_flight::{Lost, SingleFlight};
use tracing::{Instrument as _, Span};

pub use self::refresh::refresh_all;
use self::{
    opened::OpenedTypes,
    recent::{READY_FOR, RecentChecks},
};
use crate::{
    attachment::{self, Composed},
    scan::{self, ScanRequest, Scanner},
    types::{Departed, NotReady, ReadyAddOn, ReadyType, Types, Unclaimed, claim},
};

/// Gives out types of a repository, building what is needed and nothing else.
///
/// One for each process, however long it runs: only those who ask the same one share attempts. Nothing in it grows with
/// the names that are asked for.
pub struct OnDemand {
    scanner: Arc<Scanner>,
    request: ScanRequest,
    attempts: SingleFlight<(Kind, TypeName), Result<(), Arc<scan::Error>>>,
    checks: Arc<Mutex<RecentChecks>>,
    opened: OpenedTypes,
}

/// Why a type could not be brought up to date.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    /// Those who share an attempt share its error.
    #[error(transparent)]
    Scan(Arc<scan::Error>),
    #[error("bringing the type up to date did not finish")]
    Lost(#[source] Lost),
}

impl RefreshError {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Scan(error) if error.is_busy())
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Scan(error) => error.fault().clone(),
            Self::Lost(lost) => {
                let message = format!("{self}: {}", explain(lost));
                Fault::environment(Code::WORKER_UNAVAILABLE, "program:mangrove", message)
            }
        }
    }
}

impl OnDemand {
    /// Types as this scanner builds them.
    #[must_use]
    pub fn new(scanner: Arc<Scanner>) -> Self {
        Self {
            scanner,
            request: ScanRequest::default(),
            attempts: SingleFlight::new(),
            checks: Arc::default(),
            opened: OpenedTypes::default(),
        }
    }

    /// The same; `progress` is informed of how far its scans are.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.request.progress = progress;
        self
    }

    /// How many attempts are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.attempts.under_way()
    }

    /// How many types are remembered as looked at only just now.
    #[must_use]
    pub fn remembered(&self) -> usize {
        let mut checks = lock(&self.checks);
        checks.forget_old(self.scanner.ports().clock.now());
        checks.len()
    }

    /// Brings one type up to date. Simultaneous requests share one attempt, which runs to its end even if
    /// all of them go away.
    async fn refresh(&self, kind: &Kind, type_name: &TypeName) -> Result<(), RefreshError> {
        let key = (kind.clone(), type_name.clone());
        let (scanner, request, checks) = (Arc::clone(&self.scanner), self.request.clone(), Arc::clone(&self.checks));
        let start = {
            let (key, span) = (key.clone(), Span::current());
            || {
                async move {
                    let outcome = refresh_all(&scanner, &key.0, &[key.1.clone()].into(), &request).await;
                    // A check that failed says nothing of the type: the next request checks again.
                    let unobservable = outcome.map_err(Arc::new)?;
                    lock(&checks).remember(key, scanner.ports().clock.now(), unobservable);
                    Ok(())
                }
                .instrument(span)
            }
        };
        self.attempts.join(key, start).await.map_err(RefreshError::Lost)?.map_err(RefreshError::Scan)
    }

    /// True if the latest look at this type is so recent that another one would only cost.
    fn is_recent(&self, kind: &Kind, type_name: &TypeName) -> bool {
        let is_ready = self.scanner.index().resolve(kind, type_name).is_some_and(|row| row.failure().is_none());
        let now = self.scanner.ports().clock.now();
        lock(&self.checks).is_recent(&(kind.clone(), type_name.clone()), is_ready, now)
    }

    async fn not_ready(&self, kind: &Kind, type_name: &TypeName, remark: Option<String>) -> NotReady {
        let index = self.scanner.index();
        let unobservable = lock(&self.checks).unobservable(&(kind.clone(), type_name.clone()));
        let departed = if index.claimants(kind, type_name).is_empty() {
            Departed::of(self.scanner.ports().catalog.as_ref(), kind, type_name).await
        } else {
            Vec::new()
        };
        // What claims it has a row by now.
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
            Ok(Some(composed)) if is_last_try || composed.undescribed.is_empty() => composed,
            Ok(Some(_) | None) => return Err(OpenError::Undescribed),
            Err(error) => return Err(OpenError::Remark(explain(&error))),
        };
        let bundle = ports.store.load(&indexed.bundle).await.map_err(OpenError::Store)?;
        let foreign_state = ForeignState::named_in(&bundle.code);
        let Composed { row, attachment, add_ons, undescribed } = composed;
        for add_on in undescribed {
            let reason = format!("{} is left out: {}", add_on.source, add_on.undescribed().message);
            left_out.insert(add_on.source.clone(), reason);
        }
        let add_ons = add_ons.into_iter().filter_map(|row| {
            let of_row = |all: &BTreeMap<String, Added>| -> BTreeMap<String, usize> {
                let added = all.iter().filter(|(_, added)| added.add_on == row.source);
                added.map(|(name, added)| (name.clone(), added.record)).collect()
            };
            let (methods, checks) = (of_row(&attachment.methods), of_row(&attachment.checks));
            let bundle = bundles.remove(&row.source)?;
            let foreign_state = ForeignState::named_in(&bundle.code);
            Some(ReadyAddOn { row, bundle, methods, checks, foreign_state })
        });
        Ok(ReadyType {
            row,
            bundle,
            add_ons: add_ons.collect(),
            left_out: left_out.into_values().collect(),
            behind: None,
            foreign_state,
            description: Arc::new(attachment.description),
        })
    }
}

enum OpenError {
    Store(StoreError),
    /// The catalog has lost a description; the next look finds that out and inspects again.
    Undescribed,
    Remark(String),
}

#[async_trait]
impl Types for OnDemand {
    async fn ready(&self, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady> {
        let mut is_second_try = false;
        let mut behind = None;
        loop {
            if (is_second_try || !self.is_recent(kind, type_name))
                && let Err(error) = self.refresh(kind, type_name).await
            {
                let fault = error.fault();
                let has_row = self.scanner.index().resolve(kind, type_name).is_some();
                if !error.is_busy() || !has_row || is_second_try {
                    let not_ready = self.not_ready(kind, type_name, Some(explain(&error))).await;
                    return Err(NotReady { fault: Some(fault), ..not_ready });
                }
                // What others write meanwhile is no reason not to run what is there.
                behind = Some(format!("{fault}; `{type_name}` runs as it was built last"));
            }
            let index = self.scanner.index();
            let Some(row) = index.resolve(kind, type_name).map(Arc::clone) else {
                return Err(self.not_ready(kind, type_name, None).await);
            };
            let behind = behind.clone().or_else(|| degraded(&row, type_name));
            let opened = self.opened.get(kind, type_name, &index).filter(|_| !is_second_try);
            if let Some(ready) = opened {
                return Ok(ReadyType { behind, ..ready });
            }
            match self.open(&index, &row, is_second_try).await {
                Ok(ready) => {
                    if !is_second_try {
                        self.opened.keep((kind, type_name), &index, &ready, READY_FOR);
                    }
                    return Ok(ReadyType { behind, ..ready });
                }
                // Found damaged only now, by its digest: taken away, so that the second try builds it again.
                Err(OpenError::Store(error)) if !is_second_try => {
                    self.scanner.ports().discard_unusable(&error).await;
                    is_second_try = true;
                }
                Err(OpenError::Store(error)) => {
                    let fault = Some(error.fault().clone());
                    return Err(NotReady { fault, ..self.not_ready(kind, type_name, None).await });
                }
                Err(OpenError::Undescribed) if !is_second_try => is_second_try = true,
                Err(OpenError::Undescribed) => {
                    let remark = "the catalog has lost the description".to_owned();
                    let advice = Advice::new(UserAction::RebuildCatalog).and(" restores it");
                    let not_ready = self.not_ready(kind, type_name, Some(remark)).await;
                    return Err(NotReady { advice: Some(advice), ..not_ready });
                }
                Err(OpenError::Remark(remark)) => return Err(self.not_ready(kind, type_name, Some(remark)).await),
            }
        }
    }
}

/// Why code runs that is not what its source says now; `None` if it is.
fn degraded(row: &Row, type_name: &TypeName) -> Option<String> {
    let reason = row.degraded.as_ref()?.first_message.lines().next().unwrap_or_default();
    let source = &row.source;
    Some(format!("{source} cannot be used as it is now, and `{type_name}` runs as it was built last: {reason}"))
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

fn lock(checks: &Mutex<RecentChecks>) -> MutexGuard<'_, RecentChecks> {
    checks.lock().unwrap_or_else(PoisonError::into_inner)
}
