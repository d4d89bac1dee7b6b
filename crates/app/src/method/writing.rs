//! What a method writes: checked, labelled, stored, remembered.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::{
    data::{self, DataHandle, DataKind, NameError},
    json::Json,
    nearest,
    ports::{Content, DataError, NewData},
    problem::Code,
    vault::{self, SensitiveField},
};

use super::{
    arguments, handle,
    host::{Host, store_failed, text, with_hint},
    origin::OutputSettings,
};

/// How much a call writes before it waits for the disk, also if it goes on.
const MOST_UNSETTLED: usize = 1_000;

/// What is to be written.
struct Asked<'a> {
    kind: DataKind,
    /// The context's function, for messages.
    function: &'static str,
    spec: &'a str,
    instance: &'a str,
    /// What the call itself says of how it is kept.
    overrides: &'a Json,
}

impl Host {
    pub(super) async fn write_resource(
        &self,
        spec: &Json,
        instance: &Json,
        content: &Json,
        overrides: &Json,
    ) -> Result<Json, String> {
        let asked = Asked::resource(spec, instance, overrides)?;
        let declared = self.declared(DataKind::Resource, asked.spec)?;
        // The key of a sensitive value is made of the name, and of two items that vary each has values of its own.
        let name = self.name_of(&asked)?;
        let place = self.place(asked.spec, &name);
        // First what is sensitive: the remark shows values.
        let stored = self.without_sensitive(asked.function, place, declared, content).await?;
        if let Some(schema) = declared.get("schema") {
            match self.schemas.validate(schema, content) {
                Ok(violations) if violations.is_empty() => {}
                Ok(violations) => {
                    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
                    let (spec, name, list) = (asked.spec, asked.instance, list.join("; "));
                    self.remark(&format!(
                        "`{name}` breaks the schema of resource `{spec}` and is stored all the same: {list}"
                    ));
                }
                Err(error) => self.remark(&format!("the schema of resource `{}` cannot be used: {error}", asked.spec)),
            }
        }
        // A secret that came from a vault stays there (`design/vaults.md`).
        let written = self.environment.without_vault_secrets(&stored);
        let handle = self.store(&asked, written.to_string().into_bytes()).await?;
        // The method finds them in the object that it gave, too.
        let references: Vec<Json> = references(declared, content, &stored);
        if references.is_empty() {
            return Ok(handle);
        }
        Ok(arguments::merge(&[&handle, &Json::object([("references", Json::Array(references))])]))
    }

    pub(super) async fn write_file(
        &self,
        spec: &Json,
        instance: &Json,
        content: &Json,
        overrides: &Json,
    ) -> Result<Json, String> {
        self.store(&Asked::file(spec, instance, overrides)?, file_bytes(content)?).await
    }

    /// Takes a version for a file that the method fills itself, and gives its path.
    pub(super) async fn file_path(&self, spec: &Json, instance: &Json, overrides: &Json) -> Result<Json, String> {
        let asked = Asked::file(spec, instance, overrides)?;
        let data = self.new_data(&asked, Vec::new())?;
        let reserved = self.data.reserve(&self.model_id, &data.name).await.map_err(|error| store_failed(&error))?;
        Ok(Json::object([
            ("version", Json::from(i64::from(reserved.0))),
            ("path", Json::from(reserved.1.to_string_lossy().into_owned())),
        ]))
    }

    /// Makes a version of the file that the method has filled.
    pub(super) async fn finish_file(
        &self,
        spec: &Json,
        instance: &Json,
        version: &Json,
        overrides: &Json,
    ) -> Result<Json, String> {
        let asked = Asked::file(spec, instance, overrides)?;
        let data = self.new_data(&asked, Vec::new())?;
        let version = version.as_integer().and_then(|version| u32::try_from(version).ok());
        let version = version.ok_or("ctx.createFileWriter: nothing was written")?;
        let stored = self.data.finish(version, data).await.map_err(|error| store_failed(&error))?;
        self.written(&stored).await.map_err(|error| store_failed(&error))?;
        Ok(self.remember(stored))
    }

    /// Removes all versions of a name.
    pub(super) async fn delete_resource(&self, name: &Json) -> Result<Json, String> {
        let name = text("deleteResource", "name", name)?;
        self.data.delete(&self.model_id, name, None).await.map_err(|error| store_failed(&error))?;
        Ok(Json::Null)
    }

