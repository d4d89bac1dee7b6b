//! A bounded pool of children.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{Bundle, BundleFile},
    failure::Fault,
    inspection::Inspection,
    outage::Outages,
    package::PackageRequest,
    ports::{
        BuildFailure, BundleRequest, Bundler, ExportInspector, InspectRequest, MethodRunner, OpenRequest, RunError,
        Session,
    },
    route::Route,
};
use mangrove_npm::vendor::{VendorBundler, VendorOutput, VendorRequest};
use mangrove_sources::parser::{ModuleParser, ParsedModule};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    child_failure::ChildFailure,
    children::{Children, Kept},
    options::PoolOptions,
    session::{PooledSession, is_nested},
    wire::{self, Reply, Request, WireError},
};
use crate::bundler::embedded;

/// Children of this program that parse, bundle, inspect and run.
///
/// Cheap to clone. Waiting for a free place is fair. Children are started when they are needed and end when they
/// are idle; dropping the last clone kills those that are left.
#[derive(Clone, Debug)]
pub struct Pool {
    children: Arc<Children>,
}

impl Pool {
    /// A pool without any children yet.
    #[must_use]
    pub fn new(options: PoolOptions) -> Self {
        Self { children: Arc::new(Children::new(options)) }
    }

    /// Children that wait for a job right now.
    #[must_use]
    pub fn idle_workers(&self) -> usize {
        self.children.idle()
    }

    /// How many jobs it has at once at most, and how many it has.
    pub(super) fn jobs(&self) -> (usize, usize) {
        self.children.load(&self.children.jobs)
    }

    /// How many sessions it has at once at most, and how many it has. Those that a host opens on behalf of another one
    /// do not count.
    pub(super) fn sessions(&self) -> (usize, usize) {
        self.children.load(&self.children.sessions)
    }

    async fn job(&self, task: &str, request: &Request<'_>, limit: Duration) -> Result<Reply, Fault> {
        self.job_with(task, &[], request, limit).await
    }

    /// A job about a bundle with these vendor files.
    async fn job_with(
        &self,
        task: &str,
        vendor_files: &[BundleFile],
        request: &Request<'_>,
        limit: Duration,
    ) -> Result<Reply, Fault> {
        let frame = wire::frame(request).map_err(|error| nonsense(&error, task))?;
        let _place = self.children.jobs.acquire().await;
        let (process, reply) = self.children.begin(task, vendor_files, &frame, limit).await?;
        self.children.give_back(process);
        Ok(reply)
    }
}

fn nonsense(error: &WireError, task: &str) -> Fault {
    ChildFailure::Confused(error.to_string()).fault(task)
}

fn unexpected(reply: &Reply, task: &str) -> Fault {
    let name = match reply {
        Reply::Accepted => "Accepted",
        Reply::Parsed(_) => "Parsed",
        Reply::Bundled(_) => "Bundled",
        Reply::Vendored(_) => "Vendored",
        Reply::Inspected(_) => "Inspected",
        Reply::Opened(_) => "Opened",
        Reply::HostCall { .. } => "HostCall",
        Reply::Web(_) => "Web",
        Reply::Returned { .. } => "Returned",
        Reply::Begun(_) => "Begun",
        Reply::Closed => "Closed",
        Reply::Panicked(_) => "Panicked",
        Reply::Refused(_) => "Refused",
    };
    ChildFailure::Confused(format!("an unexpected {name}")).fault(task)
}

#[async_trait]
impl ModuleParser for Pool {
    async fn parse(&self, path: &str, bytes: Arc<[u8]>) -> Result<ParsedModule, Fault> {
        let task = format!("parsing `{path}`");
        let limit = self.children.options.time_limits.parse;
        match self.job(&task, &Request::Parse { path, bytes: &bytes }, limit).await? {
            Reply::Parsed(module) => Ok(module),
            other => Err(unexpected(&other, &task)),
        }
    }
}

#[async_trait]
impl Bundler for Pool {
    async fn route(&self, _request: &PackageRequest) -> Route {
        Route::prepared(embedded::identity())
    }

    async fn bundle(&self, request: BundleRequest, _outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        let task = format!("bundling `{}`", request.graph.entry);
        let limit = self.children.options.time_limits.bundle;
        match self.job(&task, &Request::Bundle((&request).into()), limit).await? {
            Reply::Bundled(Ok(bundle)) => Ok(bundle.into()),
            Reply::Bundled(Err(failure)) => {
                Err(failure.try_into().unwrap_or_else(|error: WireError| nonsense(&error, &task).into()))
            }
            other => Err(unexpected(&other, &task).into()),
        }
    }
}

#[async_trait]
impl VendorBundler for Pool {
    async fn build_vendor(&self, mut request: VendorRequest) -> Result<VendorOutput, Fault> {
        let task = format!("bundling the package {}", request.package);
        // The child works in another directory.
        if let Ok(absolute) = std::path::absolute(&request.directory) {
            request.directory = absolute;
        }
        let limit = self.children.options.time_limits.vendor;
        match self.job(&task, &Request::Vendor(request), limit).await? {
            Reply::Vendored(Ok(output)) => {
                let files = output.files.into_iter().map(|(path, code)| BundleFile { path, code: code.into() });
                Ok(VendorOutput {
                    files: files.collect(),
                    shared_imports: output.shared_imports,
                    names: output.names,
                    shared_names: output.shared_names,
                })
            }
            Reply::Vendored(Err(fault)) => Err(fault.try_into().unwrap_or_else(|error| nonsense(&error, &task))),
            other => Err(unexpected(&other, &task)),
        }
    }
}

#[async_trait]
impl ExportInspector for Pool {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        let task = format!("inspecting {}", request.subject);
        let limit = self.children.options.time_limits.inspect;
        let message = Request::inspect(&request, &self.children.options.inspect_limits);
        match self.job_with(&task, &request.bundle.vendor_files, &message, limit).await? {
            Reply::Inspected(Ok(inspection)) => inspection.try_into().map_err(|error| nonsense(&error, &task)),
            Reply::Inspected(Err(fault)) => Err(fault.try_into().unwrap_or_else(|error| nonsense(&error, &task))),
            other => Err(unexpected(&other, &task)),
        }
    }
}

#[async_trait]
impl MethodRunner for Pool {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        let task = format!("loading {}", request.subject);
        // A session that a host opens on behalf of another one takes no place: the outer one keeps its own until the
        // inner one is done, so that waiting could last for ever.
        let place: Option<OwnedSemaphorePermit> =
            if is_nested() { None } else { Arc::clone(&self.children.sessions).acquire_owned().await.ok() };
        if let Some((process, kept)) = self.children.begin_again(&request).await {
            return Ok(Box::new(PooledSession::new(Arc::clone(&self.children), process, place, kept)));
        }
        let message = Request::open(&request, self.children.options.web.is_some(), &self.children.options.run_limits);
        let frame = wire::frame(&message).map_err(|error| RunError::Fault(nonsense(&error, &task)))?;
        let limit = self.children.options.time_limits.open;
        let begun = self.children.begin(&task, &request.bundle.vendor_files, &frame, limit).await;
        let (process, reply) = begun.map_err(RunError::Fault)?;
        match reply {
            Reply::Opened(Ok(())) => {
                Ok(Box::new(PooledSession::new(Arc::clone(&self.children), process, place, Kept::new(request))))
            }
            Reply::Opened(Err(error)) => {
                self.children.give_back(process);
                Err(error.try_into().unwrap_or_else(|error| RunError::Fault(nonsense(&error, &task))))
            }
            other => Err(RunError::Fault(unexpected(&other, &task))),
        }
    }
}
