//! `mangrove cache`

use std::{collections::BTreeSet, time::Duration};

use mangrove_app::upkeep::{self, Look, Sweep};
use mangrove_domain::{
    bundle::{ObjectKey, StoredObject},
    digest::Digest,
    ports::SweepOutcome,
    problem::Code,
};
use serde::Serialize;

use super::{
    Context,
    scan::{self, Telling},
};
use crate::{
    compose::{Amount, Workspace},
    documents::ProblemDocument,
    errors::CommandError,
    exit::Exit,
    human,
};

/// What was fetched this recently may not be locked yet.
const GRACE: Duration = Duration::from_hours(1);

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
    bundles: AmountDocument,
    leftovers: u64,
    problems: Vec<ProblemDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateDocument {
    schema: &'static str,
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

#[derive(Serialize)]
struct FaultDocument {
    class: &'static str,
    code: String,
    message: String,
}

impl From<Amount> for AmountDocument {
    fn from(amount: Amount) -> Self {
        Self { files: amount.files, bytes: amount.bytes }
    }
}

/// Sizes and places, without changing anything.
pub(crate) async fn info(context: &Context) -> Result<Exit, CommandError> {
    let workspace = context.look().await?;
    let usage =
        workspace.packages.usage().await.map_err(|fault| CommandError::fault("looking at the cache", &fault))?;
    let (mut entries, mut vendors) = (Amount::default(), Amount::default());
    for object in stored(&workspace).await? {
        let amount = match object.key {
            ObjectKey::Vendor(_) => &mut vendors,
            ObjectKey::Extension(_) => &mut entries,
        };
        amount.files += 1;
        amount.bytes += object.size_bytes;
    }
    let bundles = workspace.bundles_directory();
    if context.printer.is_json() {
        context.printer.document(&InfoDocument {
            schema: "mangrove.cache-info/1",
            packages: PackagesDocument {
                directory: usage.directory.display().to_string(),
                metadata: usage.metadata.into(),
                archives: usage.archives.into(),
                units: usage.units.into(),
                scratch: usage.scratch.into(),
            },
            bundles: BundlesDocument {
                directory: bundles.display().to_string(),
                entries: entries.into(),
                vendors: vendors.into(),
            },
        });
        return Ok(Exit::Done);
    }
    let line = |amount: Amount, noun: &str| {
        context.printer.line(format!("  {:>10}  {}", human::size(amount.bytes), human::count(amount.files, noun)));
    };
    context.printer.line(format!("packages in {}", usage.directory.display()));
    line(usage.archives, "archive");
    line(usage.metadata, "answer");
    line(usage.units, "record");
    line(usage.scratch, "scratch file");
    context.printer.line(format!("bundles in {}", bundles.display()));
    line(entries, "bundle");
    line(vendors, "vendor bundle");
    Ok(Exit::Done)
}

/// Gives back what no lock names and no row needs.
pub(crate) async fn prune(context: &Context, is_dry_run: bool) -> Result<Exit, CommandError> {
    let workspace = if is_dry_run { context.look().await? } else { context.open(None).await? };
    let look = Look::take(&workspace.scanner).await?;
    if let Some(unobservable) = &look.unobservable {
        let message = format!("nothing was removed: {unobservable}, and a lock there may name any package");
        return Err(CommandError::no(
            Some(Code::SWEEP_WITHHELD),
            message,
            Some("`mangrove scan` says what is missing"),
        ));
    }
    let mut kept: BTreeSet<Digest> = stored(&workspace).await?.into_iter().map(|object| object.key.digest()).collect();
    let (outcome, withheld) = match upkeep::sweep(&workspace.scanner, &look, is_dry_run).await? {
        Sweep::Done(outcome) => (outcome, Vec::new()),
        Sweep::Withheld(problems) => (SweepOutcome::default(), problems),
    };
    for object in &outcome.objects {
        kept.remove(&object.key.digest());
    }
    let packages = workspace.packages.prune(&look.locks, kept, GRACE, is_dry_run).await;
    let packages = packages.map_err(|fault| CommandError::fault("pruning the cache", &fault))?;
    let bundles = Amount {
        files: outcome.objects.len() as u64,
        bytes: outcome.objects.iter().map(|object| object.size_bytes).sum(),
    };
    let leftovers = outcome.leftovers as u64;
    if context.printer.is_json() {
        context.printer.document(&PruneDocument {
            schema: "mangrove.cache-prune/1",
            dry_run: is_dry_run,
            packages: packages.into(),
            bundles: bundles.into(),
            leftovers,
            problems: withheld.iter().map(ProblemDocument::from).collect(),
        });
    } else {
        for problem in &withheld {
            context.printer.problem(problem);
        }
        let verb = if is_dry_run { "Would go" } else { "Removed" };
        let told = |amount: Amount, noun: &str, why: &str| {
            let count = human::count(amount.files, noun);
            context.printer.status(verb, format!("{count} {why}, {}", human::size(amount.bytes)));
        };
        told(packages, "file", "of packages that no lock names");
        if withheld.is_empty() {
            told(bundles, "bundle", "that no source needs");
        }
        if leftovers > 0 {
            context.printer.status(verb, human::count(leftovers, "leftover of interrupted writes"));
        }
    }
    Ok(if withheld.is_empty() { Exit::Done } else { Exit::No })
}

/// A scan that fetches and builds everything, and says no if anything is left to be desired.
pub(crate) async fn warm(context: &Context, jobs: Option<u16>) -> Result<Exit, CommandError> {
    let workspace = context.open(jobs).await?;
    let request = workspace.scan_request(context.interrupts.cancellation());
    let report = workspace.scanner.scan(&request).await?;
    scan::tell(context, &report, &Telling { schema: "mangrove.cache-warm/1", ..Telling::default() });
    Ok(if report.is_cancelled || scan::is_unhealthy(&report) { Exit::No } else { Exit::Done })
}

/// Moves locks on purpose.
pub(crate) async fn update(context: &Context, names: &[String], pin: bool) -> Result<Exit, CommandError> {
    let workspace = context.open(None).await?;
    let update = workspace.packages.update(names, pin).await;
    let update = update.map_err(|fault| CommandError::fault("updating the lock", &fault))?;
    if !update.unknown.is_empty() {
        let message = format!("no lock has {}", update.unknown.join(", "));
        let hint = "`mangrove scan` locks what is imported; what a deno.lock governs is moved by Deno";
        return Err(CommandError::usage(None, message, Some(hint)));
    }
    let has_failed = update.requirements.iter().any(|requirement| requirement.after.is_err());
    if context.printer.is_json() {
        let requirements = update.requirements.iter().map(|requirement| RequirementDocument {
            requirement: requirement.requirement.clone(),
            before: requirement.before.to_string(),
            after: requirement.after.as_ref().ok().map(ToString::to_string),
            moved: requirement.is_moved,
            failure: requirement.after.as_ref().err().map(|fault| FaultDocument {
                class: fault.class.as_str(),
                code: fault.code.to_string(),
                message: fault.message.clone(),
            }),
        });
        let requirements = requirements.collect();
        context.printer.document(&UpdateDocument { schema: "mangrove.cache-update/1", requirements });
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
        let looked = human::count(update.requirements.len() as u64, "requirement");
        context.printer.status("Updated", format!("{looked} looked at, {moved} moved"));
        if moved > 0 {
            context.printer.hint("`mangrove scan` builds what depends on them");
        }
    }
    Ok(if has_failed { Exit::No } else { Exit::Done })
}

async fn stored(workspace: &Workspace) -> Result<Vec<StoredObject>, CommandError> {
    let listed = workspace.scanner.ports().store.list().await;
    listed.map_err(|error| CommandError::fault("looking at the bundles", error.fault()))
}
