//! The same lines over a repository of other people: every root below a directory, one after the other, and their sums.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use mangrove_domain::{row::Row, source::RootId};
use mangrove_infra::runtime::DENO_VARIABLE;
use mangrove_testkit::roots;

use super::{
    Options, STATUS, as_number, commit_all,
    deno::{self, Deno, Taken},
    mebibytes, median, milliseconds,
    process::Program,
    report::{Line, Report},
    stored, yardsticks,
};

const DENO: &str = "deno bundle and import, per entry";

/// Sums over roots, but for memory.
#[derive(Default)]
struct Sums {
    entries: usize,
    indexed: usize,
    files: usize,
    cold: Duration,
    /// The largest of all roots.
    memory: f64,
    kind: &'static str,
    status: Duration,
    stat: Duration,
    hash: Duration,
    warm: Duration,
    dry: Duration,
    rehash: Duration,
    taken: Option<Taken>,
}

/// Measures in a copy of this directory; it itself is only read. No line has a bound: those are of repositories whose size
/// and outcome are known.
pub(crate) fn run(program: &Path, directory: &Path, options: &Options) -> Result<Report> {
    let copy = tempfile::tempdir().context("no temporary directory")?;
    roots::copy(directory, copy.path()).with_context(|| format!("cannot copy {}", directory.display()))?;
    let mut found = roots::find(copy.path())?;
    ensure!(!found.is_empty(), "there is no root in {}", directory.display());
    // A root inside of another one has its own history before that one's is made.
    found.sort_by_key(|root| std::cmp::Reverse(root.components().count()));
    let deno = if options.with_machine { Deno::find()? } else { Err("not asked for".to_owned()) };
    let mut sums = Sums { taken: deno.is_ok().then(Taken::default), ..Sums::default() };
    for root in &found {
        let below = root.strip_prefix(copy.path()).unwrap_or(root);
        sums.add(program, root, deno.as_ref().ok(), options).with_context(|| format!("in {}", below.display()))?;
    }
    ensure!(sums.entries > 0, "there is no source in {}", directory.display());
    let lines = sums.lines(found.len(), options, deno.as_ref().err().map(String::as_str));
    Ok(Report { entries: sums.entries, extensions: found.len(), ..Report::of(options, lines) })
}

impl Sums {
    fn add(&mut self, program: &Path, root: &Path, deno: Option<&Deno>, options: &Options) -> Result<()> {
        let program = fs::canonicalize(program).context("the program is gone")?;
        let mut mangrove = Program::new(&program, root).with_network();
        if let Ok(path) = std::env::var(DENO_VARIABLE) {
            mangrove = mangrove.with_environment(DENO_VARIABLE, &path);
        }
        let git = commit_all(root)?;
        // Fetches packages.
        mangrove.output(SCAN)?;
        stored::keep_packages(root)?;
        let cold = mangrove.watched(SCAN)?;
        self.cold += cold.wall;
        (self.memory, self.kind) = (self.memory.max(mebibytes(cold.memory.bytes)), cold.memory.kind);
        let rows = stored::rows(root)?;
        self.entries += rows.len();
        let entries: Vec<PathBuf> = rows.iter().filter_map(own_entry).collect();
        self.indexed += rows.iter().filter(|row| row.state.indexed().is_some()).count();

        let turns: [(&Program, &[&str]); 3] = [(&git, STATUS), (&mangrove, SCAN), (&mangrove, &["scan", "--dry-run"])];
        let mut times = turns.map(|_| Vec::with_capacity(options.runs));
        // The first rounds settle what is too young to be believed.
        for round in 0..options.runs + 2 {
            for ((program, arguments), times) in turns.iter().zip(&mut times) {
                let time = program.timed(arguments)?;
                if round >= 2 {
                    times.push(time);
                }
            }
        }
        let [status, warm, dry] = times.map(|mut times| median(&mut times));
        (self.status, self.warm, self.dry) = (self.status + status, self.warm + warm, self.dry + dry);
        let rehash = (0..options.rehash_runs).map(|_| mangrove.timed(&["scan", "--rehash"]));
        self.rehash += median(&mut rehash.collect::<Result<Vec<_>>>()?);
        let looked = yardsticks::look(root, options.runs)?;
        self.files += looked.files;
        (self.stat, self.hash) = (self.stat + looked.stat, self.hash + looked.hash);
        if let (Some(deno), Some(taken)) = (deno, &mut self.taken) {
            let sample = deno::sample(&entries, options.sample).filter_map(|path| path.to_str());
            taken.add(&deno.take(root, &sample.collect::<Vec<_>>()));
        }
        Ok(())
    }

    fn lines(&self, roots: usize, options: &Options, no_deno: Option<&str>) -> Vec<Line> {
        let each = milliseconds(self.cold) / as_number(self.entries);
        let status = milliseconds(self.status);
        let sources = format!("{} sources in {roots} roots, {} indexed", self.entries, self.indexed);
        let line = |what, time| Line::new(what, milliseconds(time), "ms").after(options.runs);
        let files = format!("{} files, one thread", self.files);
        let mut lines = vec![
            Line::new("cold scan, per entry", each, "ms").noting(&format!("packages cached; {sources}")),
            Line::new("cold scan, peak memory", self.memory, "MiB").noting(self.kind),
            Line::new("git status", status, "ms").after(options.runs),
            line("plain stat", self.stat).noting(&files),
            line("hash everything", self.hash).noting(&files),
            line("warm scan", self.warm).against("git status", status),
            line("scan --dry-run", self.dry).against("git status", status),
            line("scan --rehash", self.rehash).against("warm scan", milliseconds(self.warm)).after(options.rehash_runs),
        ];
        lines.push(match (&self.taken, no_deno) {
            (Some(taken), _) => match taken.each() {
                Some(time) => Line::new(DENO, time, "ms").against("cold scan", each).noting(&taken.note()),
                None => Line::unmeasured(DENO, "ms", &taken.note()),
            },
            (None, why) => Line::unmeasured(DENO, "ms", why.unwrap_or_default()),
        });
        lines
    }
}

const SCAN: &[&str] = &["scan"];

/// Where an entry point of the root itself lies that is indexed.
fn own_entry(row: &Row) -> Option<PathBuf> {
    row.state.indexed()?;
    (row.source.root == RootId::local()).then(|| PathBuf::from(row.source.path.as_str()))
}
