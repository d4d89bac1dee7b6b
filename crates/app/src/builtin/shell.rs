//! `command/shell`: a command of the system's shell as a method.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    description::{Description, MethodDescription, Violation},
    json::{Json, Number},
    ports::{Clock, HostCall, MethodHost, Shell, ShellCommand, ShellEnd, ShellStream},
    type_name::TypeName,
};
use tokio::sync::mpsc;

use super::quoting::{Quoted, quote};
use crate::secrets::{Environment, MASK, Placeholders, TextPart};

/// How much of each stream is kept: what a step may log.
const KEPT_BYTES: usize = 8 << 20;

/// What methods of the format store for ever, as far as versions go.
const KEPT_VERSIONS: i64 = 10;

/// Why a command did not do what it was to do.
#[derive(Debug, PartialEq)]
pub(crate) enum ShellError {
    /// The arguments are wrong; nothing was run.
    Arguments(Vec<Violation>),
    /// It was run and failed, or what it said could not be stored. A sentence without its subject.
    Failed(String),
}

/// What a call is carried out with.
pub(crate) struct Tools<'a> {
    pub(crate) shell: &'a dyn Shell,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) environment: &'a Environment,
    /// The secrets in the arguments.
    pub(crate) placeholders: &'a Placeholders,
    pub(crate) host: &'a Arc<dyn MethodHost>,
}

/// What the type offers.
pub(super) fn description() -> Description {
    let text = |about: &str| Json::object([("type", Json::from("string")), ("description", Json::from(about))]);
    let of_type = |name: &str| Json::object([("type", Json::from(name))]);
    let names = |names: &[&str]| Json::Array(names.iter().map(|name| Json::from(*name)).collect());
    let run = Json::object([
        ("type", Json::from("string")),
        ("minLength", Json::from(1)),
        ("description", Json::from("The command; `sh -c` runs it")),
    ]);
    let directory = text("Where it runs; the directory in which this program was started if it is not given");
    let timeout = Json::object([
        ("type", Json::from("integer")),
        ("minimum", Json::from(1)),
        ("description", Json::from("How long it may take, in milliseconds")),
    ]);
    let variables = Json::object([
        ("type", Json::from("object")),
        ("additionalProperties", of_type("string")),
        ("description", Json::from("Variables beside those of this program")),
    ]);
    let ignore = Json::object([
        ("type", Json::from("boolean")),
        ("description", Json::from("True if another exit code than 0 is no failure")),
    ]);
    let arguments = Json::object([
        ("type", Json::from("object")),
        (
            "properties",
            Json::object([
                ("run", run),
                ("workingDir", directory),
                ("timeout", timeout),
                ("env", variables),
                ("ignoreExitCode", ignore),
            ]),
        ),
        ("required", names(&["run"])),
    ]);
    let result = Json::object([
        ("type", Json::from("object")),
        (
            "properties",
            Json::object([
                ("exitCode", of_type("integer")),
                ("executedAt", of_type("string")),
                ("command", of_type("string")),
                ("durationMs", of_type("number")),
                ("stdout", of_type("string")),
                ("stderr", of_type("string")),
            ]),
        ),
        ("required", names(&["exitCode", "executedAt"])),
    ]);
    let kept = |members: Vec<(&str, Json)>| {
        let rest = [("lifetime", Json::from("infinite")), ("garbageCollection", Json::from(KEPT_VERSIONS))];
        Json::object(members.into_iter().chain(rest))
    };
    let about = |text: &str| ("description", Json::from(text));
    let result = kept(vec![about("What the command said and how it ended"), ("schema", result)]);
    let log = kept(vec![about("Both streams as text"), ("contentType", Json::from("text/plain"))]);
    Description {
        version: Some(Arc::from("2026.02.09.1")),
        methods: vec![MethodDescription {
            name: "execute".to_owned(),
            description: "Runs a command of the shell and keeps what it says".to_owned(),
            kind: None,
            arguments,
        }],
        details: Json::object([
            ("description", Json::from("Runs commands of the system's shell")),
            ("resources", Json::object([("result", result)])),
            ("files", Json::object([("log", log)])),
        ]),
        ..Description::new(TypeName::stored("command/shell"))
    }
}

/// What a command is run with.
#[derive(Debug, PartialEq)]
struct Arguments {
    run: String,
    directory: Option<String>,
    limit: Option<Duration>,
    variables: Vec<(String, String)>,
    ignores_exit_code: bool,
}

