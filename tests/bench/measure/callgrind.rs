//! How many instructions the processor carries out: a busy machine does not disturb that.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Options, as_number, catalog, process::Program, report::Line, resolve::Snapshot};

/// Types among which is looked for.
const TYPES: usize = 2_000;

/// Look-ups of one repetition.
const LOOK_UPS: usize = 20_000;

/// A part that this program repeats if it is asked to, so that the difference of two runs is what one repetition costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Resolve,
    Commit,
}

impl Part {
    const ALL: [Self; 2] = [Self::Resolve, Self::Commit];

    fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Commit => "commit",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// Carries it out so many times.
    pub(crate) fn repeat(self, times: usize) -> Result<()> {
        match self {
            Self::Resolve => Snapshot::of(TYPES).look_up(times * LOOK_UPS),
            Self::Commit => catalog::repeat_commit(times),
        }
    }
}

const WARM: &str = "warm scan, instructions";
const RESOLVE: &str = "resolve a type, instructions";
const COMMIT: &str = "catalog, commit of 1000 rows, instructions";

/// A scan in which nothing changed, of this repository; one look-up; one commit.
pub(super) fn measure(program: &Path, repository: &Path, options: &Options) -> Result<[Line; 3]> {
    let unmeasured = |why| [WARM, RESOLVE, COMMIT].map(|what| Line::unmeasured(what, "instructions", why));
    if !options.with_machine {
        return Ok(unmeasured("only by the benchmark itself"));
    }
    let directories = env::var_os("PATH").unwrap_or_default();
    if !env::split_paths(&directories).any(|directory| directory.join("valgrind").is_file()) {
        return Ok(unmeasured("no valgrind"));
    }
    let own = env::current_exe().context("cannot tell which program this is")?;
    let line = |what, count, note: &str| Line::new(what, count, "instructions").after(1).noting(note);
    let scan = count(repository, program, &["scan"])?;
    // Of what is repeated once and three times, the difference is twice what one costs.
    let difference = |part: Part| -> Result<usize> {
        let counted = |times: &str| count(repository, &own, &["--repeat", part.name(), times]);
        let (once, thrice) = (counted("1")?, counted("3")?);
        ensure!(thrice > once, "{once} instructions for one {}, and {thrice} for three", part.name());
        Ok((thrice - once) / 2)
    };
    let look_ups = as_number(difference(Part::Resolve)?) / as_number(LOOK_UPS);
    Ok([
        line(WARM, as_number(scan), "of the process itself, all threads"),
        line(RESOLVE, look_ups, &format!("{TYPES} types; the mean of {LOOK_UPS}")),
        line(COMMIT, as_number(difference(Part::Commit)?), "all threads"),
    ])
}

fn count(directory: &Path, program: &Path, arguments: &[&str]) -> Result<usize> {
    let counts = tempfile::NamedTempFile::new().context("no temporary file")?;
    let file = format!("--callgrind-out-file={}", counts.path().display());
    let program = program.to_str().context("a path in UTF-8")?;
    let valgrind = Program::new(Path::new("valgrind"), directory);
    valgrind.output(&[&["--quiet", "--tool=callgrind", &file, program], arguments].concat())?;
    let text = fs::read_to_string(counts.path()).context("cannot read what was counted")?;
    let totals = text.lines().filter_map(|line| line.strip_prefix("totals:"));
    let totals: Vec<usize> = totals.map(|total| total.trim().parse()).collect::<Result<_, _>>()?;
    if totals.is_empty() {
        bail!("callgrind wrote no total for {program}");
    }
    Ok(totals.into_iter().sum())
}
