//! What expressions ask of data.

use async_trait::async_trait;
use mangrove_domain::{
    data::DataKind,
    definition::Definition,
    json::{Json, Number},
    ports::FunctionCall,
    report::DATA_TYPE,
};

use super::{models, records::Records};
use crate::render::Lookups;

/// Answers `data.*`, `file.contents`, `workers.connected` and `model.<name>`.
#[derive(Clone)]
pub struct DataLookups {
    records: Records,
}

impl DataLookups {
    /// Looks into these records.
    #[must_use]
    pub const fn new(records: Records) -> Self {
        Self { records }
    }

    async fn data(&self, function: &str, arguments: &[Json]) -> Result<Json, String> {
        let fail = |error: super::RecordsError| error.to_string();
        let list = |records: Vec<Json>| Json::Array(records);
        let records = &self.records;
        match (function, arguments) {
            ("latest", [model, name]) => {
                records.latest(text(model)?, text(name)?, &[]).await.map(Option::unwrap_or_default).map_err(fail)
            }
            ("latest", [model, name, vary]) => {
                let found = records.latest(text(model)?, text(name)?, &values(vary)?).await;
                found.map(Option::unwrap_or_default).map_err(fail)
            }
            ("version", [model, name, version]) => {
                let found = records.version(text(model)?, text(name)?, &[], integer(version)?).await;
                found.map(Option::unwrap_or_default).map_err(fail)
            }
            ("version", [model, name, vary, version]) => {
                let found = records.version(text(model)?, text(name)?, &values(vary)?, integer(version)?).await;
                found.map(Option::unwrap_or_default).map_err(fail)
            }
            ("listVersions", [model, name, vary @ ..]) if vary.len() <= 1 => {
                let vary = vary.first().map(values).transpose()?.unwrap_or_default();
                let versions = records.list_versions(text(model)?, text(name)?, &vary).await.map_err(fail)?;
                Ok(Json::Array(versions.into_iter().map(|version| Json::from(i64::from(version))).collect()))
            }
            ("findBySpec", [model, spec]) => {
                records.find_by_spec(text(model)?, text(spec)?).await.map(list).map_err(fail)
            }
            ("findByTag", [name, value]) => {
                records.find_by_tag(text(name)?, text(value)?).await.map(list).map_err(fail)
            }
            ("query", [predicate]) => records.query(text(predicate)?, None).await.map(list).map_err(fail),
            ("query", [predicate, select]) => {
                records.query(text(predicate)?, Some(text(select)?)).await.map(list).map_err(fail)
            }
            (name, arguments) => Err(format!("`data.{name}` does not take {} arguments", arguments.len())),
        }
    }

    /// The text of the first file of a specification.
    async fn file(&self, model: &str, spec: &str) -> Result<Json, String> {
        let fail = |error: mangrove_domain::ports::DataError| error.to_string();
        let store = self.records.store();
        let Some(definition) = self.records.models().get(model) else { return Ok(Json::Null) };
        let handles = store.list(&definition.id).await.map_err(fail)?;
        let first = handles
            .iter()
            .find(|handle| handle.kind == DataKind::File && handle.spec_name == spec && !handle.is_gone());
        let Some(first) = first else { return Ok(Json::Null) };
        let found = store.read(&definition.id, &first.name, Some(first.version)).await.map_err(fail)?;
        Ok(found.map_or(Json::Null, |(_, content)| Json::from(String::from_utf8_lossy(&content.bytes).into_owned())))
    }

    /// A definition as `model.<name>` has it, with its data where that is asked for.
    async fn model(&self, definition: &Definition, part: Option<&str>) -> Result<Json, String> {
        let input = models::input(definition);
        let mut members = vec![("input".to_owned(), input.clone()), ("definition".to_owned(), input)];
        if matches!(part, None | Some("resource" | "file")) {
            let (resources, files) = self.items(definition).await?;
            members.push(("resource".to_owned(), resources));
            members.push(("file".to_owned(), files));
        }
        Ok(Json::Object(members))
    }

