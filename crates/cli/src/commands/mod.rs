//! The commands, one file each, and what they share.

pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod catalog;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod model;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod runtime;
pub(crate) mod scan;
pub(crate) mod types;
pub(crate) mod why;
pub(crate) mod workflow;

use std::{path::PathBuf, sync::Arc};

use mangrove_app::loaders::Registry;
use mangrove_domain::{nearest, ports::Clock, problem::Code, source::Kind};

use crate::{
    args::Global,
    compose::{self, Access, Workspace},
    errors::CommandError,
    interrupt::Interrupts,
    printer::Printer,
};

/// What every command has at hand.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) printer: Printer,
    pub(crate) loaders: Registry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) interrupts: Interrupts,
}

impl Context {
    /// The repository with all adapters, for commands that build.
    pub(crate) async fn open(&self, jobs: Option<u16>) -> Result<Workspace, CommandError> {
        compose::open(self, &self.repository()?, Access::ReadWrite, jobs).await
    }

    /// The repository for commands that only look: nothing is created, migrated or built.
    pub(crate) async fn look(&self) -> Result<Workspace, CommandError> {
        compose::open(self, &self.repository()?, Access::ReadOnly, None).await
    }

    /// The root of the repository: `--repo`, or the first directory with a marker walking up from here.
    pub(crate) fn repository(&self) -> Result<PathBuf, CommandError> {
        let start = match &self.global.repo {
            Some(directory) => directory.clone(),
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
                format!("`mangrove init {}` makes a repository there", start.display())
            } else {
                "`mangrove init` makes a repository here; `--repo DIR` names another one".to_owned()
            };
            CommandError::usage(
                Some(Code::NO_REPOSITORY),
                format!("no mangrove.yaml or .swamp.yaml in {} or above it", start.display()),
                Some(&hint),
            )
        })
    }

    /// A kind by its name.
    pub(crate) fn kind(&self, name: &str) -> Result<Kind, CommandError> {
        let kind = Kind::new(name);
        if self.loaders.get(&kind).is_some() {
            return Ok(kind);
        }
        let known: Vec<String> = self.loaders.layouts().iter().map(|layout| layout.kind.to_string()).collect();
        let hint = nearest::hint(name, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("known kinds: {}", known.join(", ")));
        Err(CommandError::usage(Some(Code::UNKNOWN_WORD), format!("unknown kind `{name}`"), Some(&hint)))
    }
}
