//! `--locked` with Deno. It has a flag of its own for that, which also refuses a lock that differs in what does not
//! concern the entry, such as the dependencies of other members of a workspace. So what is locked is told from the
//! `deno.lock`, before Deno is asked and once more from what Deno made of it (`design/bundling.md`).

use std::{collections::BTreeSet, path::Path};

use mangrove_domain::{
    failure::Fault,
    module_graph::{ConfigFile, ConfigKind, ModuleGraph},
    problem::Code,
};
use mangrove_fs::read::{self, FileKind, ReadError, Within};
use mangrove_npm::deno_lock::DenoLock;

use super::build_directory::BuildDirectory;

/// Fails if the graph needs something that no lock holds. Asks nobody.
pub(super) fn before(graph: &ModuleGraph) -> Result<(), Fault> {
    let lock = governing(graph);
    let known = parsed(lock)?;
    let unlocked = known.unlocked(graph.externals())?;
    let because = match lock {
        Some(lock) => format!("{} does not hold it", lock.path),
        None => "no deno.lock governs the entry".to_owned(),
    };
    if unlocked.is_empty() { Ok(()) } else { Err(outdated(&unlocked.join(", "), &because)) }
}

/// Fails if Deno had to add something to the lock: what packages need of others, we do not always know before.
pub(super) fn after(graph: &ModuleGraph, build: &BuildDirectory) -> Result<(), Fault> {
    let Some(path) = build.lock() else { return Ok(()) };
    let text = read::bytes(path, Within::Unlinked, FileKind::Document).map_err(ReadError::into_fault)?;
    let lock = governing(graph);
    let known = parsed(lock)?.names();
    let used = DenoLock::parse(path, &text)?.names();
    let added: BTreeSet<&str> = used.difference(&known).map(String::as_str).collect();
    let name = lock.map(|lock| lock.path.to_string()).unwrap_or_default();
    if added.is_empty() {
        return Ok(());
    }
    Err(outdated(&added.into_iter().collect::<Vec<_>>().join(", "), &format!("{name} does not hold it")))
}

fn governing(graph: &ModuleGraph) -> Option<&ConfigFile> {
    graph.config_files.iter().find(|file| file.kind == ConfigKind::Lock)
}

fn parsed(lock: Option<&ConfigFile>) -> Result<DenoLock, Fault> {
    let Some(lock) = lock else { return Ok(DenoLock::default()) };
    Ok(DenoLock::parse(Path::new(lock.path.as_str()), lock.text.as_bytes())?)
}

fn outdated(what: &str, because: &str) -> Fault {
    let message = format!("{what} is not locked ({because}), and the lock must not change");
    Fault::environment(Code::LOCK_OUTDATED, "lock", message)
}
