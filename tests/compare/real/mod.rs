//! Every root below a directory, as the program has it and as a real Deno has it: bundles link, and descriptions say what
//! the authors' own modules export.

mod composition;
mod deno;
mod difference;
mod process;
mod rows;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use mangrove_app::loaders::Registry;
use mangrove_domain::{kind_layout::KindLayout, source::RootId, state::State};
use mangrove_testkit::roots;

use self::{
    composition::Described,
    deno::{Answer, Deno},
    rows::Found,
};

/// What to compare, and with what.
pub(crate) struct Options {
    /// The program.
    pub(crate) program: PathBuf,
    /// A real Deno.
    pub(crate) deno: PathBuf,
    /// Where the roots lie. Nothing is changed there: everything happens in a copy.
    pub(crate) directory: PathBuf,
    /// Only whether bundles link.
    pub(crate) only_link: bool,
    /// Only the roots whose path below the directory contains this.
    pub(crate) only: Option<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) roots: usize,
    /// Sources, of whatever state.
    pub(crate) rows: usize,
    pub(crate) indexed: usize,
    /// Bundles that Deno loaded, and the embedded engine too where they run in it.
    pub(crate) linked: usize,
    /// Types and add-ons whose description was compared.
    pub(crate) described: usize,
    /// What was not compared, and why: rejected sources, sources that neither has, types that another source resolves.
    pub(crate) left_out: Vec<String>,
    /// What is not as Deno has it, one sentence each.
    pub(crate) differences: Vec<String>,
}

impl Report {
    fn add(&mut self, other: Report) {
        self.roots += other.roots;
        self.rows += other.rows;
        self.indexed += other.indexed;
        self.linked += other.linked;
        self.described += other.described;
        self.left_out.extend(other.left_out);
        self.differences.extend(other.differences);
    }
}

/// Compares all roots, some at a time; `done` is told what was found of each root as it is finished.
pub(crate) fn run(options: &Options, done: &(dyn Fn(&Path, &Report) + Sync)) -> Result<Report> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let copy = directory.path().join("copy");
    let copied = roots::copy(&options.directory, &copy);
    copied.with_context(|| format!("cannot copy {}", options.directory.display()))?;
    let is_wanted = |root: &PathBuf| {
        let below = root.strip_prefix(&copy).unwrap_or(root).display().to_string();
        options.only.as_deref().is_none_or(|only| below.contains(only))
    };
    let roots: Vec<PathBuf> = roots::find(&copy)?.into_iter().filter(is_wanted).collect();
    ensure!(!roots.is_empty(), "there is no root in {}", options.directory.display());
    let deno = Deno { program: options.deno.clone(), cache: directory.path().join("deno"), copy: copy.clone() };
    std::fs::create_dir_all(&deno.cache).context("no cache for Deno")?;
    let (next, whole) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(root) = roots.get(next.fetch_add(1, Ordering::Relaxed)) {
            let below = root.strip_prefix(&copy).unwrap_or(root);
            let report = compare(options, &deno, root).unwrap_or_else(|error| Report {
                roots: 1,
                differences: vec![format!("it cannot be compared: {error:#}")],
                ..Report::default()
            });
            done(below, &report);
            whole.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let mut report = Report::default();
    whole.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().for_each(|one| report.add(one));
    Ok(report)
}

fn compare(options: &Options, deno: &Deno, root: &Path) -> Result<Report> {
    let found = rows::scan(&options.program, &options.deno, root)?;
    let mut report = Report { roots: 1, rows: found.len(), ..Report::default() };
    let layouts = Registry::built_in().with(mangrove_loader_datastore::loader()).layouts();
    let mut described = Vec::new();
    for found in &found {
        let Some(layout) = layouts.iter().find(|layout| layout.kind == found.row.kind) else {
            report.left_out.push(format!("{} is of the kind {}", found.name(), found.row.kind));
            continue;
        };
        report.indexed += usize::from(found.indexed().is_some());
        link(deno, root, found, layout, &mut report)?;
        if options.only_link {
            continue;
        }
        if let Some(answer) = source(deno, root, found, layout, &mut report)? {
            described.push(Described::new(found, answer));
        }
    }
    composition::compare(options, root, &layouts, &described, &mut report);
    Ok(report)
}

/// Whether what a row runs is there, and loads where it runs.
fn link(deno: &Deno, root: &Path, found: &Found, layout: &KindLayout, report: &mut Report) -> Result<()> {
    let (Some(indexed), Some((_, bundle))) = (found.indexed(), &found.indexed) else { return Ok(()) };
    let mut complaints = Vec::new();
    match bundle {
        Err(error) => complaints.push(format!("its bundle is not whole: {error}")),
        Ok(_) => {
            let answer = deno.link(&rows::file_of(root, &indexed.bundle)?, layout)?;
            match answer.failed {
                Some(failed) => complaints.push(format!("its bundle does not load in Deno: {failed}")),
                None => {
                    let embedded = rows::link_embedded(found, &answer.export_name, root);
                    complaints.extend(embedded.err().map(|error| format!("its bundle does not load here: {error}")));
                }
            }
        }
    }
    report.linked += usize::from(complaints.is_empty());
    report.differences.extend(complaints.into_iter().map(|complaint| format!("{}: {complaint}", found.name())));
    Ok(())
}

/// What Deno says of a source that is indexed. Where only one of the two has it, that is a difference.
fn source(deno: &Deno, root: &Path, found: &Found, layout: &KindLayout, report: &mut Report) -> Result<Option<Answer>> {
    if found.row.source.root != RootId::local() {
        report.left_out.push(format!("{} lies outside of the repository", found.name()));
        return Ok(None);
    }
    let answer = deno.describe(&root.join(found.row.source.path.as_str()), layout)?;
    match (&answer.failed, &found.row.state) {
        (None, State::Indexed(_)) => return Ok(Some(answer)),
        // What a registry no longer has is no affair of ours; a lock wants it also where nothing imports it.
        (Some(failed), State::Indexed(_)) if answer.is_unfetched() => {
            report.left_out.push(format!("{}: Deno cannot fetch its packages: {failed}", found.name()));
        }
        (Some(failed), State::Indexed(_)) => {
            report.differences.push(format!("{}: it is indexed, and Deno cannot load it: {failed}", found.name()));
        }
        (_, State::ValidationFailed { .. }) | (Some(_), _) => {
            report.left_out.push(format!("{} {}", found.name(), rows::reason(&found.row)));
        }
        (None, _) => {
            report.differences.push(format!("{}: Deno loads it, and it {}", found.name(), rows::reason(&found.row)));
        }
    }
    Ok(None)
}
