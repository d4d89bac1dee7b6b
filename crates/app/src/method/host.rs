//! What a method can reach while it runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    data::{self, DataHandle, DataKind},
    description::Description,
    json::Json,
    nearest,
    ports::{Clock, DataError, DataStore, HostCall, MethodHost, NewData, SchemaValidator},
    problem::Code,
    run::LogLine,
};

use super::{budget::StepBudget, handle, lines::CallLog};
use crate::secrets::Environment;

/// Told of every line, masked.
pub(crate) type OnLine = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// The host of one call.
pub(super) struct Host {
    pub(super) data: Arc<dyn DataStore>,
    pub(super) schemas: Arc<dyn SchemaValidator>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) environment: Arc<Environment>,
    pub(super) description: Arc<Description>,
    /// The identifier of the definition.
    pub(super) model_id: String,
    /// Identifiers of all definitions by their names.
    pub(super) models: Arc<BTreeMap<String, String>>,
    pub(super) run_id: String,
    pub(super) on_line: OnLine,
    pub(super) budget: Arc<StepBudget>,
    pub(super) state: Mutex<State>,
}

/// What a call left behind, whether it succeeded or not.
pub(super) struct State {
    pub(super) handles: Vec<DataHandle>,
    /// Why the latest call that was to write data was refused, where that has a code of its own.
    pub(super) refused: Option<Code>,
    pub(super) log: CallLog,
}

#[async_trait]
impl MethodHost for Host {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        let argument = |index: usize| call.arguments.get(index).unwrap_or(&Json::Null);
        match call.function.as_str() {
            "log" => {
                self.log(argument(0), argument(1));
                Ok(Json::Null)
            }
            "writeResource" => self.write_resource(argument(0), argument(1), argument(2), argument(3)).await,
            "writeFile" => self.write_file(argument(0), argument(1), argument(2), argument(3)).await,
            "readResource" => self.read_resource(argument(0), argument(1)).await,
            "readModelData" => self.read_model_data(argument(0), argument(1)).await,
            // Progress events have no reader yet; to fail a method for them would help nobody.
            "onEvent" => Ok(Json::Null),
            other => Err(format!("ctx.{other} is not supported in this version")),
        }
    }
}

impl Host {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs something that is not the method's own.
    pub(super) fn remark(&self, text: &str) {
        self.log(&Json::from("warn"), &Json::from(text));
    }

    /// As [`remark`](Self::remark), where nothing is wrong.
    pub(super) fn inform(&self, text: &str) {
        self.log(&Json::from("info"), &Json::from(text));
    }

    /// Logs what a check objects to.
    pub(super) fn object(&self, text: &str) {
        self.log(&Json::from("error"), &Json::from(text));
    }

    fn log(&self, level: &Json, text: &Json) {
        let known = ["debug", "info", "warn", "error"];
        let level = level.as_str().filter(|level| known.contains(level)).unwrap_or("info");
        let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        let text = self.environment.mask(&text);
        let kept = self.state().log.add(LogLine { at: self.clock.now(), level: level.to_owned(), text });
        if let Some(line) = kept {
            (self.on_line)(&line);
        }
    }

    async fn write_resource(
        &self,
        spec: &Json,
        instance: &Json,
        content: &Json,
        overrides: &Json,
    ) -> Result<Json, String> {
        let (spec, instance) = (text("writeResource", "spec", spec)?, text("writeResource", "instance", instance)?);
        let declared = self.declared("resources", "resource", spec)?;
        if let Some(schema) = declared.get("schema") {
            let violations =
                self.schemas.validate(schema, content).map_err(|error| format!("resource `{spec}`: {error}"))?;
            if !violations.is_empty() {
                let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
                return Err(format!("the data breaks the schema of resource `{spec}`: {}", list.join("; ")));
            }
        }
        self.write(DataKind::Resource, spec, instance, content, &[declared, overrides]).await
    }

    async fn write_file(&self, spec: &Json, instance: &Json, content: &Json, overrides: &Json) -> Result<Json, String> {
        let (spec, instance) =
            (text("createFileWriter", "spec", spec)?, text("createFileWriter", "instance", instance)?);
        let declared = self.declared("files", "file", spec)?;
        self.write(DataKind::File, spec, instance, content, &[declared, overrides]).await
    }

