//! `mangrove serve`

use std::{collections::BTreeMap, path::PathBuf};

use mangrove_app::service::{Access as ServiceAccess, Settings};
use mangrove_daemon::{
    Answers, Control, Daemon, Phase,
    http::{Access, ApiState, Hosts},
};
use mangrove_domain::problem::{Code, Problem};
use mangrove_fs::read::{self, FileKind, Within};
use serde::Serialize;

use super::Context;
use crate::{
    args,
    compose::{self, BundlesSetting, ComposeError},
    daemon_signals,
    errors::CommandError,
    exit::Exit,
    explain,
    printer::table,
    serve_settings::{ServeSettings, Shown},
};

#[derive(Serialize)]
struct CheckDocument {
    schema: &'static str,
    settings: Vec<SettingDocument>,
}

#[derive(Serialize)]
struct SettingDocument {
    key: &'static str,
    value: String,
    source: String,
}

pub(crate) async fn run(context: &Context, arguments: &args::Serve) -> Result<Exit, CommandError> {
    let repository = context.repository()?;
    let (section, problems) = compose::serve_section(&repository)?;
    for problem in &problems {
        context.printer.problem(problem);
    }
    let settings = match ServeSettings::read(arguments, context.environment(), &section) {
        Ok(settings) => settings,
        Err(problems) => return Ok(refuse(context, &problems)),
    };
    let access = match access(&settings) {
        Ok(access) => access,
        Err(problems) => return Ok(refuse(context, &problems)),
    };
    let opened = context.settings(ServiceAccess::ReadOnly, None)?;
    let places = places(&opened)?;
    if arguments.check {
        check(context, settings.shown().into_iter().chain(places).collect());
        return Ok(Exit::Done);
    }
    let service = context.open(None)?;
    let calendar = settings.time_zone.value.as_deref().and_then(compose::calendar_in);
    let service = match calendar {
        Some(calendar) => service.clone().with_calendar(calendar),
        None => service.clone(),
    };
    let descriptors = compose::raise_descriptor_limit();
    let hosts = Hosts::new(settings.hosts.value.clone());
    let secrets = compose::webhook_secrets(context.environment().clone(), &service);
    let answers = Answers { access, hosts, pages: explain::page, secrets, further: mangrove_dashboard::further() };
    let daemon = Daemon::new(service, compose::watcher(), compose::service_manager(), settings.options(), answers);
    let mut handle = daemon.start().await.map_err(|error| {
        CommandError::usage(Some(Code::CANNOT_LISTEN), error.to_string(), Some("`--listen` names another address"))
    })?;
    tracing::info!(address = %handle.address(), descriptors, "listening");
    let control = handle.control();
    let cancellation = context.interrupts.cancellation();
    let reload = Reload {
        control: control.clone(),
        api: handle.api().clone(),
        repository,
        arguments: arguments.clone(),
        environment: context.environment().clone(),
        settings,
        opened,
        places,
    };
    tokio::spawn(reload.on_hang_up());
    tokio::spawn(say_when_ready(control.clone()));
    daemon_signals::ignore_others();
    tokio::select! {
        () = handle.ended() => return Ok(Exit::Failed),
        () = cancellation.cancelled() => control.stop().await,
        () = daemon_signals::quit() => {
            tracing::warn!("SIGQUIT: it ends now; what runs is cancelled");
            control.stop_now().await;
        }
    }
    handle.ended().await;
    Ok(Exit::Done)
}

/// Who may ask.
fn access(settings: &ServeSettings) -> Result<Access, Vec<Problem>> {
    let Some(path) = &settings.token_file.value else { return Ok(Access::Open) };
    let name = path.display().to_string();
    let text = read::text(path, Within::Anywhere, FileKind::Document).map_err(|error| {
        let message = format!("cannot be read: {}", error.reason);
        vec![Problem::error(error.into_fault().code, name.clone(), message)]
    })?;
    Access::parse(&name, &text)
}

/// Says what is wrong with the settings.
fn refuse(context: &Context, problems: &[Problem]) -> Exit {
    for problem in problems {
        context.printer.problem(problem);
    }
    Exit::Usage
}

/// Where rows and bundles lie.
fn places(settings: &Settings) -> Result<Vec<Shown>, ComposeError> {
    let (value, source) = compose::catalog_shown(&settings.repository, &settings.environment)?;
    let bundles = compose::bundles_shown(settings)?.into_iter();
    let bundles = bundles.map(|BundlesSetting { key, value, source }| Shown { key, value, source });
    Ok([Shown { key: "catalog", value, source }].into_iter().chain(bundles).collect())
}

