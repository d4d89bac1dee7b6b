//! The second bundler: `deno bundle`, for imports that the embedded one cannot serve. How it is called, what it is
//! asked when it fails, and why: `design/bundling.md`.

mod build_directory;
mod classify;
mod hosts;
mod locked;
mod own_places;
mod reads;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::Bundle,
    failure::{Failure, FailureClass, Fault},
    fingerprint::{Line, Part},
    module_graph::ModuleGraph,
    outage::Outages,
    package::PackageRequest,
    ports::{BuildFailure, BundleRequest, Bundler},
    problem::Code,
    route::{Resolver, Route},
    shipped,
};
use mangrove_fs::{
    directory::Directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};
use mangrove_npm::{deno_lock::DenoLocks, registry::Client, settings::Locations, unmapped};
use mangrove_sources::{parse::MAXIMUM_MODULE_BYTES, parser::ModuleParser};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use self::{
    build_directory::BuildDirectory,
    hosts::{Heard, Hosts},
    reads::{Line as Said, Reads},
};
use super::options;
use crate::runtime::{
    PROXY_VARIABLES, ProgramLocations,
    child::{self, Call, Ended},
    version::Versions,
};

/// Moves when our use of Deno changes what comes out of it.
const FORMAT: &str = "3";

/// The largest bundle that is accepted, in bytes.
const LARGEST_BUNDLE: u64 = 64 << 20;

/// Variables of ours that Deno may see: what it needs to find, trust and be known to registries. Secrets of extensions
/// are none of its business.
const PASSED_VARIABLES: &[&str] = &[
    "DENO_AUTH_TOKENS",
    "DENO_CERT",
    "DENO_TLS_CA_STORE",
    "HOME",
    "JSR_URL",
    "LANG",
    "NPM_CONFIG_REGISTRY",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
];

/// Nobody listens here: how Deno, which knows no offline mode when it bundles, is kept off the network.
const DEAD_END: &str = "http://127.0.0.1:9";

/// How long a failure for lack of Deno's tool counts for the next source as well: for those of one scan, not for a
/// person who tries again.
const SHARED: Duration = Duration::from_millis(200);

/// What a [`DenoBundler`] works with.
pub struct Options {
    /// Where the program is looked for.
    pub places: ProgramLocations,
    /// Tells its version.
    pub versions: Versions,
    /// `.mangrove`: Deno's own cache lies in `deno/cache` below it.
    pub state_directory: PathBuf,
    /// The repository root, for its `.npmrc`.
    pub repository: PathBuf,
    /// Variables of the process.
    pub environment: BTreeMap<String, String>,
    /// Forbids the network.
    pub is_offline: bool,
    /// Forbids what no `deno.lock` holds: it fails with `LOCK_OUTDATED`.
    pub is_locked: bool,
    /// Bundles the extension's own modules: finds their errors and what they require.
    pub embedded: Arc<dyn Bundler>,
    /// Reads what came out.
    pub parser: Arc<dyn ModuleParser>,
    /// Asks the hosts that Deno fetches from whether they answer.
    pub client: Arc<Client>,
    /// How long one build may take, all calls of Deno together.
    pub limit: Duration,
}

/// The usual time limit of a build.
pub const LIMIT: Duration = Duration::from_mins(2);

/// Bundles with `deno bundle`.
pub struct DenoBundler {
    options: Options,
    hosts: Hosts,
    locks: DenoLocks,
    /// When a build failed for lack of Deno's own tool, and how.
    tool_failure: tokio::sync::Mutex<Option<(Instant, Fault)>>,
}

/// What is done with the entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DenoCommand {
    Bundle,
    /// Fetches what the entry needs. Unlike `bundle`, it reports why it cannot.
    Fetch,
    /// The same, without trusting that what was not there a while ago is not there now.
    FetchAgain,
}