    async fn write(
        &self,
        kind: DataKind,
        spec: &str,
        instance: &str,
        content: &Json,
        tagged: &[&Json],
    ) -> Result<Json, String> {
        let tags = tagged.iter().filter_map(|value| value.get("tags")?.as_object()).flatten();
        let tags = Json::object(tags.cloned());
        let tags = tags
            .as_object()
            .unwrap_or_default()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect::<Vec<_>>();
        data::check_length(instance, &tags).map_err(|error| {
            self.state().refused = Some(Code::DATA_NAME_TOO_LONG);
            let function = match kind {
                DataKind::Resource => "writeResource",
                DataKind::File => "createFileWriter",
            };
            format!("ctx.{function}: {error}")
        })?;
        let handle = self
            .data
            .write(NewData {
                model_id: self.model_id.clone(),
                spec_name: spec.to_owned(),
                name: instance.to_owned(),
                kind,
                content: content.clone(),
                tags,
                run_id: self.run_id.clone(),
                written_at: self.clock.now(),
            })
            .await
            .map_err(|error| store_failed(&error))?;
        let json = handle::document(&handle);
        let kept = self.budget.take_handle(handle::recorded(&handle).to_string().len());
        {
            let mut state = self.state();
            state.refused = None;
            if kept.is_ok() {
                state.handles.push(handle);
            }
        }
        if let Err(Some(remark)) = kept {
            self.remark(&remark);
        }
        Ok(json)
    }

    async fn read_resource(&self, instance: &Json, version: &Json) -> Result<Json, String> {
        let instance = text("readResource", "instance", instance)?;
        let version = match version {
            Json::Null => None,
            other => match other.as_integer().and_then(|version| u32::try_from(version).ok()) {
                Some(version) => Some(version),
                None => return Err(format!("ctx.readResource: expected a version, found {other}")),
            },
        };
        let handles = self.data.list(&self.model_id).await.map_err(|error| store_failed(&error))?;
        let newest = handles
            .into_iter()
            .filter(|handle| handle.kind == DataKind::Resource && handle.name == instance)
            .max_by_key(|handle| (handle.written_at, handle.version));
        let Some(newest) = newest else { return Ok(Json::Null) };
        let found = self
            .data
            .read(&self.model_id, &newest.spec_name, instance, version)
            .await
            .map_err(|error| store_failed(&error))?;
        Ok(found.map_or(Json::Null, |(_, content)| content))
    }

    async fn read_model_data(&self, model: &Json, spec: &Json) -> Result<Json, String> {
        let model = text("readModelData", "model", model)?;
        let by_id = self.models.values().find(|id| *id == model);
        let Some(id) = self.models.get(model).or(by_id) else {
            let hint = nearest::hint(model, self.models.keys().map(String::as_str));
            return Err(with_hint(format!("ctx.readModelData: unknown definition `{model}`"), hint));
        };
        let mut found = Vec::new();
        for handle in self.data.list(id).await.map_err(|error| store_failed(&error))? {
            if spec.as_str().is_some_and(|spec| spec != handle.spec_name) {
                continue;
            }
            let read = self
                .data
                .read(id, &handle.spec_name, &handle.name, None)
                .await
                .map_err(|error| store_failed(&error))?;
            if let Some((handle, content)) = read {
                let Json::Object(mut members) = handle::document(&handle) else { continue };
                members.push(("attributes".to_owned(), content));
                found.push(Json::Object(members));
            }
        }
        Ok(Json::Array(found))
    }

    /// What the model declares of a resource or file.
    fn declared(&self, group: &str, what: &str, spec: &str) -> Result<&Json, String> {
        let declared = self.description.details.get(group);
        declared.and_then(|declared| declared.get(spec)).ok_or_else(|| {
            let known = declared.and_then(Json::as_object).unwrap_or_default();
            let hint = nearest::hint(spec, known.iter().map(|(name, _)| name.as_str()));
            with_hint(format!("`{}` declares no {what} `{spec}`", self.description.type_name), hint)
        })
    }
}

fn text<'a>(function: &str, name: &str, value: &'a Json) -> Result<&'a str, String> {
    match value.as_str() {
        Some("") => Err(format!("ctx.{function}: the {name} must not be empty")),
        Some(text) => Ok(text),
        None => Err(format!("ctx.{function}: expected a string as {name}, found {}", value.type_name())),
    }
}

fn store_failed(error: &DataError) -> String {
    error.to_string()
}

fn with_hint(message: String, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}
