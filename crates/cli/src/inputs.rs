//! Inputs as people write them on a command line.

use std::path::{Path, PathBuf};

use clap::Args;
use mangrove_documents::advice;
use mangrove_domain::{
    advice::Advice,
    document::{Node, NodeValue},
    json::Json,
    json_text,
    ports::DocumentError,
    problem::Code,
};
use mangrove_fs::read::{self, FileKind, Within};

use crate::errors::CommandError;

#[derive(Debug, Args)]
pub(crate) struct Inputs {
    /// An input; may be given several times. `KEY:json=VALUE` is JSON, `KEY=@FILE` the content of a file
    #[arg(long = "input", value_name = "KEY=VALUE", value_parser = parse)]
    pub(crate) input: Vec<Input>,
    /// A YAML or JSON file with inputs; `--input` wins over it
    #[arg(long, value_name = "FILE")]
    pub(crate) input_file: Option<PathBuf>,
}

impl Inputs {
    /// The texts that stand on the command line itself, and not in files; those of JSON without its escapes.
    pub(crate) fn written(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for input in &self.input {
            match input {
                Input::One { value, .. } if value.starts_with('@') => {}
                Input::One { value, is_json: false, .. } => texts.push(value.clone()),
                Input::All(text) | Input::One { value: text, .. } => {
                    if let Some(value) = json_text::parse(text) {
                        add_texts(&value, &mut texts);
                    }
                }
            }
        }
        texts
    }
}

/// Adds the strings in a value; the names of members are none.
fn add_texts(value: &Json, texts: &mut Vec<String>) {
    match value {
        Json::String(text) => texts.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| add_texts(item, texts)),
        Json::Object(members) => members.iter().for_each(|(_, member)| add_texts(member, texts)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// One input: where it belongs, and its value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// An object that holds all inputs.
    All(String),
    /// One value.
    One {
        /// The names that lead to it.
        path: Vec<String>,
        /// True if the value is JSON.
        is_json: bool,
        value: String,
    },
}

/// What one argument says.
///
/// # Errors
/// What was expected.
pub(crate) fn parse(text: &str) -> Result<Input, String> {
    if text.trim_start().starts_with('{') {
        return Ok(Input::All(text.to_owned()));
    }
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE or a JSON object")?;
    let (key, is_json) = key.strip_suffix(":json").map_or((key, false), |key| (key, true));
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err("expected KEY=VALUE, where KEY is a name or names with dots between them".to_owned());
    }
    Ok(Input::One { path, is_json, value: value.to_owned() })
}

/// The inputs of the command line over those of a file, a mapping. Values stay text; the schema that they are for turns them into
/// what it wants. Numbers of the file keep how they are written.
///
/// # Errors
/// A file cannot be read, or something is not what it should be.
pub(crate) fn read(
    parse: impl Fn(&str, &str) -> Result<Node, DocumentError>,
    given: &[Input],
    file: Option<&Path>,
    home: Option<&str>,
) -> Result<Node, CommandError> {
    let mut inputs = match file {
        Some(path) => mapping_in(parse, path)?,
        None => nowhere(NodeValue::Map(Vec::new())),
    };
    for input in given {
        match input {
            Input::All(_) if given.len() > 1 => {
                let message = "an object with all inputs stands alone; write the others into it";
                return Err(CommandError::usage(Some(Code::INVALID_INPUT), message, None));
            }
            Input::All(text) => match json_text::parse(text) {
                Some(object @ Json::Object(_)) => put(&mut inputs, node_of(object)),
                _ => return Err(not_json("--input", text)),
            },
            Input::One { path, is_json, value } => {
                let text = text_of(value, home)?;
                let value = if *is_json {
                    json_text::parse(&text).ok_or_else(|| not_json(&path.join("."), &text))?
                } else {
                    Json::from(text)
                };
                let nested = path.iter().rev().fold(value, |value, name| Json::object([(name.as_str(), value)]));
                put(&mut inputs, node_of(nested));
            }
        }
    }
    Ok(inputs)
}

/// A value that stands in no file.
const fn nowhere(value: NodeValue) -> Node {
    Node::new(1, 1, value)
}

fn node_of(value: Json) -> Node {
    Node::of_json(value, &nowhere(NodeValue::Null))
}

/// Puts members over those of a mapping, also inside of members that are mappings in both.
fn put(under: &mut Node, over: Node) {
    match (&mut under.value, over) {
        (NodeValue::Map(members), Node { value: NodeValue::Map(others), .. }) => {
            for (name, value) in others {
                match members.iter_mut().find(|(known, _)| known.as_str() == name.as_str()) {
                    Some((_, known)) => put(known, value),
                    None => members.push((name, value)),
                }
            }
        }
        (_, over) => *under = over,
    }
}

/// The members of both mappings; those of the second one win.
pub(crate) fn over(under: &Node, over: &Node) -> Node {
    let mut members = under.as_map().unwrap_or_default().to_vec();
    for (name, value) in over.as_map().unwrap_or_default() {
        match members.iter_mut().find(|(known, _)| known.as_str() == name.as_str()) {
            Some((_, known)) => *known = value.clone(),
            None => members.push((name.clone(), value.clone())),
        }
    }
    nowhere(NodeValue::Map(members))
}