impl DenoBundler {
    /// A bundler. Nothing is looked for, created or run yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let locations = Locations { repository: options.repository.clone(), environment: options.environment.clone() };
        let hosts = Hosts::new(Arc::clone(&options.client), locations);
        Self { options, hosts, locks: DenoLocks::default(), tool_failure: tokio::sync::Mutex::default() }
    }

    fn home(&self) -> PathBuf {
        let directory = self.options.state_directory.join("deno");
        std::path::absolute(&directory).unwrap_or(directory)
    }

    fn cache(&self) -> PathBuf {
        self.home().join("cache")
    }

    /// True if the part that Deno fetches before its first bundle is there.
    fn has_tool(&self) -> bool {
        let entries = fs::read_dir(self.cache().join("dl")).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("esbuild"))
    }

    async fn build(&self, program: &Path, request: &BundleRequest, outages: &Outages) -> Result<String, Fault> {
        let arrived = Instant::now();
        if self.has_tool() {
            return self.build_with_tool(program, request, outages).await;
        }
        // Without its tool no build can succeed: one attempt at a time, whose failure counts for all that wait.
        let mut last = self.tool_failure.lock().await;
        if self.has_tool() {
            drop(last);
            return self.build_with_tool(program, request, outages).await;
        }
        if let Some((at, fault)) = &*last
            && (*at > arrived || at.elapsed() < SHARED)
        {
            return Err(fault.clone());
        }
        let outcome = match self.preflight(outages).await {
            Ok(()) => self.build_with_tool(program, request, outages).await,
            Err(fault) => Err(self.lacking(fault)),
        };
        if let Err(fault) = &outcome
            && fault.code == Code::RUNTIME_INCOMPLETE
        {
            *last = Some((Instant::now(), fault.clone()));
        }
        outcome
    }

    /// Makes sure that the registry answers from which Deno would get its tool.
    async fn preflight(&self, outages: &Outages) -> Result<(), Fault> {
        if self.options.is_offline {
            return Ok(());
        }
        self.hosts.reach_registry_of("@esbuild/any", outages).await
    }

    /// What a host that does not answer means while Deno's tool is not there.
    fn lacking(&self, fault: Fault) -> Fault {
        if self.has_tool() { fault } else { classify::lacking(fault.class, &fault.cause.0, &fault.message) }
    }

    async fn build_with_tool(
        &self,
        program: &Path,
        request: &BundleRequest,
        outages: &Outages,
    ) -> Result<String, Fault> {
        let deadline = Instant::now() + self.options.limit;
        let build = BuildDirectory::write(&self.home(), &request.graph, self.npmrc())?;
        let run = |command| self.run(program, &build, command, deadline, outages);
        let bundled = run(DenoCommand::Bundle).await?;
        let first = match self.accept_output(&bundled, &build, &request.graph).await? {
            Ok(code) => return Ok(code),
            Err(fault) => fault,
        };
        if !self.has_tool() {
            return Err(self.settled(classify::tool(&bundled.errors)));
        }
        // `deno bundle` says "not found" whatever the registry said; `deno cache` says what it said.
        let mut fetched = run(DenoCommand::Fetch).await?;
        let is_not_found = |ended: &Ended| {
            !ended.status.success() && classify::output(&ended.errors, &build.names()).code == Code::PACKAGE_NOT_FOUND
        };
        if is_not_found(&fetched) && !self.options.is_offline {
            fetched = run(DenoCommand::FetchAgain).await?;
        }
        if !fetched.status.success() {
            return Err(self.settled(fault_of(&fetched, &build)));
        }
        // Whatever it was has passed, or it is not about fetching.
        let again = run(DenoCommand::Bundle).await?;
        // Of the two failures, the one with the more specific message.
        let settle = |fault: Fault| self.settled(if fault.code == Code::BUNDLE_FAILED { first } else { fault });
        self.accept_output(&again, &build, &request.graph).await?.map_err(settle)
    }

    /// The bundle, if this call made one that is whole, of what may be used.
    async fn accept_output(
        &self,
        ended: &Ended,
        build: &BuildDirectory,
        graph: &ModuleGraph,
    ) -> Result<Result<String, Fault>, Fault> {
        if !ended.status.success() {
            return Ok(Err(fault_of(ended, build)));
        }
        if self.options.is_locked {
            locked::after(graph, build)?;
        }
        let code = build.output(LARGEST_BUNDLE)?;
        // More than the parser of sources reads, as some SDKs are: whatever is wrong in it, the inspection finds.
        if code.len() > MAXIMUM_MODULE_BYTES {
            return Ok(Ok(code));
        }
        let parsed = self.options.parser.parse("bundle.js", Arc::from(code.as_bytes())).await?;
        if let Some(error) = parsed.syntax_error {
            let message = format!("Deno wrote a bundle that does not parse: {} (line {})", error.message, error.line);
            return Ok(Err(Fault::environment(Code::BUNDLE_FAILED, "bundler:deno", message)));
        }
        let left = parsed.imports.iter().find(|import| !import.specifier.starts_with("node:") && !import.is_dynamic);
        Ok(match left {
            None => Ok(code),
            Some(import) => {
                let message = format!("Deno left the import {:?} where it is", import.specifier);
                let cause = format!("specifier:{}", import.specifier);
                Err(Fault::environment(Code::BUNDLE_FAILED, cause, message))
            }
        })
    }

    /// The fault as it is without a network that one may use.
    fn settled(&self, fault: Fault) -> Fault {
        if self.options.is_offline && fault.class != FailureClass::Deterministic {
            let message =
                format!("Deno has not cached what is needed, and the network may not be used: {}", fault.message);
            return Fault::environment(Code::OFFLINE, "offline", message);
        }
        fault
    }

    async fn run(
        &self,
        program: &Path,
        build: &BuildDirectory,
        command: DenoCommand,
        deadline: Instant,
        outages: &Outages,
    ) -> Result<Ended, Fault> {
        let mut arguments: Vec<OsString> = match command {
            DenoCommand::Bundle => {
                vec!["bundle".into(), "--platform".into(), "deno".into(), "-o".into(), build.out().into()]
            }
            DenoCommand::Fetch => vec!["cache".into()],
            DenoCommand::FetchAgain => vec!["cache".into(), "--reload".into()],
        };
        arguments.extend(build.arguments());
        arguments.push(build.entry().into());
        let call = Call {
            program,
            arguments,
            directory: build.directory(),
            environment: self.environment(),
            limit: deadline.saturating_duration_since(Instant::now()),
        };
        let packages = self.cache().join("npm");
        let mut reads = Directory::make(&self.home(), &packages)
            .and_then(|_| Reads::new(build.entry(), &build.files(), &packages))
            .map_err(|error| io_fault(Operation::Create, &packages, &error))?;
        let ended = self.watched(call, &mut reads, outages).await?;
        let is_bundle = command == DenoCommand::Bundle && ended.as_ref().is_none_or(|ended| ended.status.success());
        match (reads.fault(is_bundle), ended) {
            (Some(fault), _) => Err(fault),
            (None, Some(ended)) => Ok(ended),
            (None, None) => Err(Fault::environment(Code::RUNTIME_FAILED, "program:deno", "Deno was stopped")),
        }
    }

    /// Runs Deno while we listen: to what it reads, and to what it waits for. `None` if it was stopped because it wanted
    /// what it may not have.
    async fn watched(&self, call: Call<'_>, reads: &mut Reads, outages: &Outages) -> Result<Option<Ended>, Fault> {
        let (tell, heard) = mpsc::unbounded_channel();
        let refused = Notify::new();
        let mut hear = |line: &str| {
            let (heard, answer) = match reads.hear(line) {
                Said::Other => (Heard::of(line), child::Heard::Error),
                Said::Logged => (Heard::Bundles, child::Heard::Log),
                Said::Refused => {
                    refused.notify_one();
                    (Heard::Bundles, child::Heard::Log)
                }
            };
            // Nobody listens where the network may not be used.
            let _ = tell.send(heard);
            answer
        };
        let silent = async {
            if self.options.is_offline {
                return std::future::pending().await;
            }
            self.hosts.watch(heard, outages).await
        };
        tokio::select! {
            biased;
            () = refused.notified() => Ok(None),
            ended = call.run_heard(&mut hear) => ended.map(Some).map_err(|error| run_fault(&error)),
            fault = silent => Err(self.lacking(fault)),
        }
    }

    fn environment(&self) -> Vec<(String, OsString)> {
        let known = &self.options.environment;
        let mut environment: BTreeMap<String, OsString> = BTreeMap::new();
        let mut pass = |name: &str| {
            if let Some(value) = known.get(name) {
                environment.insert(name.to_owned(), value.into());
            }
        };
        for name in PASSED_VARIABLES {
            pass(name);
        }
        for name in PROXY_VARIABLES {
            pass(name);
            pass(&name.to_ascii_lowercase());
        }
        for name in self.npmrc().as_deref().map(variables).unwrap_or_default() {
            pass(&name);
        }
        for (name, value) in
            [("DENO_NO_UPDATE_CHECK", "1"), ("DENO_NO_PROMPT", "1"), ("NO_COLOR", "1"), ("DENO_LOG", reads::LOG)]
        {
            environment.insert(name.to_owned(), value.into());
        }
        // As our own client does: what the system trusts is trusted.
        environment.entry("DENO_TLS_CA_STORE".to_owned()).or_insert_with(|| "system,mozilla".into());
        environment.insert("DENO_DIR".to_owned(), self.cache().into());
        if let Some(registry) = known.get("MANGROVE_NPM_REGISTRY").filter(|registry| !registry.is_empty()) {
            environment.insert("NPM_CONFIG_REGISTRY".to_owned(), registry.into());
        }
        if self.options.is_offline {
            for name in PROXY_VARIABLES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]) {
                let value = if name.eq_ignore_ascii_case("NO_PROXY") { "" } else { DEAD_END };
                environment.insert(name, value.into());
            }
        }
        environment.into_iter().collect()
    }

    /// The repository's `.npmrc`, which Deno looks for beside its configuration.
    fn npmrc(&self) -> Option<String> {
        let repository = &self.options.repository;
        read::text(repository.join(".npmrc"), Within::Root(repository), FileKind::Document).ok()
    }
}

