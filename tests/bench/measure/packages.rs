//! A repository as real ones are: a schema library in every entry, an SDK in some, and a few entries that are unhealthy.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use mangrove_domain::{failure::FailureClass, row::Row};
use mangrove_testkit::{
    corpus::{self, Ailment, Expected, packages},
    registry::FakeRegistry,
};
use tempfile::TempDir;

use super::{
    Options, STATUS, as_number, committed,
    deno::{self, Deno},
    mebibytes, median, milliseconds,
    process::{Memory, Program, Watched},
    report::Line,
    stored, summary,
};

/// How much is scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    /// Entry points.
    pub(crate) entries: usize,
    /// Entry points that are unhealthy in each way.
    pub(crate) unhealthy: usize,
}

impl Amounts {
    pub(super) fn extensions(self) -> usize {
        self.entries.div_ceil(packages::ENTRIES_OF_EXTENSION)
    }
}

const COLD: &str = "cold scan, zod in every entry, per entry";
const DENO: &str = "deno bundle and import, zod in every entry, per entry";
const COLD_WITH_STORE: &str = "cold scan, store and inspections cached, per entry";
const WARM: &str = "warm scan, zod in every entry";
const WARM_WITHOUT_ATTEMPTS: &str = "warm scan, zod in every entry, beyond the attempts";
const REHASH: &str = "scan --rehash, zod in every entry";
const MEMORY: &str = "cold scan, zod in every entry, peak memory";
const MEMORY_OF_TWICE: &str = "cold scan, zod in twice as many entries, peak memory";
const GROWTH: &str = "growth of peak memory, zod in every entry";

/// Everything that is measured here, with its unit.
const WHATS: [(&str, &str); 9] = [
    (COLD, "ms"),
    (DENO, "ms"),
    (COLD_WITH_STORE, "ms"),
    (WARM, "ms"),
    (WARM_WITHOUT_ATTEMPTS, "ms"),
    (REHASH, "ms"),
    (MEMORY, "MiB"),
    (MEMORY_OF_TWICE, "MiB"),
    (GROWTH, "MiB"),
];

/// Where packages come from.
struct Registry {
    /// Has no package, and answers so at once: unhealthy entries ask it.
    absent: FakeRegistry,
    /// Has small packages in the place of the real ones.
    stand_in: Option<FakeRegistry>,
}

impl Registry {
    fn start(options: &Options) -> Result<Self> {
        let absent = FakeRegistry::start().context("no registry")?;
        let stand_in = if options.with_machine {
            None
        } else {
            let registry = FakeRegistry::start().context("no registry")?;
            for package in packages::stand_ins() {
                registry.publish(package);
            }
            Some(registry)
        };
        Ok(Self { absent, stand_in })
    }

    /// The program in a repository, with a registry.
    fn program(&self, program: &Path, directory: &Path) -> Program {
        let program = Program::new(program, directory);
        let program = match &self.stand_in {
            Some(registry) => program.with_environment("MANGROVE_NPM_REGISTRY", &registry.url()),
            None => program.with_network(),
        };
        program.with_environment("MANGROVE_DENO", "/nonexistent/deno")
    }

    fn repository(&self, entries: usize) -> Result<(TempDir, Vec<Expected>)> {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let expected = packages::write(directory.path(), entries).context("cannot write the repository")?;
        let write = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).with_context(|| format!("cannot write {name}"))
        };
        write(".gitignore", ".mangrove/\n")?;
        write(".npmrc", &format!("{}:registry={}\n", corpus::ABSENT_SCOPE, self.absent.url()))?;
        Ok((directory, expected))
    }
}

/// Everything that is asked of such a repository. Where its packages cannot be had, nothing is measured, and the lines say so.
pub(super) fn measure(program: &Path, options: &Options) -> Result<Vec<Line>> {
    let Some(amounts) = options.packages else { return Ok(Vec::new()) };
    let registry = Registry::start(options)?;
    let (small, _) = registry.repository(packages::ENTRIES_OF_EXTENSION)?;
    let fetched = registry.program(program, small.path()).output(&["scan", "--json"])?;
    if indexed(&fetched)? != packages::ENTRIES_OF_EXTENSION as u64 {
        let why = unreachable(small.path())?;
        return Ok(WHATS.iter().map(|(what, unit)| Line::unmeasured(what, unit, &why)).collect());
    }
    let (mut lines, less) = whole(program, options, amounts, &registry, small.path())?;
    let entries = 2 * amounts.entries;
    let (directory, _) = registry.repository(entries)?;
    stored::copy_packages(small.path(), directory.path())?;
    let more = registry.program(program, directory.path()).watched(&["scan", "--json"])?;
    ensure!(indexed(&more.stdout)? == entries as u64, "every entry should have been accepted: {}", more.stdout);
    let [less, more] = [less, more.memory].map(|memory| (mebibytes(memory.bytes), memory.kind));
    let line = |what, (mebibytes, kind), entries| {
        Line::new(what, mebibytes, "MiB").noting(&format!("{entries} entries, {kind}"))
    };
    lines.push(line(MEMORY, less, amounts.entries).at_most(400.0));
    lines.push(line(MEMORY_OF_TWICE, more, entries).at_most(400.0));
    lines.push(line(GROWTH, more, entries).against("half as many entries", less.0).at_most_times(1.1));
    Ok(lines)
}