    /// Writes of each resource of the model that the thing behind it is gone: its last state, when, and by which method.
    pub(super) async fn bury(&self, method: &str) -> Result<(), String> {
        let fail = |error: DataError| store_failed(&error);
        for handle in self.data.list(&self.model_id).await.map_err(fail)? {
            let is_own = !self.state().names.contains(&handle.name);
            if handle.kind != DataKind::Resource || handle.is_gone() || !is_own {
                continue;
            }
            let found = self.data.read(&self.model_id, &handle.name, Some(handle.version)).await.map_err(fail)?;
            let Some((handle, Content { json: Some(Json::Object(mut members)), .. })) = found else { continue };
            let now = self.clock.now();
            members.retain(|(name, _)| !["deletedAt", "deletedByMethod"].contains(&name.as_str()));
            members.push(("deletedAt".to_owned(), Json::from(now.to_string())));
            members.push(("deletedByMethod".to_owned(), Json::from(method)));
            let data = NewData {
                model_id: handle.model_id,
                model_type: handle.model_type,
                spec_name: handle.spec_name,
                name: handle.name,
                kind: handle.kind,
                content: Json::Object(members).to_string().into_bytes(),
                content_type: handle.content_type,
                lifetime: handle.lifetime,
                garbage_collection: handle.garbage_collection,
                is_streaming: handle.is_streaming,
                tags: data::tags([&*handle.tags, &*self.origin.tags(&self.run_id)]),
                owner: self.origin.owner(&self.model_id, &self.run_id),
                is_deleted: true,
                run_id: self.run_id.clone(),
                written_at: now,
            };
            self.write(data).await.map_err(fail)?;
        }
        Ok(())
    }

    /// Stores an item. It is durable once everything is [settled](Self::settle) that the call writes.
    pub(in crate::method) async fn write(&self, data: NewData) -> Result<DataHandle, DataError> {
        let stored = self.data.write(data).await?;
        self.written(&stored).await?;
        Ok(stored)
    }

    async fn written(&self, stored: &DataHandle) -> Result<(), DataError> {
        let count = {
            let mut state = self.state();
            state.unsettled.push(stored.into());
            state.unsettled.len()
        };
        if count >= MOST_UNSETTLED { self.settle().await } else { Ok(()) }
    }

    /// Makes what was written durable, before a record says that it is there.
    pub(in crate::method) async fn settle(&self) -> Result<(), DataError> {
        let unsettled = std::mem::take(&mut self.state().unsettled);
        if unsettled.is_empty() {
            return Ok(());
        }
        let settled = self.data.settle(unsettled.clone()).await;
        if settled.is_err() {
            // Code may catch the error of a write; the call must not end well with it.
            self.state().unsettled.splice(0..0, unsettled);
        }
        settled
    }

    async fn store(&self, asked: &Asked<'_>, content: Vec<u8>) -> Result<Json, String> {
        let data = self.new_data(asked, content)?;
        let stored = self.write(data).await.map_err(|error| store_failed(&error))?;
        Ok(self.remember(stored))
    }

    /// The name of an item, with the values by which the step lets it vary.
    fn name_of(&self, asked: &Asked<'_>) -> Result<String, String> {
        let vary: Vec<String> =
            self.origin.settings(asked.spec).flat_map(|settings| settings.vary.iter().cloned()).collect();
        let name = data::varied(asked.instance, &vary).map_err(|error| self.refuse(asked.function, None, &error))?;
        data::check_name(&name).map_err(|error| {
            let is_too_long = matches!(error, NameError::TooLong { .. });
            self.refuse(asked.function, is_too_long.then_some(Code::DATA_NAME_TOO_LONG), &error.to_string())
        })?;
        Ok(name)
    }

    /// What a method is told of data that is not written, which fails its step with this code.
    fn refuse(&self, function: &str, code: Option<Code>, error: &str) -> String {
        self.state().refused = code;
        format!("ctx.{function}: {error}")
    }

    fn new_data(&self, asked: &Asked<'_>, content: Vec<u8>) -> Result<NewData, String> {
        let Asked { kind, function, spec, overrides, .. } = *asked;
        let declared = self.declared(kind, spec)?;
        let settings: Vec<&OutputSettings> = self.origin.settings(spec).collect();
        let name = self.name_of(asked)?;
        let labels = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let tags = self.plain_tags(data::tags([
            &*labels(&[("type", kind.as_str())]),
            &*tags_of(declared),
            &*tags_of(overrides),
            &*labels(&[("specName", spec), ("modelName", &self.model_name)]),
            &*self.origin.tags(&self.run_id),
            &*settings.iter().flat_map(|settings| settings.tags.iter().cloned()).collect::<Vec<_>>(),
        ]));
        data::check_tags(&tags)
            .map_err(|error| self.refuse(function, Some(Code::DATA_NAME_TOO_LONG), &error.to_string()))?;
        let said = |key: &str| -> Option<&Json> {
            [overrides, declared].into_iter().filter_map(|value| value.get(key)).find(|value| **value != Json::Null)
        };
        let of_text = |key: &str| said(key).and_then(Json::as_str).map(str::to_owned);
        let lifetime = settings.iter().rev().find_map(|settings| settings.lifetime.clone());
        let retention = settings.iter().rev().find_map(|settings| settings.garbage_collection.clone());
        Ok(NewData {
            model_id: self.model_id.clone(),
            model_type: self.description.type_name.to_string(),
            spec_name: spec.to_owned(),
            name,
            kind,
            content,
            content_type: match kind {
                DataKind::Resource => kind.content_type().to_owned(),
                DataKind::File => of_text("contentType").unwrap_or_else(|| kind.content_type().to_owned()),
            },
            lifetime: lifetime.or_else(|| of_text("lifetime")).unwrap_or_else(|| "infinite".to_owned()),
            garbage_collection: retention.or_else(|| said("garbageCollection").cloned()).unwrap_or_default(),
            is_streaming: said("streaming").and_then(Json::as_bool).unwrap_or(false),
            tags,
            owner: self.origin.owner(&self.model_id, &self.run_id),
            is_deleted: false,
            run_id: self.run_id.clone(),
            written_at: self.clock.now(),
        })
    }