#[async_trait]
impl Bundler for DenoBundler {
    async fn route(&self, request: &PackageRequest) -> Route {
        let identity = match self.options.places.deno() {
            Ok(program) => self.options.versions.of(&program.path).await.ok().map(|version| {
                Part::of([
                    Line::new("adapter", "deno"),
                    Line::new("version", format!("deno {version}")),
                    Line::new("bundle-format", FORMAT),
                ])
            }),
            Err(_) => None,
        };
        let packages = self.locks.part(request.lock.as_deref(), &request.specifiers);
        Route { identity, resolver: Resolver::Bundler(packages) }
    }

    async fn fails_again(&self, _request: &PackageRequest, earlier: &Failure) -> Option<Fault> {
        // What is not locked is told before.
        if self.options.is_locked || earlier.code != Code::RUNTIME_MISSING {
            return None;
        }
        self.options.places.deno().err()
    }

    async fn bundle(&self, mut request: BundleRequest, outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        // The extension's own errors come first, typed and with their place, whether Deno is there or not.
        let outside = request.graph.externals().into_iter().map(|name| (name.to_owned(), name.to_owned()));
        request.imports = outside.collect();
        let mut own = request.clone();
        own.graph.compiler_options = options::without_precompile(&request.graph.compiler_options);
        let own = self.options.embedded.bundle(own, outages).await?;
        // Deno reads the same configuration, and would say in words of its own that this name is not in it.
        if let Some(name) = request.graph.externals().into_iter().find(|name| shipped::is_unmapped(name)) {
            return Err(unmapped(name).into());
        }
        if self.options.is_locked {
            locked::before(&request.graph)?;
        }
        let program = self.options.places.deno().map_err(|fault| wanted_by(&request.graph, fault))?;
        own_places::tell(&mut request.graph, self.options.parser.as_ref()).await?;
        let code = self.build(&program.path, &request, outages).await?;
        Ok(Bundle { code, requirements: own.requirements, remarks: own.remarks })
    }
}

