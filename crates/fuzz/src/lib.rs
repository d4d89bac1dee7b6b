//! Everything that reads what others wrote, as functions of bytes that must end without a panic whatever they are given.
//!
//! `tests/quick.rs` feeds each with its corpus and with damaged copies of it, always the same ones; `cargo fuzz` goes on for as
//! long as one likes (`design/drills.md`). What was found is added to `corpus/`.

mod damage;
mod targets;

use std::{fs, io, path::Path};

pub use damage::damaged;

/// Something that reads foreign bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it reads; also the name of its directory in `corpus/`.
    pub name: &'static str,
    /// Reads them. A panic is a fault that was found.
    pub read: fn(&[u8]),
    /// What is not text and is made by code.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many damaged copies the quick form tries: what goes through files costs milliseconds each.
    pub quick_rounds: usize,
}

/// All of them.
pub const TARGETS: &[Target] = targets::ALL;

impl Target {
    /// Well-formed inputs, and those that showed a fault once. Never empty for a target of [`TARGETS`].
    ///
    /// # Errors
    /// If the corpus cannot be read.
    pub fn corpus(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut found = (self.seeds)();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name);
        if directory.is_dir() {
            let mut paths: Vec<_> =
                fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
            paths.sort();
            for path in paths {
                found.push(fs::read(path)?);
            }
        }
        Ok(found)
    }
}
