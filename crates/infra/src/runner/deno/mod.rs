//! Running methods in Deno: one process for each session, with the permissions that are granted and no others.

mod code_directory;
mod denials;
mod grants;
mod handover;
mod session;

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
    ports::{Entropy, MethodRunner, OpenRequest, RunError, Session},
    problem::Code,
    source::RootId,
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    faults::{Operation, io_fault},
};
use mangrove_sources::LocalTree;
use tokio::{process::Command, sync::Semaphore};

use self::{code_directory::CodeDirectory, handover::HandedFiles, session::DenoSession};
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
}

/// The usual limit of [`Options::memory_limit_bytes`].
pub const MEMORY_LIMIT_BYTES: u64 = 1 << 30;
/// The usual limit of [`Options::open_limit`].
pub const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// The usual limit of [`Options::call_limit`].
pub const CALL_LIMIT: Duration = Duration::from_mins(10);

/// Runs methods in Deno.
pub struct DenoRunner {
    options: Options,
    sessions: Arc<Semaphore>,
}

impl DenoRunner {
    /// A runner. Nothing is looked for, created or run yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let places = options.size.max(1);
        Self { options, sessions: Arc::new(Semaphore::new(places)) }
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

    fn command(&self, program: &Path, main: &Path, permissions: Vec<OsString>, request: &OpenRequest) -> Command {
        let megabytes = (self.options.memory_limit_bytes >> 20).saturating_mul(2);
        let mut words = self.options.launcher.iter().map(OsString::as_os_str).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(program.as_os_str()));
        command
            .args(words)
            .arg("run")
            .args(["--quiet", "--no-prompt", "--no-remote", "--no-npm", "--no-config", "--no-lock"])
            // Our own limit comes first and says what happened.
            .arg(format!("--v8-flags=--max-old-space-size={megabytes}"))
            .args(permissions)
            .arg(main)
            .env_clear()
            .envs(&request.grantee.variables)
            .envs(self.network())
            .env("DENO_DIR", self.cache())
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("DENO_NO_PACKAGE_JSON", "1")
            .env("NO_COLOR", "1")
            .current_dir(&self.options.repository);
        command
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

#[async_trait]
impl MethodRunner for DenoRunner {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        let program = self.options.places.deno().map_err(RunError::Fault)?;
        // As for embedded sessions: what a host opens on behalf of another session takes no place.
        let place = if is_nested() { None } else { Arc::clone(&self.sessions).acquire_owned().await.ok() };
        let root = self.options.roots.directory(&request.grantee.root).await;
        let main =
            CodeDirectory::new(&self.options.state_directory).lay_out(&request.bundle).map_err(RunError::Fault)?;
        let cache = self.cache();
        // Deno writes there by itself.
        Directory::make(&self.options.state_directory, &cache)
            .map_err(|error| RunError::Fault(io_fault(Operation::Create, &cache, &error)))?;
        let roots = self.options.roots.directories().await;
        let (repository, state_directory) = (self.options.repository.clone(), self.options.state_directory.clone());
        let grantee = request.grantee.clone();
        let permissions = mangrove_fs::blocking(move || {
            let places = denials::Places {
                root: root.as_deref(),
                repository: &repository,
                state_directory: &state_directory,
                roots: &roots,
            };
            let files = HandedFiles::new(&state_directory).map_err(|error| {
                let directory = std::env::temp_dir();
                io_fault(Operation::Create, &directory, &error)
            })?;
            let mut permissions = grants::arguments(&grantee, places)?;
            permissions
                .extend(["--allow-read=", "--allow-write="].map(|flag| grants::with_path(flag, &files.directory())));
            Ok((grants::checked(permissions)?, files))
        });
        let permissions = permissions.await.unwrap_or_else(|error| {
            Err(Fault::transient(Code::RUNTIME_FAILED, "program:deno", format!("cannot prepare a session: {error}")))
        });
        let (permissions, files) = permissions.map_err(RunError::Fault)?;
        let mut command = self.command(&program.path, &main, permissions, &request);
        // Programs are looked for before it is asked whether they may be started; without this, all would be missing.
        if let Some(path) = self.options.environment.get("PATH") {
            command.env("PATH", path);
        }
        let child = Guarded::spawn(&mut command, self.options.memory_limit_bytes)
            .map_err(|error| RunError::Fault(spawn_failure(&program.path, &error)))?;
        let marker = self.options.entropy.identifier();
        let limits = session::Limits { open: self.options.open_limit, call: self.options.call_limit };
        Ok(Box::new(DenoSession::open(child, marker, request, limits, files, place).await?))
    }
}
