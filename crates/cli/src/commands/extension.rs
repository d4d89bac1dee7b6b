//! `mangrove extension …`

use std::path::PathBuf;

use mangrove_app::{
    extensions::{Extensions, InstallOutcome, InstalledExtension, PullRequest, PullStatus, PulledExtension, Wanted},
    service::{Access, Settings},
};
use mangrove_documents::{
    ErrorReport, ExtensionInstallDocument, ExtensionListDocument, ExtensionPullDocument, ExtensionRemovalDocument,
};
use mangrove_domain::{
    problem::{Code, Problem},
    pulled::ExtensionReference,
};

use super::Context;
use crate::{args::Extension, errors::CommandError, exit::Exit, human, printer::table};

pub(crate) async fn run(context: &Context, command: Extension) -> Result<Exit, CommandError> {
    match command {
        Extension::Install { registry } => install(context, registry.registry).await,
        Extension::Pull { wanted, channel, force, yes: _, registry } => {
            pull(context, &wanted, channel, force, registry.registry).await
        }
        Extension::List => list(context).await,
        Extension::Rm { name, force, yes: _ } => remove(context, &name, force).await,
    }
}

fn extensions(context: &Context, access: Access, registry: Option<String>) -> Result<Extensions, CommandError> {
    let settings = Settings { extension_registry: registry, ..context.settings(access, None)? };
    Ok(context.compose(settings)?.extensions()?)
}

async fn install(context: &Context, registry: Option<String>) -> Result<Exit, CommandError> {
    let installed = extensions(context, Access::ReadWrite, registry)?.install().await?;
    if context.printer.is_json() {
        context.printer.document(&ExtensionInstallDocument::from(installed.as_slice()));
    } else {
        for one in &installed {
            print_installed(context, one);
        }
        let count = |is: fn(&InstallOutcome) -> bool| installed.iter().filter(|one| is(&one.outcome)).count();
        let new = count(|outcome| matches!(outcome, InstallOutcome::Installed | InstallOutcome::Migrated));
        let up_to_date = count(|outcome| matches!(outcome, InstallOutcome::UpToDate));
        let failed = count(|outcome| matches!(outcome, InstallOutcome::Failed(_)));
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        context.printer.status("Finished", format!("{new} installed, {up_to_date} up to date{failed}"));
    }
    let mut failures = installed.iter().filter_map(|one| match &one.outcome {
        InstallOutcome::Failed(error) => Some(error),
        InstallOutcome::Installed | InstallOutcome::Migrated | InstallOutcome::UpToDate => None,
    });
    let is_transient = failures.clone().all(mangrove_app::extensions::ExtensionError::is_transient);
    Ok(match failures.next() {
        None => Exit::Done,
        Some(_) if is_transient => Exit::TryAgain,
        Some(_) => Exit::No,
    })
}

fn print_installed(context: &Context, one: &InstalledExtension) {
    let label = format!("{}@{}", one.name, one.version);
    match &one.outcome {
        InstallOutcome::UpToDate => {}
        InstallOutcome::Installed => context.printer.status("Installed", &label),
        InstallOutcome::Migrated => {
            context.printer.status("Installed", &label);
            let message = "the lockfile named files of the layout of an older program, and names those of this one now";
            let problem = Problem::information(Code::LOCK_DRIFT, label, message);
            context.printer.problem(&problem.advise("remove the files of the older layout, if they are still there"));
        }
        InstallOutcome::Failed(error) => {
            let report = ErrorReport::from(error);
            let message = format!("error[{}]: {label} was not installed: {}", error.code(), report.message);
            context.printer.error(&message, &report.details, report.remedy().as_deref());
        }
    }
}

