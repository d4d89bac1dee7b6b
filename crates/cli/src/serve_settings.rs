//! The settings of the daemon: arguments win over the environment, and this over `serve` in the configuration.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use mangrove_app::service::Retention;
use mangrove_daemon::Options;
use mangrove_domain::{
    position::Position,
    problem::{Code, Problem},
    time::parse_duration,
};

use crate::{args, compose, human};

/// Looking at all sources more often would cost a processor.
const SHORTEST_RESCAN: Duration = Duration::from_secs(1);

/// What keeps history without end.
const FOREVER: &str = "forever";

/// A setting and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    /// `--listen`, `MANGROVE_SERVE_LISTEN`, `mangrove.yaml:4` or `default`.
    pub(crate) source: String,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct ServeSettings {
    pub(crate) listen: Setting<SocketAddr>,
    pub(crate) grace: Setting<Duration>,
    pub(crate) rescan: Setting<Duration>,
    pub(crate) parallel_runs: Setting<usize>,
    pub(crate) shared_parallel_runs: Setting<Option<u32>>,
    pub(crate) keep_runs: Setting<Option<Duration>>,
    pub(crate) keep_logs: Setting<Option<Duration>>,
    pub(crate) keep_transitions: Setting<Option<Duration>>,
    pub(crate) time_zone: Setting<Option<String>>,
    pub(crate) token_file: Setting<Option<PathBuf>>,
    pub(crate) hosts: Setting<Vec<String>>,
    pub(crate) insecure_no_auth: bool,
}

/// What one setting of `--check` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// As in the configuration.
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) source: String,
}