/// What is asked of one repository, and the memory of its first scan.
fn whole(
    program: &Path,
    options: &Options,
    amounts: Amounts,
    registry: &Registry,
    small: &Path,
) -> Result<(Vec<Line>, Memory)> {
    let Amounts { entries, unhealthy } = amounts;
    let (directory, mut expected) = registry.repository(entries)?;
    let directory = directory.path();
    let ailments = corpus::sicken(directory, &expected, unhealthy).context("cannot write entries")?;
    expected.retain(|entry| !ailments.contains_key(&entry.path));
    stored::copy_packages(small, directory)?;
    let mangrove = registry.program(program, directory);
    let note = format!(
        "{entries} entries, {unhealthy} unhealthy in each of {} ways{}",
        Ailment::ALL.len(),
        if options.with_machine { "" } else { "; a stand-in for zod" }
    );
    let cold = mangrove.watched(&["scan", "--json"])?;
    expect_ailments(&cold.stdout, amounts)?;
    let each = |cold: &Watched| milliseconds(cold.wall) / as_number(entries);
    let mut lines = vec![Line::new(COLD, each(&cold), "ms").at_most(10.0).after(1).noting(&note)];
    lines.push(deno_line(directory, &expected, each(&cold), options)?);
    lines.extend(warm(&mangrove, directory, options, amounts, &note)?);
    stored::forget_rows(directory)?;
    let again = mangrove.watched(&["scan", "--json"])?;
    expect_ailments(&again.stdout, amounts)?;
    lines.push(Line::new(COLD_WITH_STORE, each(&again), "ms").at_most(1.5).after(1).noting(&note));
    Ok((lines, cold.memory))
}

/// What Deno takes for some of the healthy entries, over what the cold scan took for each.
fn deno_line(directory: &Path, healthy: &[Expected], cold: f64, options: &Options) -> Result<Line> {
    if !options.with_machine {
        return Ok(Line::unmeasured(DENO, "ms", "Deno does not know the stand-ins"));
    }
    let deno = match Deno::find()? {
        Ok(deno) => deno,
        Err(why) => return Ok(Line::unmeasured(DENO, "ms", &why)),
    };
    let entries: Vec<&str> = deno::sample(healthy, options.sample).map(|entry| entry.path.as_str()).collect();
    let taken = deno.take(directory, &entries);
    Ok(match taken.each() {
        Some(each) => {
            Line::new(DENO, each, "ms").against("cold scan there", cold).at_least_times(6.0).noting(&taken.note())
        }
        None => Line::unmeasured(DENO, "ms", &taken.note()),
    })
}

/// Scans in which nothing has changed, beside git.
fn warm(mangrove: &Program, directory: &Path, options: &Options, amounts: Amounts, note: &str) -> Result<[Line; 3]> {
    let git = committed(directory)?;
    let turns: [(&Program, &[&str]); 3] = [(&git, STATUS), (mangrove, &["scan"]), (mangrove, &["scan", "--dry-run"])];
    for _ in 0..3 {
        for (program, arguments) in turns {
            program.timed(arguments)?;
        }
    }
    let settled = mangrove.output(&["scan", "--json"])?;
    expect_ailments(&settled, amounts)?;
    let failing = 3 * amounts.unhealthy as u64;
    ensure!(summary(&settled)?["built"].as_u64() == Some(failing), "{failing} entries should be tried: {settled}");
    let mut times = turns.map(|_| Vec::with_capacity(options.runs));
    for _ in 0..options.runs {
        for ((program, arguments), times) in turns.iter().zip(&mut times) {
            times.push(program.timed(arguments)?);
        }
    }
    let [status, whole, without] = times.map(|mut times| milliseconds(median(&mut times)));
    let rehash = milliseconds(mangrove.timed(&["scan", "--rehash"])?);
    let line = |what, figure| {
        Line::new(what, figure, "ms").against("git status there", status).after(options.runs).noting(note)
    };
    Ok([
        line(WARM, whole).at_most_times(3.0),
        line(WARM_WITHOUT_ATTEMPTS, without).at_most_times(0.6),
        Line::new(REHASH, rehash, "ms").against("warm scan there", whole).after(1).noting(note),
    ])
}

fn indexed(stdout: &str) -> Result<u64> {
    Ok(summary(stdout)?["states"]["Indexed"].as_u64().unwrap_or_default())
}

/// Of each entry what is to be expected of it, or the time means nothing.
fn expect_ailments(stdout: &str, amounts: Amounts) -> Result<()> {
    let Amounts { entries, unhealthy } = amounts;
    let states = &summary(stdout)?["states"];
    let of = |state: &str| states[state].as_u64().unwrap_or_default();
    ensure!(
        of("BundleBuildFailed") == 3 * unhealthy as u64
            && of("ValidationFailed") == unhealthy as u64
            && of("Indexed") == (entries - 4 * unhealthy) as u64,
        "of {entries} entries {unhealthy} should be rejected and three times as many fail: {states}"
    );
    Ok(())
}

/// Why the packages cannot be had. Where that is no matter of registries, it is an error.
fn unreachable(directory: &Path) -> Result<String> {
    let rows = stored::rows(directory)?;
    let failures: Vec<_> = rows.iter().filter_map(Row::failure).collect();
    let of_registry = failures.iter().find(|failure| failure.class == FailureClass::Transient);
    match of_registry {
        Some(failure) => Ok(format!("no packages: {} {}", failure.code, failure.latest_message)),
        None => bail!("entries with zod should be accepted: {failures:?}"),
    }
}