fn check(context: &Context, shown: Vec<Shown>) {
    if context.printer.is_json() {
        let settings =
            shown.into_iter().map(|Shown { key, value, source }| SettingDocument { key, value, source }).collect();
        context.printer.document(&CheckDocument { schema: "mangrove.serve-check/1", settings });
        return;
    }
    let cells: Vec<Vec<String>> =
        shown.into_iter().map(|Shown { key, value, source }| vec![key.to_owned(), value, source]).collect();
    context.printer.lines(table(&cells));
}

async fn say_when_ready(control: Control) {
    let mut status = control.status();
    if status.wait_for(|status| status.phase != Phase::Starting).await.is_ok() {
        tracing::info!("ready");
    }
}

/// What it takes to read the configuration again.
struct Reload {
    control: Control,
    api: ApiState,
    repository: PathBuf,
    arguments: args::Serve,
    environment: BTreeMap<String, String>,
    /// What the daemon was started with.
    settings: ServeSettings,
    opened: Settings,
    places: Vec<Shown>,
}

impl Reload {
    #[cfg(unix)]
    async fn on_hang_up(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signals = match signal(SignalKind::hangup()) {
            Ok(signals) => signals,
            Err(error) => {
                tracing::warn!(%error, "the signal to read the configuration again cannot be received");
                return;
            }
        };
        while signals.recv().await.is_some() {
            tracing::info!("reading the configuration again");
            self.control.reload().await;
            self.replace_access();
            self.compare();
        }
    }

    #[cfg(not(unix))]
    async fn on_hang_up(self) {
        // There is no such signal.
        let Self { control: _, api: _, repository: _, arguments: _, environment: _, settings: _, opened: _, places: _ } =
            self;
    }

    fn replace_access(&self) {
        match access(&self.settings) {
            Ok(access) => self.api.replace_access(access),
            Err(problems) => {
                for problem in problems {
                    tracing::error!(code = %problem.code, "the tokens stay as they were: {}", problem.message);
                }
            }
        }
    }

    /// Says which settings of the daemon itself, and of where rows and bundles lie, are others now: they are taken at its start
    /// only.
    fn compare(&self) {
        // What is wrong with the marker as a whole is told by the reload.
        let Ok((section, _)) = compose::serve_section(&self.repository) else { return };
        match ServeSettings::read(&self.arguments, &self.environment, &section) {
            Ok(settings) => say_changes(&self.settings.shown(), settings.shown()),
            Err(problems) => {
                for problem in problems {
                    tracing::error!(code = %problem.code, "the next start will refuse this: {}", problem.message);
                }
            }
        }
        match places(&self.opened) {
            Ok(places) => say_changes(&self.places, places),
            Err(error) => tracing::error!("the next start will refuse this: {error}"),
        }
    }
}

/// Says which settings are others than at the start, or are gone.
fn say_changes(old: &[Shown], new: Vec<Shown>) {
    for Shown { key, value, source } in changes(old, new) {
        tracing::warn!(key, value, source, "this setting takes effect at the next start");
    }
}

/// Those of `new` that are others than in `old`, and those that are gone.
fn changes(old: &[Shown], new: Vec<Shown>) -> Vec<Shown> {
    let gone = old.iter().filter(|old| !new.iter().any(|new| new.key == old.key));
    let gone = gone.map(|old| Shown { key: old.key, value: "not set".to_owned(), source: "default".to_owned() });
    let gone: Vec<Shown> = gone.collect();
    let is_other = |new: &Shown| !old.iter().any(|old| old.key == new.key && old.value == new.value);
    new.into_iter().filter(is_other).chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_what_is_new_other_or_gone() {
        let shown = |key, value: &str, source: &str| Shown { key, value: value.to_owned(), source: source.to_owned() };
        let old = [shown("a", "1", "default"), shown("b", "1", "mangrove.yaml:1"), shown("c", "1", "mangrove.yaml:2")];
        let new = vec![shown("a", "1", "mangrove.yaml:1"), shown("b", "2", "default"), shown("d", "1", "default")];
        let expected = [shown("b", "2", "default"), shown("d", "1", "default"), shown("c", "not set", "default")];
        assert_eq!(changes(&old, new), expected);
    }
}
