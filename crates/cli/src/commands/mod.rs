//! The commands, one file each, and what they share.

pub(crate) mod approval;
pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod catalog;
pub(crate) mod data;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod extension;
mod given;
pub(crate) mod history;
pub(crate) mod init;
mod junit;
pub(crate) mod model;
pub(crate) mod permissions;
mod reference;
pub(crate) mod report;
pub(crate) mod retry;
pub(crate) mod run;
mod running;
pub(crate) mod runtime;
pub(crate) mod scan;
pub(crate) mod serve;
pub(crate) mod types;
pub(crate) mod vault;
pub(crate) mod watch;
pub(crate) mod why;
pub(crate) mod workflow;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use mangrove_app::{
    loaders::Registry,
    service::{Access, BundlerChoice, Query, Service, Settings},
};
use mangrove_domain::{
    ports::{Clock, Progress},
    problem::Code,
    source::Kind,
    time::Timestamp,
};

use crate::{
    args::{Bundler, Global},
    client::Client,
    compose::{self, Overrides},
    errors::CommandError,
    interrupt::Interrupts,
    printer::Printer,
    progress::{Bar, Silent},
};

/// What every command has at hand.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) printer: Printer,
    pub(crate) interrupts: Interrupts,
    loaders: Registry,
    clock: Arc<dyn Clock>,
    environment: BTreeMap<String, String>,
    /// The service of the command, once it is built.
    service: OnceLock<Service>,
}

impl Context {
    pub(crate) fn new(
        global: Global,
        printer: Printer,
        loaders: Registry,
        clock: Arc<dyn Clock>,
        environment: BTreeMap<String, String>,
    ) -> Self {
        let (interrupts, service) = (Interrupts::default(), OnceLock::new());
        Self { global, printer, interrupts, loaders, clock, environment, service }
    }

    /// The service, for commands that build.
    pub(crate) fn open(&self, jobs: Option<u16>) -> Result<Service, CommandError> {
        self.service(Access::ReadWrite, jobs)
    }

    /// The service for commands that only look: nothing is created, migrated or built.
    pub(crate) fn look(&self) -> Result<Service, CommandError> {
        self.service(Access::ReadOnly, None)
    }

    /// The service for what a command may change.
    pub(crate) fn service(&self, access: Access, jobs: Option<u16>) -> Result<Service, CommandError> {
        self.compose(self.settings(access, jobs)?)
    }

    /// The service with these settings.
    pub(crate) fn compose(&self, settings: Settings) -> Result<Service, CommandError> {
        let progress: Arc<dyn Progress> =
            if self.printer.draws_progress() { Arc::new(Bar::default()) } else { Arc::new(Silent) };
        let overrides = Overrides { clock: Arc::clone(&self.clock), progress };
        let service = compose::compose(settings, self.loaders.clone(), overrides)?;
        Ok(self.service.get_or_init(|| service).clone())
    }

    /// What the arguments and the environment ask for.
    pub(crate) fn settings(&self, access: Access, jobs: Option<u16>) -> Result<Settings, CommandError> {
        let usual = Settings::new(self.repository()?);
        let bundler = self.global.bundler.map(|bundler| match bundler {
            Bundler::Auto => BundlerChoice::Auto,
            Bundler::Embedded => BundlerChoice::Embedded,
            Bundler::Deno => BundlerChoice::Deno,
        });
        Ok(Settings {
            state_directory: self.global.state_dir.clone().unwrap_or(usual.state_directory),
            access,
            extensions_directory: self.global.extensions_dir.clone(),
            is_offline: self.global.offline,
            is_locked: self.global.locked,
            extension_registry: None,
            bundler,
            jobs: jobs.map_or(usual.jobs, usize::from),
            environment: self.environment.clone(),
            repository: usual.repository,
        })
    }

    /// The daemon that is asked instead of the repository, if one is.
    pub(crate) fn client(&self) -> Result<Option<Client>, CommandError> {
        let server = self.global.server.as_deref().filter(|server| !server.is_empty());
        server.map(|server| Client::new(server, &self.environment)).transpose()
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The variables of the process.
    pub(crate) const fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Prints what had to be done on the way and was not printed yet.
    pub(crate) fn print_notices(&self) {
        for problem in self.service.get().map(Service::take_notices).unwrap_or_default() {
            self.printer.problem(&problem);
        }
    }

    /// Goes on if whoever sits before the terminal says yes.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), CommandError> {
        // An answer is needed whatever else is not printed.
        self.printer.question(&format!("{question} [y/N]"));
        let mut answer = String::new();
        // Without an answer it is no.
        let _ = std::io::stdin().read_line(&mut answer);
        if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            Ok(())
        } else {
            Err(CommandError::no(None, "nothing was done", Some("`--yes` does not ask")))
        }
    }

    /// A kind by its name.
    pub(crate) fn kind(service: &Service, name: &str) -> Result<Kind, CommandError> {
        service.kind(name).map_err(|problem| CommandError::usage_problem(&problem))
    }

    /// The root of the repository: `--repo`, or the first directory with a marker walking up from here.
    pub(crate) fn repository(&self) -> Result<PathBuf, CommandError> {
        // The variable of the program that had this format first.
        let of_swamp = self.environment.get("SWAMP_REPO_DIR").filter(|directory| !directory.is_empty());
        let start = match self.global.repo.clone().or_else(|| of_swamp.map(PathBuf::from)) {
            Some(directory) => directory,
            None => std::env::current_dir().map_err(|error| {
                CommandError::usage(None, format!("the current directory cannot be read: {error}"), None)
            })?,
        };
        let start = start.canonicalize().map_err(|error| {
            CommandError::usage(
                Some(Code::NO_REPOSITORY),
                format!("{} cannot be entered: {error}", start.display()),
                Some("`--repo` names a directory that exists"),
            )
        })?;
        compose::find_repository(&start).ok_or_else(|| {
            let hint = if self.global.repo.is_some() {
                format!("`mangrove init {}` creates a repository there", start.display())
            } else {
                "`mangrove init` creates a repository here; `--repo DIR` names another one".to_owned()
            };
            CommandError::usage(
                Some(Code::NO_REPOSITORY),
                format!("no mangrove.yaml or .swamp.yaml in {} or above it", start.display()),
                Some(&hint),
            )
        })
    }
}

/// What a person means by `text`, with paths relative to `current_directory`.
pub(crate) const fn query<'a>(text: &'a str, current_directory: Option<&'a Path>) -> Query<'a> {
    Query { text, current_directory }
}

/// The current directory, where there is one.
pub(crate) fn current_directory() -> Option<PathBuf> {
    std::env::current_dir().ok()
}