    /// The latest items of a definition, by specification and name: resources and files.
    async fn items(&self, definition: &Definition) -> Result<(Json, Json), String> {
        let records = self.records.of_model(&definition.id, None).await.map_err(|error| error.to_string())?;
        let store = self.records.store();
        let (mut resources, mut files) = (Json::Object(Vec::new()), Json::Object(Vec::new()));
        for record in records {
            let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or_default();
            let (spec, name) = (text("specName").to_owned(), text("name").to_owned());
            let is_report = record.get("tags").is_some_and(|tags| tags.get("reportName").is_some());
            if text("dataType") == DATA_TYPE && is_report {
                continue;
            }
            if text("dataType") == DataKind::File.as_str() {
                let version =
                    record.get("version").and_then(Json::as_integer).and_then(|number| u32::try_from(number).ok());
                let path = store.content_path(&definition.id, &name, version.unwrap_or_default());
                let member = |key: &'static str| (key, record.get(key).cloned().unwrap_or_default());
                let file = Json::object([
                    member("id"),
                    member("version"),
                    member("createdAt"),
                    ("path", Json::from(path.to_string_lossy().into_owned())),
                    member("size"),
                    member("contentType"),
                ]);
                put(&mut files, spec, name, file);
            } else {
                put(&mut resources, spec, name, record);
            }
        }
        Ok((resources, files))
    }
}

#[async_trait]
impl Lookups for DataLookups {
    async fn answer(&self, call: &FunctionCall) -> Result<Json, String> {
        match (call.name.split_once('.'), &*call.arguments) {
            (Some(("data", function)), arguments) => self.data(function, arguments).await,
            (Some(("file", "contents")), [model, spec]) => self.file(text(model)?, text(spec)?).await,
            (Some(("workers", "connected")), []) => Ok(Json::Array(Vec::new())),
            _ => Err(format!("`{}` cannot be used here", call.name)),
        }
    }

    async fn variable(&self, path: &[String]) -> Result<Option<Json>, String> {
        let (name, part) = match path {
            [root, rest @ ..] if root == "model" => (rest.first(), rest.get(1).map(String::as_str)),
            _ => return Ok(None),
        };
        let models = self.records.models();
        let mut members = Vec::new();
        match name {
            Some(name) => {
                if let Some(definition) = models.get(name) {
                    members.push((name.clone(), self.model(&definition, part).await?));
                }
            }
            // Which one is meant is known only to the expression.
            None => {
                for definition in models.all() {
                    members.push((definition.name.value.clone(), self.model(&definition, None).await?));
                }
            }
        }
        Ok(Some(Json::Object(members)))
    }
}

/// Puts a value under two names.
fn put(object: &mut Json, outer: String, inner: String, value: Json) {
    let Json::Object(members) = object else { return };
    let place = match members.iter().position(|(name, _)| *name == outer) {
        Some(place) => place,
        None => {
            members.push((outer, Json::Object(Vec::new())));
            members.len() - 1
        }
    };
    if let Some((_, Json::Object(below))) = members.get_mut(place) {
        below.push((inner, value));
    }
}

fn text(value: &Json) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("expected a string, found {}", value.type_name()))
}

/// A version: an int. Numbers of inputs and data are doubles.
fn integer(value: &Json) -> Result<i64, String> {
    match value {
        Json::Number(Number::Integer(number)) => Ok(*number),
        Json::Number(Number::Float(number)) => {
            Err(format!("expected an int as version, found the double {number}; write `int(…)`"))
        }
        other => Err(format!("expected an int as version, found {}", other.type_name())),
    }
}

/// The values that vary a name, as texts.
fn values(list: &Json) -> Result<Vec<String>, String> {
    let items = list.as_array().ok_or_else(|| format!("expected a list of values, found {}", list.type_name()))?;
    items
        .iter()
        .map(|item| match item {
            Json::String(text) => Ok(text.clone()),
            Json::Number(_) | Json::Bool(_) => Ok(item.to_string()),
            other => Err(format!("a value that varies a name must be plain, found {}", other.type_name())),
        })
        .collect()
}
