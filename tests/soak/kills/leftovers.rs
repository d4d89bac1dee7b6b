//! Temporary files and locks of processes that were killed.

use std::{
    fs::{self, File, FileTimes},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Result, ensure};

use crate::repository::Repository;

/// What nobody has touched for so long is nobody's.
const ABANDONED: Duration = Duration::from_hours(48);

/// What was left over goes with the usual upkeep once it is old. Says how much there was.
pub(super) fn are_swept(repository: &Repository) -> Result<String> {
    let before = find(repository)?;
    for path in &before {
        let old = FileTimes::new().set_modified(SystemTime::now() - ABANDONED);
        File::open(path)?.set_times(old)?;
    }
    repository.write("extensions/models/another.ts", &crate::repository::model("", "@drill/another", "x"))?;
    repository.run(&["scan"])?.expect(&[0])?;
    repository.run(&["cache", "prune"])?.expect(&[0])?;
    let after = find(repository)?;
    ensure!(after.is_empty(), "of {} temporary files and locks {} stay: {after:?}", before.len(), after.len());
    Ok(format!("{} temporary files and files of locks, all of which the upkeep takes away", before.len()))
}

/// Everything with a name or a place of what is there for a moment only.
fn find(repository: &Repository) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in [".mangrove", "temporary"] {
        walk(&repository.path(place), place == "temporary", &mut found)?;
    }
    Ok(found)
}

fn walk(directory: &Path, is_temporary: bool, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_temporary = is_temporary || name.starts_with(".new-") || name.starts_with("clock-");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), is_temporary || matches!(&*name, "tmp" | "locks"), found)?;
        } else if is_temporary {
            found.push(entry.path());
        }
    }
    Ok(())
}
