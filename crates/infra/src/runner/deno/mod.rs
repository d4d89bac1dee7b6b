//! Running methods in Deno: in processes with the permissions that are granted and no others, each of which serves one session
//! at a time, and further ones like it (`pool.rs`).

mod bounds;
mod code_directory;
mod denials;
mod grants;
mod handover;
mod listings;
mod loaded;
mod pool;
mod process;
mod session;
mod start;
mod traces;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    digest::Digest,
    failure::Fault,
    ports::{Entropy, HostCall, MethodRunner, OpenRequest, RunError, Session},
    problem::Code,
    source::RootId,
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    faults::{Operation, io_fault},
    stamp::Seen,
};
use mangrove_sources::LocalTree;
use tokio::{process::Command, sync::Semaphore};

pub use self::bounds::PoolLimits;
use self::{
    code_directory::CodeDirectory, handover::HandedFiles, listings::Listings, loaded::Loaded, pool::Pool,
    process::Process, session::DenoSession, start::Start,
};
use crate::{
    runtime::{PROXY_VARIABLES, ProgramLocations},
    worker::{child_failure::spawn_failure, guarded::Guarded, session::is_nested},
};

/// Variables of ours that Deno itself needs to reach and trust the network. Code sees them only if they are granted.
const NETWORK_VARIABLES: &[&str] = &["DENO_CERT", "DENO_TLS_CA_STORE", "SSL_CERT_DIR", "SSL_CERT_FILE"];

/// Where the roots of a repository lie.
#[async_trait]
pub trait Roots: Send + Sync {
    /// The directory of a root, absolute; `None` if it is not there.
    async fn directory(&self, root: &RootId) -> Option<PathBuf>;

    /// The directories of all roots that are there, absolute and without symbolic links.
    async fn directories(&self) -> Vec<PathBuf>;
}

#[async_trait]
impl Roots for LocalTree {
    async fn directory(&self, root: &RootId) -> Option<PathBuf> {
        self.directory_of(root).await
    }

    async fn directories(&self) -> Vec<PathBuf> {
        LocalTree::directories(self).await
    }
}

/// What a [`DenoRunner`] works with.
pub struct Options {
    /// What starts the program so that it does not outlive us, with arguments that come before the program's file; if
    /// empty, it is started as it is.
    pub launcher: Vec<OsString>,
    /// Where the program is looked for.
    pub places: ProgramLocations,
    /// `.mangrove`, absolute: code is laid out in `deno/run` below it, Deno's own cache lies in `deno/cache`.
    pub state_directory: PathBuf,
    /// The repository, absolute: processes work in it, and relative paths of grants begin there.
    pub repository: PathBuf,
    /// Variables of the process.
    pub environment: BTreeMap<String, String>,
    /// Where roots lie.
    pub roots: Arc<dyn Roots>,
    /// Makes the marker by which a process is known.
    pub entropy: Arc<dyn Entropy>,
    /// How many sessions may be open at once, at least 1.
    pub size: usize,
    /// How much memory a process may keep resident while it works, in bytes.
    pub memory_limit_bytes: u64,
    /// How long loading a bundle may take.
    pub open_limit: Duration,
    /// How long a call may take, without the time that the host takes for its answers.
    pub call_limit: Duration,
    /// What is kept for further sessions.
    pub pool: PoolLimits,
}

/// The usual limit of [`Options::memory_limit_bytes`].
pub const MEMORY_LIMIT_BYTES: u64 = 1 << 30;
/// The usual limit of [`Options::open_limit`].
pub const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// The usual limit of [`Options::call_limit`].
pub const CALL_LIMIT: Duration = Duration::from_mins(10);

/// Runs methods in Deno. Dropping it ends the processes that wait for a session.
pub struct DenoRunner {
    options: Options,
    sessions: Arc<Semaphore>,
    pool: Arc<Pool>,
    listings: Arc<Listings>,
}

