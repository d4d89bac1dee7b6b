//! What a driver gives back, and storing it as what a method writes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::{data::DataKind, json::Json, json_text};

use crate::method::host::Host;

/// What a driver says of a method.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// Why the method failed; `None` if it has succeeded.
    pub(super) error: Option<String>,
    pub(super) outputs: Vec<Output>,
}

/// One item to be stored.
#[derive(Debug, PartialEq)]
pub(super) struct Output {
    kind: DataKind,
    spec: String,
    name: String,
    content: Json,
    tags: Json,
}

/// Reads what `execute` gave.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(given: &Json) -> Result<Outcome, String> {
    if let Some(found) = given.get("found") {
        let found = found.as_str().unwrap_or_default();
        return Err(format!("it gives no `{{ status, outputs }}`, but {found}"));
    }
    let said = given.get("error").filter(|error| **error != Json::Null);
    let error = match given.get("status").and_then(Json::as_str) {
        Some("success") => None,
        Some("error") => Some(match said {
            Some(Json::String(text)) if !text.is_empty() => text.clone(),
            Some(other) => other.to_string(),
            None => "it says no reason".to_owned(),
        }),
        Some(other) => return Err(format!("its `status` is `{other}`; expected `success` or `error`")),
        None => return Err("it gives no `status`; expected `success` or `error`".to_owned()),
    };
    let outputs = match given.get("outputs") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(outputs)) => {
            let read = outputs.iter().enumerate();
            let read = read.map(|(number, given)| output(given).map_err(|wrong| format!("outputs.{number}: {wrong}")));
            read.collect::<Result<_, _>>()?
        }
        Some(other) => return Err(format!("its `outputs` must be a list, found {}", other.type_name())),
    };
    Ok(Outcome { error, outputs })
}

fn output(given: &Json) -> Result<Output, String> {
    if given.as_object().is_none() {
        let found = given.as_str().unwrap_or_else(|| given.type_name());
        return Err(format!("expected a mapping, found {found}"));
    }
    let text = |member: &str| given.get(member).and_then(Json::as_str).filter(|text| !text.is_empty());
    match text("kind") {
        None | Some("pending") => {}
        Some(other) => {
            return Err(format!("its `kind` is `{other}`, and only what is `pending` can be stored here"));
        }
    }
    let kind = match text("type") {
        None | Some("resource") => DataKind::Resource,
        Some("file") => DataKind::File,
        Some(other) => return Err(format!("its `type` is `{other}`; expected `resource` or `file`")),
    };
    let spec = text("specName").ok_or("it has no `specName`")?.to_owned();
    let name = text("name").map_or_else(|| spec.clone(), str::to_owned);
    let content = given.get("content").filter(|content| **content != Json::Null);
    let content = content.ok_or_else(|| format!("`{name}` has no `content`"))?.clone();
    let tags = given.get("tags").filter(|tags| tags.as_object().is_some()).cloned().unwrap_or_default();
    Ok(Output { kind, spec, name, content, tags })
}

/// Stores an item as a method would have written it.
///
/// # Errors
/// Why it cannot be stored.
pub(super) async fn store(host: &Host, output: Output) -> Result<(), String> {
    let Output { kind, spec, name, content, tags } = output;
    if !host.declares(kind, &spec) {
        host.remark(&format!(
            "the type declares no {} `{spec}`: `{name}`, which the driver gives, is kept with the usual settings",
            kind.as_str()
        ));
    }
    let overrides = Json::object([("tags", tags)]);
    let (spec, name) = (Json::from(spec), Json::from(name));
    match kind {
        DataKind::Resource => {
            let content = resource(host, &name, content)?;
            host.write_resource(&spec, &name, &content, &overrides).await?;
        }
        DataKind::File => {
            host.write_file(&spec, &name, &file(content), &overrides).await?;
        }
    }
    Ok(())
}

/// The value of a resource. What is no JSON, such as what a program printed, is kept as a text.
fn resource(host: &Host, name: &Json, content: Json) -> Result<Json, String> {
    let text = match content {
        Json::String(text) => text,
        other => match (other.get("json"), other.get("base64").and_then(Json::as_str)) {
            (Some(value), _) => return Ok(value.clone()),
            (None, Some(encoded)) => {
                let bytes =
                    STANDARD.decode(encoded).map_err(|error| format!("{name}: the content cannot be read: {error}"))?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            (None, None) => return Err(format!("{name}: the content cannot be read")),
        },
    };
    Ok(json_text::parse(&text).unwrap_or_else(|| {
        host.remark(&format!("{name}: the driver gives no JSON; its text is kept as one"));
        Json::from(text)
    }))
}

/// The content of a file as it travels.
fn file(content: Json) -> Json {
    match content.get("json") {
        Some(value) => Json::from(value.to_string()),
        None => content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Outcome, String> {
        read(&json_text::parse(text).expect("JSON"))
    }

    #[test]
    fn what_a_driver_gives_is_read() {
        let outcome = read_text(
            r#"{"status": "success", "error": null, "outputs": [
                {"kind": "pending", "specName": "row", "name": "a", "type": "resource", "content": "{}", "tags": {"t": "1"}},
                {"specName": "log", "type": "file", "content": {"base64": "AA=="}, "tags": null}
            ]}"#,
        );
        let outcome = outcome.expect("an outcome");
        assert_eq!(outcome.error, None);
        let seen: Vec<String> = outcome
            .outputs
            .iter()
            .map(|it| format!("{} {} {} {} {}", it.kind.as_str(), it.spec, it.name, it.content, it.tags))
            .collect();
        assert_eq!(seen, [r#"resource row a "{}" {"t":"1"}"#, r#"file log log {"base64":"AA=="} null"#]);
        let failed = read_text(r#"{"status": "error", "error": "no route"}"#).expect("an outcome");
        assert_eq!((failed.error.as_deref(), failed.outputs.len()), (Some("no route"), 0));
        assert_eq!(
            read_text(r#"{"status": "error"}"#).expect("an outcome").error.as_deref(),
            Some("it says no reason")
        );
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (text, expected) in [
            (r#"{"found": "undefined"}"#, "it gives no `{ status, outputs }`, but undefined"),
            (r#"{"outputs": []}"#, "it gives no `status`; expected `success` or `error`"),
            (r#"{"status": "done"}"#, "its `status` is `done`; expected `success` or `error`"),
            (r#"{"status": "success", "outputs": {}}"#, "its `outputs` must be a list, found object"),
            (r#"{"status": "success", "outputs": ["number"]}"#, "outputs.0: expected a mapping, found number"),
            (
                r#"{"status": "success", "outputs": [{"kind": "persisted"}]}"#,
                "outputs.0: its `kind` is `persisted`, and only what is `pending` can be stored here",
            ),
            (
                r#"{"status": "success", "outputs": [{"type": "table"}]}"#,
                "outputs.0: its `type` is `table`; expected `resource` or `file`",
            ),
            (r#"{"status": "success", "outputs": [{"content": "x"}]}"#, "outputs.0: it has no `specName`"),
            (r#"{"status": "success", "outputs": [{"specName": "row"}]}"#, "outputs.0: `row` has no `content`"),
        ] {
            assert_eq!(read_text(text).expect_err(text), expected);
        }
    }
}