/// Where settings are looked for.
struct Layers<'a> {
    section: &'a BTreeMap<String, (String, Position)>,
    environment: &'a BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Layers<'_> {
    fn read<T>(
        &mut self,
        key: &str,
        argument: Option<&String>,
        default: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Setting<T> {
        let words = words_of(key);
        let (flag, variable) =
            (format!("--{}", words.join("-")), format!("MANGROVE_SERVE_{}", words.join("_").to_uppercase()));
        let from_environment = || {
            self.environment.get(&variable).filter(|text| !text.is_empty()).map(|text| (text, variable.clone(), None))
        };
        let from_section = || {
            let (text, position) = self.section.get(key)?;
            Some((text, position.file_and_line(), Some(position.clone())))
        };
        let found = argument.map(|text| (text, flag, None)).or_else(from_environment).or_else(from_section);
        let Some((text, source, position)) = found else {
            return Setting { value: default, source: "default".to_owned() };
        };
        match parse(text) {
            Ok(value) => Setting { value, source },
            Err(expected) => {
                let message = format!("`{key}` is {text:?} ({source}); expected {expected}");
                self.problems.push(Problem::error(Code::INVALID_DOCUMENT, &source, message).at_if(position));
                Setting { value: default, source }
            }
        }
    }
}

/// How long something is kept.
fn kept(text: &str) -> Result<Option<Duration>, String> {
    if text == FOREVER {
        return Ok(None);
    }
    let expected = || format!("a duration such as 12h or 90d, or `{FOREVER}`");
    parse_duration(text).map(Some).ok_or_else(expected)
}

/// `parallelRuns` is `parallel` and `runs`.
fn words_of(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in key.chars() {
        if character.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
    }
    words
}

impl ServeSettings {
    /// Reads all of them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn read(
        arguments: &args::Serve,
        environment: &BTreeMap<String, String>,
        section: &BTreeMap<String, (String, Position)>,
    ) -> Result<Self, Vec<Problem>> {
        let usual = Options::default();
        let mut layers = Layers { section, environment, problems: Vec::new() };
        let duration = |text: &str| parse_duration(text).ok_or_else(|| "a duration such as 90s, 5m or 1h".to_owned());
        let settings = Self {
            listen: layers.read("listen", arguments.listen.as_ref(), usual.listen, |text| {
                text.parse().map_err(|_| "an address with a port, such as 127.0.0.1:8787".to_owned())
            }),
            grace: layers.read("grace", arguments.grace.as_ref(), usual.grace, duration),
            rescan: layers.read("rescan", arguments.rescan.as_ref(), usual.rescan, |text| {
                let rescan = parse_duration(text).filter(|rescan| *rescan >= SHORTEST_RESCAN);
                rescan.ok_or_else(|| "a duration of a second or more, such as 90s, 5m or 1h".to_owned())
            }),
            parallel_runs: layers.read("parallelRuns", arguments.parallel_runs.as_ref(), usual.parallel_runs, |text| {
                let count = text.parse().ok().filter(|count| (1..=1_000).contains(count));
                count.ok_or_else(|| "a number from 1 to 1000".to_owned())
            }),
            shared_parallel_runs: layers.read(
                "sharedParallelRuns",
                arguments.shared_parallel_runs.as_ref(),
                usual.shared_parallel_runs,
                |text| {
                    let count = text.parse().ok().filter(|count| *count >= 1);
                    count.map(Some).ok_or_else(|| "a number of 1 or more".to_owned())
                },
            ),
            keep_runs: layers.read("keepRuns", arguments.keep_runs.as_ref(), usual.retention.runs, kept),
            keep_logs: layers.read("keepLogs", arguments.keep_logs.as_ref(), usual.retention.logs, kept),
            keep_transitions: layers.read(
                "keepTransitions",
                arguments.keep_transitions.as_ref(),
                usual.retention.transitions,
                kept,
            ),
            time_zone: layers.read("timeZone", arguments.time_zone.as_ref(), None, |text| {
                let is_zone = compose::calendar_in(text).is_some();
                is_zone.then(|| Some(text.to_owned())).ok_or_else(|| "a time zone such as Europe/Berlin".to_owned())
            }),
            token_file: layers
                .read("tokenFile", arguments.token_file.as_ref(), None, |text| Ok(Some(PathBuf::from(text)))),
            hosts: layers.read("hosts", arguments.hosts.as_ref(), Vec::new(), |text| {
                Ok(text.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect())
            }),
            insecure_no_auth: arguments.insecure_no_auth,
        };
        let mut problems = layers.problems;
        let is_open = !settings.listen.value.ip().is_loopback()
            && settings.token_file.value.is_none()
            && !settings.insecure_no_auth;
        if is_open {
            let message = format!(
                "{} can be reached from other machines, and nobody would be asked for a token",
                settings.listen.value
            );
            let advice = "`--token-file FILE` names the tokens; `--insecure-no-auth` lets everybody do everything";
            problems
                .push(Problem::error(Code::INVALID_DOCUMENT, settings.listen.source.clone(), message).advise(advice));
        }
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// What the daemon is to be like.
    pub(crate) fn options(&self) -> Options {
        Options {
            listen: self.listen.value,
            grace: self.grace.value,
            rescan: self.rescan.value,
            parallel_runs: self.parallel_runs.value,
            shared_parallel_runs: self.shared_parallel_runs.value,
            retention: Retention {
                runs: self.keep_runs.value,
                logs: self.keep_logs.value,
                transitions: self.keep_transitions.value,
            },
            ..Options::default()
        }
    }

    /// For people, in the order of the documentation.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let show = |key, value: String, source: &str| Shown { key, value, source: source.to_owned() };
        let file = self.token_file.value.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        let kept = |kept: Option<Duration>| kept.map_or_else(|| FOREVER.to_owned(), human::duration);
        let zone = self.time_zone.value.clone().unwrap_or_else(|| "that of the machine".to_owned());
        let shared = self.shared_parallel_runs.value.map_or_else(|| "any number".to_owned(), |most| most.to_string());
        let hosts = if self.hosts.value.is_empty() { "none".to_owned() } else { self.hosts.value.join(", ") };
        vec![
            show("listen", self.listen.value.to_string(), &self.listen.source),
            show("grace", human::duration(self.grace.value), &self.grace.source),
            show("rescan", human::duration(self.rescan.value), &self.rescan.source),
            show("parallelRuns", self.parallel_runs.value.to_string(), &self.parallel_runs.source),
            show("sharedParallelRuns", shared, &self.shared_parallel_runs.source),
            show("keepRuns", kept(self.keep_runs.value), &self.keep_runs.source),
            show("keepLogs", kept(self.keep_logs.value), &self.keep_logs.source),
            show("keepTransitions", kept(self.keep_transitions.value), &self.keep_transitions.source),
            show("timeZone", zone, &self.time_zone.source),
            show("tokenFile", file, &self.token_file.source),
            show("hosts", hosts, &self.hosts.source),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        arguments: &[&str],
        environment: &[(&str, &str)],
        section: &[(&str, &str)],
    ) -> Result<ServeSettings, Vec<Problem>> {
        use clap::Parser as _;
        let line = ["mangrove", "serve"].iter().chain(arguments);
        let args::Command::Serve(serve) = args::Arguments::try_parse_from(line).expect("arguments").command else {
            panic!("another command");
        };
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let position = |line| Position { file: "mangrove.yaml".to_owned(), line, column: 3 };
        let section = section.iter().zip(2..);
        let section =
            section.map(|((key, text), line)| ((*key).to_owned(), ((*text).to_owned(), position(line)))).collect();
        ServeSettings::read(&serve, &environment, &section)
    }

    #[test]
    fn arguments_win_over_the_environment_and_this_over_the_configuration() {
        let section = [
            ("grace", "1s"),
            ("rescan", "1h"),
            ("listen", "127.0.0.1:1"),
            ("keepLogs", "7d"),
            ("sharedParallelRuns", "12"),
        ];
        let environment = [
            ("MANGROVE_SERVE_GRACE", "2s"),
            ("MANGROVE_SERVE_LISTEN", "127.0.0.1:2"),
            ("MANGROVE_SERVE_KEEP_RUNS", "forever"),
        ];
        let settings = read(&["--listen", "127.0.0.1:3"], &environment, &section).expect("settings");
        let shown: Vec<String> = settings
            .shown()
            .into_iter()
            .map(|Shown { key, value, source }| format!("{key} {value} ({source})"))
            .collect();
        assert_eq!(
            shown,
            [
                "listen 127.0.0.1:3 (--listen)",
                "grace 2.0 s (MANGROVE_SERVE_GRACE)",
                "rescan 60 min (mangrove.yaml:3)",
                "parallelRuns 4 (default)",
                "sharedParallelRuns 12 (mangrove.yaml:6)",
                "keepRuns forever (MANGROVE_SERVE_KEEP_RUNS)",
                "keepLogs 7 d (mangrove.yaml:5)",
                "keepTransitions 90 d (default)",
                "timeZone that of the machine (default)",
                "tokenFile none (default)",
                "hosts none (default)",
            ]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_and_where() {
        let problems = read(
            &["--grace", "soon", "--keep-runs", "always"],
            &[("MANGROVE_SERVE_PARALLEL_RUNS", "0")],
            &[("listen", "here")],
        );
        let messages: Vec<String> =
            problems.expect_err("four problems").into_iter().map(|problem| problem.message).collect();
        assert_eq!(
            messages,
            [
                "`listen` is \"here\" (mangrove.yaml:2); expected an address with a port, such as 127.0.0.1:8787",
                "`grace` is \"soon\" (--grace); expected a duration such as 90s, 5m or 1h",
                "`parallelRuns` is \"0\" (MANGROVE_SERVE_PARALLEL_RUNS); expected a number from 1 to 1000",
                "`keepRuns` is \"always\" (--keep-runs); expected a duration such as 12h or 90d, or `forever`",
            ]
        );
    }

    #[test]
    fn an_address_that_others_reach_needs_tokens_or_the_word_that_it_does_not() {
        assert!(read(&["--listen", "0.0.0.0:80"], &[], &[]).is_err());
        assert!(read(&["--listen", "0.0.0.0:80", "--token-file", "t"], &[], &[]).is_ok());
        assert!(read(&["--listen", "0.0.0.0:80", "--insecure-no-auth"], &[], &[]).is_ok());
        assert!(read(&["--listen", "[::1]:80"], &[], &[]).is_ok());
    }
}
