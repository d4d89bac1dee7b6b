//! One attempt for one source: build, inspect, judge. Never an `Err`: whatever happens is an outcome.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mangrove_domain::{
    bundle::{BundleRef, LoadedBundle, StoredObject, UNLIKE_DENO},
    description::{Description, Violation},
    digest::Digest,
    failure::Fault,
    fingerprint::{Inputs, Line, Part},
    foreign_state::ForeignState,
    observation::{Entry, Observation},
    outage::Outages,
    package::PreparedPackages,
    ports::{AttemptTimes, BuildLease, BundleRequest, InspectRequest},
    row::Row,
    settle::Outcome,
    shape::{Shape, Site},
    state::Indexed,
};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, info_span};

use super::{
    needs::Needs,
    ports::Ports,
    rivals::{Bundled, Contested, Leasing},
};
use crate::loaders::Registry;

/// What one attempt works with.
pub(super) struct Attempt {
    pub(super) ports: Ports,
    pub(super) loaders: Registry,
    pub(super) observation: Observation,
    pub(super) row: Option<Arc<Row>>,
    pub(super) needs: Needs,
    /// What it has taken up to now.
    pub(super) times: Mutex<AttemptTimes>,
    /// True if nothing that a build rests on has moved since it failed, our own code included.
    pub(super) is_sealed: bool,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) description: Option<Description>,
    pub(super) built: bool,
    pub(super) inspected: bool,
}

impl Ended {
    pub(super) const fn without_inspection(outcome: Outcome) -> Self {
        Self { outcome, description: None, built: true, inspected: false }
    }
}

/// What became of a build.
pub(super) enum Building {
    /// It has ended, under this lease.
    Ended(Box<Ended>, Option<BuildLease>),
    /// Another node made the attempt meanwhile.
    Elsewhere,
    /// Another node is at it.
    Busy,
}

impl From<Ended> for Building {
    fn from(ended: Ended) -> Self {
        Building::Ended(Box::new(ended), None)
    }
}

impl Attempt {
    /// Inspects the bundle that is there; `None` if it cannot be used and one must be built.
    pub(super) async fn look_at_kept(&self) -> Option<Ended> {
        let Entry::Readable { inputs, .. } = &self.observation.entry else {
            return Some(Ended { outcome: Outcome::InputsMoved, description: None, built: false, inspected: false });
        };
        let bundle = self.row.as_deref().and_then(Row::bundle)?;
        match self.ports.store.load(bundle).await {
            Ok(loaded) => {
                let mut ended = self
                    .inspect(bundle.clone(), (loaded, self.earlier_remarks().await), self.kept_inputs(inputs))
                    .await;
                ended.built = false;
                Some(ended)
            }
            Err(error) => {
                tracing::debug!(%error, "the kept bundle cannot be used, building again");
                self.ports.discard_unusable(&error).await;
                None
            }
        }
    }

    /// The inputs of the bundle that is there: the row's, unless only our rules moved and they are equal anyway.
    fn kept_inputs(&self, observed: &Inputs) -> Inputs {
        self.row.as_ref().and_then(|row| row.built.clone()).unwrap_or_else(|| observed.clone())
    }