impl Arguments {
    fn read(arguments: &Json) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let mut wrong = |path: &str, expected: &str, found: &Json| {
            let message = format!("expected {expected}, found {}", found.type_name());
            violations.push(Violation { path: path.to_owned(), message });
        };
        let given = |name: &str| arguments.get(name).filter(|value| **value != Json::Null);
        let run = match arguments.get("run") {
            Some(Json::String(text)) if !text.is_empty() => text.clone(),
            other => {
                wrong("run", "a text that is not empty", other.unwrap_or(&Json::Null));
                String::new()
            }
        };
        let directory = given("workingDir").and_then(|value| {
            let text = value.as_str().map(str::to_owned);
            if text.is_none() {
                wrong("workingDir", "a text", value);
            }
            text
        });
        let limit = given("timeout").and_then(|value| {
            let millis = millis(value);
            if millis.is_none() {
                wrong("timeout", "a number of milliseconds above 0", value);
            }
            millis.map(Duration::from_millis)
        });
        let ignores_exit_code = given("ignoreExitCode").is_some_and(|value| {
            if value.as_bool().is_none() {
                wrong("ignoreExitCode", "true or false", value);
            }
            value.as_bool() == Some(true)
        });
        let mut variables = Vec::new();
        if let Some(value) = given("env") {
            match value.as_object() {
                None => wrong("env", "a mapping of names to texts", value),
                Some(members) => {
                    for (name, value) in members {
                        match value {
                            Json::String(text) => variables.push((name.clone(), text.clone())),
                            // YAML does not ask for quotes around them.
                            Json::Number(_) | Json::Bool(_) => variables.push((name.clone(), value.to_string())),
                            Json::Null | Json::Array(_) | Json::Object(_) => {
                                wrong(&format!("env.{name}"), "a text", value);
                            }
                        }
                        if name.is_empty() || name.contains(['=', '\0']) {
                            wrong(&format!("env.{name}"), "the name of a variable", &Json::from(name.as_str()));
                        }
                    }
                }
            }
        }
        if violations.is_empty() {
            Ok(Self { run, directory, limit, variables, ignores_exit_code })
        } else {
            Err(violations)
        }
    }
}

fn millis(value: &Json) -> Option<u64> {
    let whole = match value {
        Json::Number(Number::Integer(whole)) => u64::try_from(*whole).ok()?,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range is looked at first")]
        Json::Number(Number::Float(float)) if float.fract() == 0.0 && (0.0..1e15).contains(float) => *float as u64,
        _ => return None,
    };
    (whole > 0).then_some(whole)
}

/// What is wrong with the arguments of a command that somebody else runs.
///
/// # Errors
/// What each of them breaks.
pub(crate) fn check(arguments: &Json) -> Result<(), Vec<Violation>> {
    Arguments::read(arguments).map(drop)
}

/// Runs the command of these arguments and stores what it said.
pub(crate) async fn execute(tools: &Tools<'_>, arguments: &Json) -> Result<(), ShellError> {
    let arguments = Arguments::read(arguments).map_err(ShellError::Arguments)?;
    let began = tools.clock.now();
    let Quoted { text, variables, unreplaced } = quote(tools.placeholders, &arguments.run);
    if unreplaced > 0 {
        let text = "a secret stands between single quotes, where the shell replaces no variable; double quotes let it";
        log(tools, "warn", text).await;
    }
    let reveal = |text: &String| tools.placeholders.reveal(text);
    let given = arguments.variables.iter().map(|(name, value)| (name.clone(), reveal(value)));
    let command = ShellCommand {
        text,
        directory: arguments.directory.as_ref().map(reveal),
        variables: given.chain(variables).collect(),
        limit: arguments.limit,
        kept_bytes: KEPT_BYTES,
    };
    let end = run(tools, command).await;
    if end.is_cut {
        let text = format!("the command said more than {} MiB; only the beginning is stored", KEPT_BYTES >> 20);
        log(tools, "warn", &text).await;
    }
    if end.exit_code != 0 && !arguments.ignores_exit_code {
        return Err(ShellError::Failed(failure(&end, arguments.limit)));
    }
    let masked = |text: &str| Json::from(tools.environment.mask(text.strip_suffix('\n').unwrap_or(text)));
    let taken = i64::try_from(tools.clock.now().since(began).as_millis()).unwrap_or(i64::MAX);
    let (output, errors) = (masked(&end.output), masked(&end.errors));
    let text = streams(output.as_str().unwrap_or_default(), errors.as_str().unwrap_or_default());
    let result = Json::object([
        ("exitCode", Json::from(i64::from(end.exit_code))),
        ("executedAt", Json::from(began.to_string())),
        ("command", Json::from(tools.environment.mask(&concealed(tools.placeholders, &arguments.run)))),
        ("durationMs", Json::from(taken)),
        ("stdout", output),
        ("stderr", errors),
    ]);
    write(tools, "writeResource", "result", result).await?;
    write(tools, "writeFile", "log", Json::from(text)).await
}