impl DenoRunner {
    /// A runner. Nothing is looked for, created or run yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let places = options.size.max(1);
        let pool = Arc::new(Pool::new(options.pool, places));
        Self { options, sessions: Arc::new(Semaphore::new(places)), pool, listings: Arc::default() }
    }

    /// How many processes there are, and how many of them wait for a session. The others have one, or come to rest after one.
    #[must_use]
    pub fn processes(&self) -> (usize, usize) {
        self.pool.count()
    }

    /// The directory that a root is, absolute; `None` if it is not there.
    pub(super) async fn root_directory(&self, root: &RootId) -> Option<PathBuf> {
        self.options.roots.directory(root).await
    }

    /// True if there is a Deno to run.
    pub(super) fn is_there(&self) -> bool {
        self.options.places.deno().is_ok()
    }

    /// Remembers, also for later processes, that this bundle needs Deno though nothing says so.
    pub(super) fn remember(&self, bundle: &LoadedBundle) {
        let mark = self.mark(bundle);
        if let Err(error) = atomic::write(&self.options.state_directory, &mark, b"", Durability::Volatile) {
            tracing::debug!(mark = %mark.display(), %error, "it will be found out again");
        }
    }

    /// True if that was remembered.
    pub(super) fn remembers(&self, bundle: &LoadedBundle) -> bool {
        self.mark(bundle).exists()
    }

    fn mark(&self, bundle: &LoadedBundle) -> PathBuf {
        let digest = Digest::of(bundle.code.as_bytes()).to_string();
        self.options.state_directory.join("deno").join("run").join("needed").join(digest)
    }

    fn command(&self, start: &Start, files: &Path) -> Result<Command, Fault> {
        let own = ["--allow-read=", "--allow-write="].map(|flag| grants::with_path(flag, files));
        let permissions = grants::checked(start.permissions.iter().cloned().chain(own).collect())?;
        let program = start.program.as_os_str();
        let megabytes = (self.options.memory_limit_bytes >> 20).saturating_mul(2);
        let mut words = self.options.launcher.iter().map(OsString::as_os_str).chain([program]);
        let mut command = Command::new(words.next().unwrap_or(program));
        command
            .args(words)
            .arg("run")
            .args(["--quiet", "--no-prompt", "--no-remote", "--no-npm", "--no-config", "--no-lock"])
            // Our own limit comes first and says what happened.
            .arg(format!("--v8-flags=--max-old-space-size={megabytes}"))
            .args(permissions)
            .arg(&start.main)
            .env_clear()
            .envs(&start.grantee.variables)
            .envs(self.network())
            .env("DENO_DIR", self.cache())
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("DENO_NO_PACKAGE_JSON", "1")
            .env("NO_COLOR", "1")
            .current_dir(&self.options.repository);
        // Programs are looked for before it is asked whether they may be started; without this, all would be missing.
        if let Some(path) = self.options.environment.get("PATH") {
            command.env("PATH", path);
        }
        Ok(command)
    }

    /// What a process for this would be started with, as things are now.
    async fn start(&self, request: &OpenRequest, program: PathBuf) -> Result<Start, Fault> {
        let root = match &request.root_directory {
            Some(directory) => Some(directory.clone()),
            None => self.root_directory(&request.grantee.root).await,
        };
        let roots = self.options.roots.directories().await;
        let (repository, state_directory) = (self.options.repository.clone(), self.options.state_directory.clone());
        let (listings, cache) = (Arc::clone(&self.listings), self.cache());
        let (bundle, grantee) = (request.bundle.clone(), request.grantee.clone());
        let export_name = request.export_name.clone();
        let prepared = mangrove_fs::blocking(move || {
            let main = CodeDirectory::new(&state_directory).lay_out(&bundle)?;
            // Deno writes there by itself.
            Directory::make(&state_directory, &cache).map_err(|error| io_fault(Operation::Create, &cache, &error))?;
            let places = denials::Places {
                root: root.as_deref(),
                repository: &repository,
                state_directory: &state_directory,
                roots: &roots,
                listings: &listings,
            };
            let permissions = grants::arguments(&grantee, places)?;
            let metadata = std::fs::metadata(&program);
            let program_seen = metadata.map_err(|error| io_fault(Operation::Read, &program, &error))?;
            let program_seen = Seen::of(&program_seen);
            Ok(Start { program, program_seen, main, bundle, state_directory, export_name, grantee, root, permissions })
        });
        prepared.await.unwrap_or_else(|error| Err(unprepared(&error)))
    }

    /// A new process that has loaded what is asked for, and what was logged meanwhile.
    async fn started(&self, start: Start, request: &OpenRequest) -> Result<(Loaded, Vec<HostCall>), RunError> {
        let counted = self.pool.make_room();
        let state_directory = self.options.state_directory.clone();
        let files = mangrove_fs::blocking(move || {
            HandedFiles::new(&state_directory)
                .map_err(|error| io_fault(Operation::Create, &std::env::temp_dir(), &error))
        });
        let files = files.await.unwrap_or_else(|error| Err(unprepared(&error))).map_err(RunError::Fault)?;
        let mut command = self.command(&start, &files.directory()).map_err(RunError::Fault)?;
        let child = Guarded::spawn_telling(&mut command, self.options.memory_limit_bytes)
            .map_err(|error| RunError::Fault(spawn_failure(&start.program, &error)))?;
        let mut process = Process::new(child, self.options.entropy.identifier());
        let early = session::load(&mut process, &start, request, self.options.open_limit).await?;
        Ok((Loaded::new(process, Arc::new(start), files, &self.cache(), counted), early))
    }

    fn cache(&self) -> PathBuf {
        self.options.state_directory.join("deno").join("cache")
    }

    fn network(&self) -> BTreeMap<String, String> {
        let both = PROXY_VARIABLES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]);
        let names = NETWORK_VARIABLES.iter().map(|name| (*name).to_owned()).chain(both);
        let mut network: BTreeMap<String, String> =
            names.filter_map(|name| Some((name.clone(), self.options.environment.get(&name)?.clone()))).collect();
        // As our own client does: what the system trusts is trusted.
        network.entry("DENO_TLS_CA_STORE".to_owned()).or_insert_with(|| "system,mozilla".to_owned());
        network
    }
}

impl Drop for DenoRunner {
    fn drop(&mut self) {
        self.pool.close();
    }
}

#[async_trait]
impl MethodRunner for DenoRunner {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        let program = self.options.places.deno().map_err(RunError::Fault)?;
        // As for embedded sessions: what a host opens on behalf of another session takes no place.
        let place = if is_nested() { None } else { Arc::clone(&self.sessions).acquire_owned().await.ok() };
        let start = self.start(&request, program.path).await.map_err(RunError::Fault)?;
        let (pool, limit) = (Arc::clone(&self.pool), self.options.call_limit);
        while let Some(mut loaded) = self.pool.take(&start, &request.run).await {
            match loaded.begin().await {
                Ok(()) => return Ok(Box::new(DenoSession::new(loaded, pool, request, limit, Vec::new(), place))),
                // Nothing was asked of it yet: another one does as well.
                Err(failure) => tracing::debug!(?failure, "a process of Deno that waited is of no use"),
            }
        }
        let (loaded, early) = self.started(start, &request).await?;
        Ok(Box::new(DenoSession::new(loaded, pool, request, limit, early, place)))
    }
}

fn unprepared(error: &mangrove_fs::Unfinished) -> Fault {
    Fault::transient(Code::RUNTIME_FAILED, "program:deno", format!("cannot prepare a session: {error}"))
}
