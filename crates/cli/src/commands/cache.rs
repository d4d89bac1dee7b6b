//! `mangrove cache`

use mangrove_app::service::{Access, CacheUsage, PruneError, Pruned};
use mangrove_documents::{FaultDocument, ProblemDocument, problems};
use mangrove_domain::{cache::Amount, problem::Code};
use serde::Serialize;

use super::{
    Context,
    scan::{self, Presentation},
};
use crate::{errors::CommandError, exit::Exit, human};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InfoDocument {
    schema: &'static str,
    packages: PackagesDocument,
    bundles: BundlesDocument,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PackagesDocument {
    directory: String,
    metadata: AmountDocument,
    archives: AmountDocument,
    units: AmountDocument,
    scratch: AmountDocument,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BundlesDocument {
    directory: String,
    entries: AmountDocument,
    vendors: AmountDocument,
}

#[derive(Serialize)]
struct AmountDocument {
    files: u64,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PruneDocument {
    schema: &'static str,
    dry_run: bool,
    packages: AmountDocument,
    /// Requirements that left the lock of the state directory.
    requirements: u64,
    bundles: AmountDocument,
    leftovers: u64,
    problems: Vec<ProblemDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateDocument {
    schema: &'static str,
    /// Where a lock lies now that was damaged.
    set_aside: Option<String>,
    requirements: Vec<RequirementDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequirementDocument {
    requirement: String,
    before: String,
    after: Option<String>,
    moved: bool,
    failure: Option<FaultDocument>,
}

impl From<Amount> for AmountDocument {
    fn from(amount: Amount) -> Self {
        Self { files: amount.files, bytes: amount.bytes }
    }
}

/// Sizes and places, without changing anything.
pub(crate) async fn info(context: &Context) -> Result<Exit, CommandError> {
    let CacheUsage { store_place, packages, bundles, vendors } = context.look()?.cache_usage().await?;
    let directory = match store_place {
        Some(place) => place,
        None => context.settings(Access::ReadOnly, None)?.bundles_directory().display().to_string(),
    };
    if context.printer.is_json() {
        context.printer.document(&InfoDocument {
            schema: "mangrove.cache-info/1",
            packages: PackagesDocument {
                directory: packages.directory.display().to_string(),
                metadata: packages.metadata.into(),
                archives: packages.archives.into(),
                units: packages.units.into(),
                scratch: packages.scratch.into(),
            },
            bundles: BundlesDocument { directory, entries: bundles.into(), vendors: vendors.into() },
        });
        return Ok(Exit::Done);
    }
    let line = |amount: Amount, noun: &str| {
        context.printer.line(format!("  {:>10}  {}", human::size(amount.bytes), human::count(amount.files, noun)));
    };
    context.printer.line(format!("packages in {}", packages.directory.display()));
    line(packages.archives, "archive");
    line(packages.metadata, "metadata document");
    line(packages.units, "unit record");
    line(packages.scratch, "temporary file");
    context.printer.line(format!("bundles in {directory}"));
    line(bundles, "bundle");
    line(vendors, "vendor bundle");
    Ok(Exit::Done)
}

/// Gives back what no lock names and no row needs.
pub(crate) async fn prune(context: &Context, is_dry_run: bool) -> Result<Exit, CommandError> {
    let service = if is_dry_run { context.look()? } else { context.open(None)? };
    let pruned = service.prune(is_dry_run).await.map_err(|error| match error {
        PruneError::Unobservable(_) => {
            let hint = "`mangrove scan` reports what is missing";
            CommandError::no(Some(Code::SWEEP_WITHHELD), error.to_string(), Some(hint))
        }
        PruneError::Service(error) => error.into(),
    })?;
    let Pruned { packages, requirements, bundles, leftovers, withheld } = pruned;
    if context.printer.is_json() {
        context.printer.document(&PruneDocument {
            schema: "mangrove.cache-prune/1",
            dry_run: is_dry_run,
            packages: packages.into(),
            requirements,
            bundles: bundles.into(),
            leftovers,
            problems: problems(&withheld),
        });
    } else {
        for problem in &withheld {
            context.printer.problem(problem);
        }
        let verb = if is_dry_run { "Would remove" } else { "Removed" };
        let print = |amount: Amount, noun: &str, why: &str| {
            let count = human::count(amount.files, noun);
            context.printer.status(verb, format!("{count} {why}, {}", human::size(amount.bytes)));
        };
        if requirements > 0 {
            let count = human::count(requirements, "requirement");
            context.printer.status(verb, format!("{count} that no source has any more, from .mangrove/npm.lock"));
        }
        print(packages, "file", "of packages that no lock names");
        if withheld.is_empty() {
            print(bundles, "bundle", "that no source needs");
        }
        if leftovers > 0 {
            context.printer.status(verb, human::count(leftovers, "leftover of interrupted writes"));
        }
    }
    Ok(if withheld.is_empty() { Exit::Done } else { Exit::No })
}

/// A scan that fetches and builds everything, and ends with 1 if anything is unhealthy.
pub(crate) async fn warm(context: &Context, jobs: Option<u16>) -> Result<Exit, CommandError> {
    let service = context.open(jobs)?;
    let request = service.scan_request(context.interrupts.cancellation());
    let report = service.scan(&request).await?;
    let presentation = Presentation { schema: "mangrove.cache-warm/1", ..Presentation::default() };
    scan::print_report(context, &report, &presentation);
    Ok(if report.is_cancelled || scan::is_unhealthy(&report) { Exit::No } else { Exit::Done })
}

/// Moves locks on purpose.
pub(crate) async fn update(context: &Context, names: &[String], is_pinned: bool) -> Result<Exit, CommandError> {
    let update = context.open(None)?.update_locks(names, is_pinned).await?;
    let set_aside = update.set_aside.as_ref().map(|path| path.display().to_string());
    if let Some(path) = &set_aside {
        context.printer.status("Set aside", format!("the damaged lock, as {path}; the next scan locks what it needs"));
    }
    if !update.unknown.is_empty() {
        let message = format!("no lock names {}", update.unknown.join(", "));
        let hint = "`mangrove scan` locks what is imported; Deno updates what a deno.lock pins";
        return Err(CommandError::usage(None, message, Some(hint)));
    }
    let has_failed = update.requirements.iter().any(|requirement| requirement.after.is_err());
    if context.printer.is_json() {
        let requirements = update.requirements.iter().map(|requirement| RequirementDocument {
            requirement: requirement.requirement.clone(),
            before: requirement.before.clone(),
            after: requirement.after.as_ref().ok().cloned(),
            moved: requirement.is_moved,
            failure: requirement.after.as_ref().err().map(FaultDocument::from),
        });
        let requirements = requirements.collect();
        context.printer.document(&UpdateDocument { schema: "mangrove.cache-update/1", set_aside, requirements });
    } else {
        let mut moved = 0_u64;
        for requirement in &update.requirements {
            match &requirement.after {
                Ok(after) if requirement.is_moved && *after == requirement.before => {
                    context.printer.line(format!("{}: {after}, with other dependencies", requirement.requirement));
                }
                Ok(after) if requirement.is_moved => {
                    let before = &requirement.before;
                    context.printer.line(format!("{}: {before} to {after}", requirement.requirement));
                }
                Ok(_) => {}
                Err(fault) => {
                    let message =
                        format!("{} stays at {}: {}", requirement.requirement, requirement.before, fault.message);
                    context.printer.error(&format!("error[{}]: {message}", fault.code), &[], None);
                }
            }
            moved += u64::from(requirement.is_moved);
        }
        let checked = human::count(update.requirements.len() as u64, "requirement");
        context.printer.status("Updated", format!("{checked} checked, {moved} updated"));
        if moved > 0 {
            context.printer.hint("`mangrove scan` builds what depends on them");
        }
    }
    Ok(if has_failed { Exit::No } else { Exit::Done })
}