/// Why there has to be a Deno: the first import that only it serves. Where all is built by it, no import is the reason.
fn wanted_by(graph: &ModuleGraph, fault: Fault) -> Fault {
    let Some(import) = graph.externals().into_iter().find(|name| needs_deno(name)) else { return fault };
    let message = format!("the import {import:?} needs Deno: {}", fault.message);
    let fault = Fault { message, ..fault };
    match graph.place_of(import) {
        Some(place) => fault.at(place),
        None => fault,
    }
}

/// True for what Deno serves and the embedded bundler does not. A bare name that nothing maps is served by neither;
/// the embedded bundler says so, and needs no program for that.
pub(super) fn needs_deno(specifier: &str) -> bool {
    ["jsr:", "https:", "http:"].iter().any(|scheme| specifier.starts_with(scheme))
}

/// What a failed call means.
fn fault_of(ended: &Ended, build: &BuildDirectory) -> Fault {
    ended_by_signal(ended).unwrap_or_else(|| classify::output(&ended.errors, &build.names()))
}

fn ended_by_signal(ended: &Ended) -> Option<Fault> {
    if ended.status.code().is_some() {
        return None;
    }
    let message = format!("Deno was ended by {}", ended.status);
    Some(Fault::environment(Code::RUNTIME_FAILED, "program:deno", message))
}

fn run_fault(error: &child::Error) -> Fault {
    match error {
        child::Error::TimedOut { .. } => Fault::environment(Code::RUNTIME_TIMED_OUT, "program:deno", error.to_string()),
        child::Error::Start { source, .. } => {
            let code = if source.kind() == std::io::ErrorKind::NotFound {
                Code::RUNTIME_MISSING
            } else {
                Code::RUNTIME_FAILED
            };
            Fault::environment(code, "program:deno", format!("{error}: {source}"))
        }
    }
}

/// The names in `${NAME}` of a settings file.
fn variables(text: &str) -> Vec<String> {
    let parts = text.split("${").skip(1);
    parts.filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect()
}

#[cfg(test)]
mod fence_tests;
#[cfg(test)]
mod outage_tests;
#[cfg(test)]
mod tests;
