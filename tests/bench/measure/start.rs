//! How large the program is, and how soon it says something.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::{as_number, median, milliseconds, process::Program, report::Line};

/// The file, and the time until the first byte of an answer that needs no repository and of one that does.
pub(super) fn measure(program: &Path, mangrove: &Program, runs: usize) -> Result<Vec<Line>> {
    let bytes = fs::metadata(program).with_context(|| format!("cannot look at {}", program.display()))?.len();
    let mut lines = vec![Line::new("size of the program", as_number(usize::try_from(bytes)?), "bytes")];
    for (what, argument) in [("time to first byte, --version", "--version"), ("time to first byte, types", "types")] {
        let mut times = (0..runs).map(|_| mangrove.first_byte(&[argument])).collect::<Result<Vec<_>>>()?;
        lines.push(Line::new(what, milliseconds(median(&mut times)), "ms").after(runs));
    }
    Ok(lines)
}
