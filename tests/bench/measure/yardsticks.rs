//! What the least that anybody could do costs, in the same tree and the same run.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use mangrove_domain::digest::Digest;

use super::{median, milliseconds, report::Line};

/// What no tool of this kind looks at.
const LEFT_OUT: [&str; 2] = [".git", ".mangrove"];

/// Looks at all files of a tree.
pub(super) struct Looked {
    pub(super) files: usize,
    /// Of one look at the stamps of each.
    pub(super) stat: Duration,
    /// Of reading and digesting each.
    pub(super) hash: Duration,
}

/// Both as lines.
pub(super) fn measure(directory: &Path, runs: usize) -> Result<[Line; 2]> {
    let looked = look(directory, runs)?;
    let note = format!("{} files, one thread", looked.files);
    let line = |what, time| Line::new(what, milliseconds(time), "ms").after(runs).noting(&note);
    Ok([line("plain stat", looked.stat), line("hash everything", looked.hash)])
}

/// Medians over so many rounds, on one thread; finding the files does not count.
pub(super) fn look(directory: &Path, runs: usize) -> Result<Looked> {
    let mut files = Vec::new();
    find(directory, &mut files)?;
    let (mut stats, mut hashes) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let start = Instant::now();
        for file in &files {
            fs::symlink_metadata(file).with_context(|| format!("cannot look at {}", file.display()))?;
        }
        stats.push(start.elapsed());
        let start = Instant::now();
        for file in &files {
            let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            black_box(Digest::of(&bytes));
        }
        hashes.push(start.elapsed());
    }
    Ok(Looked { files: files.len(), stat: median(&mut stats), hash: median(&mut hashes) })
}

fn find(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            find(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}