/// The text that is meant: what it says, or what is in the file that it names.
fn text_of(value: &str, home: Option<&str>) -> Result<String, CommandError> {
    if let Some(literal) = value.strip_prefix("\\@") {
        return Ok(format!("@{literal}"));
    }
    let Some(name) = value.strip_prefix('@') else { return Ok(value.to_owned()) };
    let is_scoped = name.starts_with(|first: char| first.is_alphabetic()) && name.contains('/') && !name.contains('.');
    if name.is_empty() || is_scoped {
        return Ok(value.to_owned());
    }
    text_in(&with_home(name, home))
}

/// `~` is the home of whoever asks.
fn with_home(name: &str, home: Option<&str>) -> PathBuf {
    match (name.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => Path::new(home).join(below),
        (Some(_), None) | (None, _) => PathBuf::from(name),
    }
}

fn text_in(path: &Path) -> Result<String, CommandError> {
    read::text(path, Within::Anywhere, FileKind::Document).map_err(|error| {
        let message = format!("{} cannot be read: {}", path.display(), error.reason);
        let code = error.into_fault().code;
        let hint = Advice::for_code(code).as_ref().map(advice::text);
        CommandError::usage(Some(code), message, hint.as_deref())
    })
}

/// The mapping in a YAML or JSON file.
fn mapping_in(parse: impl Fn(&str, &str) -> Result<Node, DocumentError>, path: &Path) -> Result<Node, CommandError> {
    let name = path.display().to_string();
    let value = parse(&name, &text_in(path)?)
        .map_err(|error| CommandError::usage(Some(Code::MALFORMED_DOCUMENT), error.to_string(), None))?;
    if value.as_map().is_none() {
        let message = format!("{name}: expected a mapping of inputs, found {}", value.to_json().type_name());
        return Err(CommandError::usage(Some(Code::INVALID_DOCUMENT), message, None));
    }
    Ok(value)
}

fn not_json(what: &str, text: &str) -> CommandError {
    let shown: String = text.chars().take(60).collect();
    CommandError::usage(Some(Code::INVALID_INPUT), format!("`{what}`: expected JSON, found {shown}"), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(texts: &[&str]) -> Result<String, String> {
        let given: Vec<Input> = texts.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
        let none = |_: &str, _: &str| -> Result<Node, DocumentError> { panic!("no file is read") };
        read(none, &given, None, None)
            .map(|inputs| inputs.to_json().to_string())
            .map_err(|error| error.report.message.clone())
    }

    #[test]
    fn r20_values_nest_and_may_be_json_or_literal() {
        let table: [(&[&str], &str); 7] = [
            (&["a.b=1", "c:json=[2]", "d=@acme/dns"], r#"{"a":{"b":"1"},"c":[2],"d":"@acme/dns"}"#),
            (&["a.b=1", "a.c=2", "a.b=3"], r#"{"a":{"b":"3","c":"2"}}"#),
            (&["a=1", "a.b=2"], r#"{"a":{"b":"2"}}"#),
            (&["a.b:json={\"c\": null}"], r#"{"a":{"b":{"c":null}}}"#),
            (&["a=\\@file", "b=x=y", "c="], r#"{"a":"@file","b":"x=y","c":""}"#),
            (&["{\"a\": 1}"], r#"{"a":1}"#),
            (&[], "{}"),
        ];
        for (texts, expected) in table {
            assert_eq!(inputs(texts).as_deref(), Ok(expected), "{texts:?}");
        }
        for texts in [&["a"] as &[&str], &["=1"], &["a..b=1"], &["a:json=[1"], &["{\"a\": 1}", "b=2"], &["{1}"]] {
            assert!(inputs(texts).is_err(), "{texts:?}");
        }
    }

    #[test]
    fn what_is_written_has_no_escapes_of_json() {
        let written = |texts: &[&str]| {
            let input = texts.iter().map(|text| parse(text)).collect::<Result<_, _>>().expect("inputs");
            Inputs { input, input_file: None }.written()
        };
        let expression = r#"${{ vault.get("v", "k") }}"#;
        let escaped = r#""${{ vault.get(\"v\", \"k\") }}""#;
        assert_eq!(written(&[&format!("{{\"token\": {escaped}, \"n\": 1}}")]), [expression]);
        assert_eq!(written(&[&format!("token:json={escaped}")]), [expression]);
        assert_eq!(written(&[&format!("list:json=[{{\"a\": {escaped}}}, \"b\"]")]), [expression, "b"]);
        assert_eq!(written(&[&format!("token={expression}"), "key=@file", "n:json=[1"]), [expression]);
    }

    #[test]
    fn a_file_that_is_named_gives_its_text() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("key.pem");
        #[expect(clippy::disallowed_methods, reason = "a file of this test")]
        std::fs::write(&file, "one\ntwo\n").expect("a file");
        let text = format!("key=@{}", file.display());
        assert_eq!(inputs(&[&text]).as_deref(), Ok(r#"{"key":"one\ntwo\n"}"#));
        assert!(inputs(&["key=@/nowhere/at.all"]).is_err());
    }
}