    /// Labels as they are stored: secrets of vaults in them are masked, as in content.
    pub(super) fn plain_tags(&self, tags: Vec<(String, String)>) -> Vec<(String, String)> {
        let masked = |value: String| match self.environment.without_vault_secrets(&Json::String(value)) {
            Json::String(text) => text,
            other => other.to_string(),
        };
        tags.into_iter().map(|(name, value)| (name, masked(value))).collect()
    }

    /// Keeps the handle of what was stored for the record of the run, and gives it as the method gets it.
    fn remember(&self, stored: DataHandle) -> Json {
        let json = handle::document(&stored);
        let kept = self.budget.take_handle(handle::recorded(&stored).to_string().len());
        {
            let mut state = self.state();
            state.refused = None;
            if !state.names.insert(stored.name.clone()) {
                state.twice.get_or_insert_with(|| stored.name.clone());
            }
            if kept.is_ok() {
                state.handles.push(stored);
            }
        }
        if let Err(Some(remark)) = kept {
            self.remark(&remark);
        }
        json
    }

    /// True if the model declares a resource or file.
    pub(super) fn declares(&self, kind: DataKind, spec: &str) -> bool {
        self.specifications(kind).is_some_and(|declared| declared.get(spec).is_some())
    }

    /// The resources or files that the model declares.
    fn specifications(&self, kind: DataKind) -> Option<&Json> {
        self.description.details.get(match kind {
            DataKind::Resource => "resources",
            DataKind::File => "files",
        })
    }

    /// What the model declares of a resource or file.
    fn declared(&self, kind: DataKind, spec: &str) -> Result<&Json, String> {
        let declared = self.specifications(kind);
        let found = declared.and_then(|declared| declared.get(spec));
        found.or_else(|| self.is_driven.then_some(&Json::Null)).ok_or_else(|| {
            let known = declared.and_then(Json::as_object).unwrap_or_default();
            let hint = nearest::hint(spec, known.iter().map(|(name, _)| name.as_str()));
            with_hint(format!("`{}` declares no {} `{spec}`", self.description.type_name, kind.as_str()), hint)
        })
    }
}

impl<'a> Asked<'a> {
    fn resource(spec: &'a Json, instance: &'a Json, overrides: &'a Json) -> Result<Self, String> {
        Self::new(DataKind::Resource, "writeResource", spec, instance, overrides)
    }

    fn file(spec: &'a Json, instance: &'a Json, overrides: &'a Json) -> Result<Self, String> {
        Self::new(DataKind::File, "createFileWriter", spec, instance, overrides)
    }

    fn new(
        kind: DataKind,
        function: &'static str,
        spec: &'a Json,
        instance: &'a Json,
        overrides: &'a Json,
    ) -> Result<Self, String> {
        let (spec, instance) = (text(function, "spec", spec)?, text(function, "instance", instance)?);
        Ok(Self { kind, function, spec, instance, overrides })
    }
}

/// The sensitive values of a content that references replaced when it was stored: the path of each, and its reference.
fn references(declared: &Json, content: &Json, stored: &Json) -> Vec<Json> {
    let reference = |field: SensitiveField| {
        let kept = vault::at(stored, &field.path)?;
        let path = field.path.iter().map(|member| Json::from(member.as_str())).collect();
        let is_new = vault::at(content, &field.path) != Some(kept);
        is_new.then(|| Json::object([("path", Json::Array(path)), ("text", kept.clone())]))
    };
    vault::sensitive_fields(declared, content).into_iter().filter_map(reference).collect()
}

/// The member `tags` of a declaration or of overrides.
fn tags_of(value: &Json) -> Vec<(String, String)> {
    let tags = value.get("tags").and_then(Json::as_object).unwrap_or_default();
    tags.iter()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}

/// The bytes of a file as they travel: text, or `{ base64 }`.
fn file_bytes(content: &Json) -> Result<Vec<u8>, String> {
    match content {
        Json::String(text) => Ok(text.clone().into_bytes()),
        other => match other.get("base64").and_then(Json::as_str).map(|text| STANDARD.decode(text)) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(format!("ctx.createFileWriter: the content cannot be read: {error}")),
            None => Err(format!("ctx.createFileWriter: expected text or bytes, found {}", other.type_name())),
        },
    }
}