    /// What others may be building, too.
    pub(super) fn contested(&self) -> Contested<'_> {
        Contested {
            ports: &self.ports,
            fingerprint: self.fingerprint(),
            source: &self.observation.source,
            row: self.row.as_deref(),
        }
    }

    /// Names what is about to be built; `None` if the source cannot be read.
    fn fingerprint(&self) -> Option<Digest> {
        let Entry::Readable { inputs, .. } = &self.observation.entry else { return None };
        let source = &self.observation.source;
        let fingerprint = Part::of([
            Line::new("kind", self.observation.kind.to_string()),
            Line::new("source", source.to_string()),
            Line::new("files", inputs.source.digest().to_string()),
            Line::new("config", inputs.config.digest().to_string()),
            Line::new("bundler", inputs.bundler.digest().to_string()),
        ]);
        Some(fingerprint.digest())
    }

    /// Makes the packages ready that the source imports. Whatever a network lets wait for, waits here.
    pub(super) async fn prepare(&self, outages: &Arc<Outages>) -> Result<PreparedPackages, Fault> {
        let (prepared, took) = timed(info_span!("prepare"), self.needs.prepare(&self.ports, outages)).await;
        self.note(|times| times.preparing = Some(took));
        prepared
    }

    /// Builds the source with its packages, and looks at what came out.
    pub(super) async fn build(
        &self,
        prepared: &Result<PreparedPackages, Fault>,
        outages: &Arc<Outages>,
        leasing: Leasing,
    ) -> Building {
        let Entry::Readable { inputs: observed, .. } = &self.observation.entry else {
            let moved = Ended { outcome: Outcome::InputsMoved, description: None, built: false, inspected: false };
            return moved.into();
        };
        if let Some(fault) = self.fails_as_before(prepared, observed).await {
            return Ended::without_inspection(failed(fault)).into();
        }
        let graph = match self.ports.tree.graph(&self.observation.source).await {
            Ok(Some(graph)) => graph,
            Ok(None) => return Ended::without_inspection(Outcome::InputsMoved).into(),
            Err(error) => return Ended::without_inspection(failed(error.fault().clone())).into(),
        };
        if graph.source.digest() != observed.source.digest() || graph.config.digest() != observed.config.digest() {
            return Ended::without_inspection(Outcome::InputsMoved).into();
        }
        let prepared = match prepared.clone() {
            Ok(prepared) => prepared,
            Err(fault) => return self.not_built(graph.placed(fault), observed).await.into(),
        };
        let request = BundleRequest { graph, imports: prepared.imports, offers: prepared.offers, inlined: Vec::new() };
        let (bundled, took) = timed(info_span!("build"), self.contested().bundle(request, outages, leasing)).await;
        let (bundled, lease) = match bundled {
            Bundled::Here(bundled, lease) => (bundled, lease),
            Bundled::Elsewhere => return Building::Elsewhere,
            Bundled::Busy => return Building::Busy,
        };
        self.note(|times| times.building = Some(took));
        let ended = match bundled {
            Ok(bundle) => {
                let packages = self.needs.packages_part(prepared.packages);
                let inputs = Inputs { packages, ..observed.clone() };
                self.take((&bundle.code, bundle.remarks), prepared.vendors, inputs).await
            }
            Err(failure) => self.not_built(failure.fault, observed).await,
        };
        Building::Ended(Box::new(ended), lease)
    }

    /// The failure of a build that fails for the same as before, where that can be told without reading a file: nothing
    /// that it rests on has moved since. `None` if it has to be built to find out.
    async fn fails_as_before(&self, prepared: &Result<PreparedPackages, Fault>, observed: &Inputs) -> Option<Fault> {
        if !self.is_sealed || self.needs.shipped.is_some() {
            return None;
        }
        let row = self.row.as_deref().filter(|row| row.attempted.as_ref() == Some(observed))?;
        let earlier = row.failure()?;
        let fault = match prepared {
            Err(fault) => fault.clone(),
            Ok(_) => self.ports.bundler.fails_again(&self.needs.packages, earlier).await?,
        };
        earlier.repeated_by(fault)
    }

    /// What the bundler had to say of the bundle that is there. A description that cannot be read has nothing to keep.
    async fn earlier_remarks(&self) -> Vec<String> {
        let Some(indexed) = self.row.as_deref().and_then(|row| row.state.indexed()) else { return Vec::new() };
        let description = self.ports.catalog.description(indexed.description).await.ok().flatten();
        let notes = description.map(|description| description.notes).unwrap_or_default();
        notes.into_iter().filter(|note| note.starts_with(UNLIKE_DENO)).collect()
    }

    /// Stores a bundle, of which the bundler had this to say, and looks at it.
    pub(super) async fn take(
        &self,
        (code, remarks): (&str, Vec<String>),
        vendors: Vec<StoredObject>,
        inputs: Inputs,
    ) -> Ended {
        let stored = match self.ports.store.put(code).await {
            Ok(stored) => stored,
            Err(error) => return Ended::without_inspection(failed(error.fault().clone())),
        };
        let reference = BundleRef { entry: stored, vendors };
        match self.ports.store.load(&reference).await {
            Ok(loaded) => self.inspect(reference, (loaded, remarks), inputs).await,
            Err(error) => Ended::without_inspection(failed(error.fault().clone())),
        }
    }

    async fn inspect(
        &self,
        bundle: BundleRef,
        (loaded, remarks): (LoadedBundle, Vec<String>),
        inputs: Inputs,
    ) -> Ended {
        let Some(judging) = self.loaders.get(&self.observation.kind) else {
            return Ended { outcome: Outcome::InputsMoved, description: None, built: true, inspected: false };
        };
        let layout = judging.layout();
        let foreign_state = ForeignState::named_in(&loaded.code);
        let request = InspectRequest {
            bundle: loaded,
            code_digest: Some(bundle.entry.key.digest()),
            export_names: layout.export_names.clone(),
            subject: self.observation.source.to_string(),
        };
        let ended = |outcome, description| Ended { outcome, description, built: true, inspected: true };
        let (inspected, took) = timed(info_span!("inspect"), self.ports.inspector.inspect(request)).await;
        self.note(|times| times.inspecting = Some(took));
        let inspection = match inspected {
            Ok(inspection) => inspection,
            Err(fault) => return ended(Outcome::InspectionFailed { fault, bundle, inputs }, None),
        };
        let Some((export_name, shape)) = inspection.export else {
            let names: Vec<&str> = layout.export_names.iter().map(AsRef::as_ref).collect();
            let violations = vec![Violation {
                path: String::new(),
                message: format!("expected a value exported as {}, found none", names.join(" or ")),
            }];
            return ended(Outcome::Rejected { bundle, violations, claimed_type: None, inputs }, None);
        };
        let site = Site {
            source: self.observation.source.clone(),
            export_name: export_name.to_string(),
            requirements: inspection.touched,
            notes: foreign_state.map(ForeignState::remark).into_iter().chain(remarks).chain(inspection.notes).collect(),
        };
        match judging.describe(&shape, &site) {
            Ok(description) => {
                let indexed = Indexed {
                    type_name: description.type_name.clone(),
                    version: description.version.as_ref().map(Arc::clone),
                    is_add_on: description.is_add_on,
                    description: description.digest(),
                    bundle,
                };
                ended(Outcome::Accepted { indexed, inputs }, Some(description))
            }
            Err(mut violations) => {
                self.add_line(&export_name, &mut violations).await;
                let name = shape.get(&layout.type_key).and_then(Shape::as_str);
                let claimed_type = name.and_then(|name| (layout.normalise)(name).ok());
                ended(Outcome::Rejected { bundle, violations, claimed_type, inputs }, None)
            }
        }
    }
}

impl Attempt {
    /// What it has taken up to now.
    pub(super) fn times(&self) -> AttemptTimes {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut AttemptTimes)) {
        note(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Does it in a span of its own, and says how long that took.
async fn timed<T>(span: Span, work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let outcome = work.instrument(span).await;
    (outcome, start.elapsed())
}

impl Attempt {
    /// Adds to every violation the line of the export. It holds as long as these bytes are there, since others are
    /// judged again.
    async fn add_line(&self, export_name: &str, violations: &mut [Violation]) {
        match self.ports.tree.export_line(&self.observation.source, export_name).await {
            Ok(Some(line)) => {
                for violation in violations {
                    violation.message = format!("{} (export in line {line})", violation.message);
                }
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the line of the export is not known"),
        }
    }
}

pub(super) const fn failed(fault: Fault) -> Outcome {
    Outcome::BuildFailed { fault }
}