async fn pull(
    context: &Context,
    wanted: &str,
    channel: Option<String>,
    is_forced: bool,
    registry: Option<String>,
) -> Result<Exit, CommandError> {
    let wanted = if wanted.starts_with('@') {
        let reference = ExtensionReference::parse(wanted).ok_or_else(|| {
            let message = format!("{wanted:?} is not the name of an extension");
            let hint = "names are such as `@collective/name` or `@collective/name@2026.05.23.1`; a path that begins with `@` is written as `./@…`";
            CommandError::usage(Some(Code::INVALID_INPUT), message, Some(hint))
        })?;
        Wanted::Registry { reference, channel }
    } else {
        if channel.is_some() {
            let hint = "leave out `--channel`, or name an extension such as `@collective/name`";
            return Err(CommandError::usage(None, "an archive or a directory has no channels", Some(hint)));
        }
        Wanted::Local(PathBuf::from(wanted))
    };
    let extensions = extensions(context, Access::ReadWrite, registry)?;
    let pulled = extensions.pull(&PullRequest { wanted, is_forced }).await?;
    if context.printer.is_json() {
        context.printer.document(&ExtensionPullDocument::from(pulled.as_slice()));
        return Ok(Exit::Done);
    }
    for one in &pulled {
        print_pulled(context, one);
    }
    if pulled.iter().any(|one| one.status == PullStatus::Pulled) {
        context.printer.hint("`mangrove scan` builds what it brought");
    }
    Ok(Exit::Done)
}

fn print_pulled(context: &Context, one: &PulledExtension) {
    let label = format!("{}@{}", one.name, one.version);
    if one.status == PullStatus::UpToDate {
        context.printer.status("Unchanged", format!("{label} is there already"));
        return;
    }
    let files = human::count(one.files as u64, "file");
    let before = one.previous.as_ref().filter(|previous| **previous != one.version);
    let before = before.map(|previous| format!(" in place of {previous}")).unwrap_or_default();
    let needed = one.needed_by.as_ref().map(|by| format!(", which {by} needs")).unwrap_or_default();
    context.printer.status("Pulled", format!("{label}{before}, {files}{needed}"));
}

async fn list(context: &Context) -> Result<Exit, CommandError> {
    let listed = extensions(context, Access::ReadOnly, None)?.list().await?;
    if context.printer.is_json() {
        context.printer.document(&ExtensionListDocument::from(listed.as_slice()));
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        context.printer.note("no extensions were pulled");
        context.printer.hint("`mangrove extension pull NAME` pulls one");
        return Ok(Exit::Done);
    }
    let heading = ["EXTENSION", "VERSION", "CHANNEL", "FILES", "PULLED"].map(str::to_owned).to_vec();
    let rows = listed.iter().map(|one| {
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let files = match one.missing.len() {
            0 => one.entry.files.len().to_string(),
            missing => format!("{} ({missing} missing)", one.entry.files.len()),
        };
        vec![
            one.entry.name.clone(),
            one.entry.version.clone(),
            or_dash(one.entry.channel.as_deref()),
            files,
            or_dash(one.entry.pulled_at.as_deref()),
        ]
    });
    context.printer.lines(table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>()));
    if listed.iter().any(|one| !one.missing.is_empty()) {
        context.printer.hint("`mangrove extension install` pulls what is missing");
        let from_paths = listed.iter().filter(|one| !one.missing.is_empty() && one.entry.server.is_none());
        for one in from_paths {
            let again = "`mangrove extension pull PATH` pulls it from where it came from";
            context.printer.hint(&format!("the lockfile names no registry for {}: {again}", one.entry.name));
        }
    }
    Ok(Exit::Done)
}

async fn remove(context: &Context, name: &str, is_forced: bool) -> Result<Exit, CommandError> {
    let removed = extensions(context, Access::ReadWrite, None)?.remove(name, is_forced).await?;
    if context.printer.is_json() {
        context.printer.document(&ExtensionRemovalDocument::from(&removed));
        return Ok(Exit::Done);
    }
    let files = human::count(removed.removed.len() as u64, "file");
    context.printer.status("Removed", format!("{}@{}, {files}", removed.name, removed.version));
    for path in &removed.kept {
        context.printer.status("Kept", format!("{path}, which the lockfile did not name"));
    }
    Ok(Exit::Done)
}