/// The text with a mask for each secret.
fn concealed(placeholders: &Placeholders, text: &str) -> String {
    let parts = placeholders.parts(text).into_iter();
    parts.map(|part| if let TextPart::Text(text) = part { text.to_owned() } else { MASK.to_owned() }).collect()
}

/// Runs a command and logs its lines as they come.
async fn run(tools: &Tools<'_>, command: ShellCommand) -> ShellEnd {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let running = async move {
        let mut hear = |stream: ShellStream, line: &str| {
            // Whoever listens goes on until this is over.
            let _ = sender.send((stream, line.to_owned()));
        };
        tools.shell.run(command, &mut hear).await
    };
    let logging = async {
        while let Some((stream, line)) = lines.recv().await {
            let level = match stream {
                ShellStream::Output => "info",
                ShellStream::Errors => "warn",
            };
            log(tools, level, &line).await;
        }
    };
    tokio::join!(running, logging).0
}

async fn log(tools: &Tools<'_>, level: &str, text: &str) {
    let call = HostCall { function: "log".to_owned(), arguments: vec![Json::from(level), Json::from(text)] };
    // Nothing depends on a line.
    let _ = tools.host.call(call).await;
}

/// Writes an item whose name is that of what declares it, as any method would.
async fn write(tools: &Tools<'_>, function: &str, name: &str, content: Json) -> Result<(), ShellError> {
    let arguments = vec![Json::from(name), Json::from(name), content, Json::Null];
    let written = tools.host.call(HostCall { function: function.to_owned(), arguments }).await;
    written.map(drop).map_err(ShellError::Failed)
}

/// Why a command counts as failed.
fn failure(end: &ShellEnd, limit: Option<Duration>) -> String {
    let last = end.errors.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.map(|line| format!(": {line}")).unwrap_or_default();
    match limit {
        Some(limit) if end.timed_out => {
            format!("exited with code {}: it did not end within {} ms{last}", end.exit_code, limit.as_millis())
        }
        _ => format!("exited with code {}{last}", end.exit_code),
    }
}

/// Both streams as one text; one that is empty is left out.
fn streams(output: &str, errors: &str) -> String {
    let named = [("[stdout]", output), ("[stderr]", errors)];
    let parts = named.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name}\n{text}"));
    parts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_and_every_objection_is_told() {
        let given = Json::object([
            ("run", Json::from("ls")),
            ("timeout", Json::Number(Number::Float(5.0))),
            ("env", Json::object([("A", Json::from("x")), ("B", Json::from(1)), ("C", Json::Bool(true))])),
            ("ignoreExitCode", Json::Null),
            ("other", Json::from(1)),
        ]);
        let read = Arguments::read(&given).expect("arguments");
        assert_eq!(read.limit, Some(Duration::from_millis(5)));
        let variables =
            [("A", "x"), ("B", "1"), ("C", "true")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((read.variables, read.ignores_exit_code), (variables.to_vec(), false));
        let wrong = Json::object([
            ("run", Json::from("")),
            ("timeout", Json::from(0)),
            ("workingDir", Json::from(1)),
            ("env", Json::object([("A=B", Json::from("x")), ("C", Json::Null)])),
            ("ignoreExitCode", Json::from("yes")),
        ]);
        let violations = Arguments::read(&wrong).expect_err("all of it is wrong");
        let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["run", "workingDir", "timeout", "ignoreExitCode", "env.A=B", "env.C"]);
    }

    #[test]
    fn s4_a_stream_that_is_empty_is_left_out_of_the_log() {
        assert_eq!(streams("a\nb", ""), "[stdout]\na\nb");
        assert_eq!(streams("", "e"), "[stderr]\ne");
        assert_eq!(streams("a", "e"), "[stdout]\na\n[stderr]\ne");
        assert_eq!(streams("", ""), "");
    }
}
