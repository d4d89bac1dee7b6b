//! Data that a method writes by `dataRepository.save`: of any model, protected as what it writes of its own.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::{
    data::{self, DataKind},
    description::Description,
    json::Json,
    json_text,
    ports::NewData,
    problem::Code,
    type_name::TypeName,
    vault::may_be_sensitive,
};

use super::{
    callee::ready_type,
    host::{Host, store_failed},
    model_kind,
    reading::is_type,
};
use crate::{builtin, vault::Place};

impl Host {
    /// Answers `dataRepository.save`: writes an item of any model.
    pub(super) async fn save(
        &self,
        model_type: &str,
        model_id: &str,
        about: &Json,
        content: &Json,
    ) -> Result<Json, String> {
        let text = |key: &str| about.get(key).and_then(Json::as_str).map(str::to_owned);
        let name = text("name").ok_or("ctx.dataRepository.save: the data has no name")?;
        data::check_name(&name).map_err(|error| format!("ctx.dataRepository.save: {error}"))?;
        let tags = about.get("tags").and_then(Json::as_object).unwrap_or_default();
        let tags: Vec<(String, String)> = tags
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let tags = self.plain_tags(tags);
        data::check_tags(&tags).map_err(|error| format!("ctx.dataRepository.save: {error}"))?;
        let tag = |wanted: &str| tags.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let kind = if tag("type").as_deref() == Some("file") { DataKind::File } else { DataKind::Resource };
        let content = match content {
            Json::String(text) => text.clone().into_bytes(),
            other => other
                .get("base64")
                .and_then(Json::as_str)
                .and_then(|text| STANDARD.decode(text).ok())
                .ok_or("ctx.dataRepository.save: expected text or bytes")?,
        };
        // A further version is of the specification of the one before it.
        let spec_name = match tag("specName") {
            Some(spec_name) => spec_name,
            None => {
                let before = self.data.read(model_id, &name, None).await.map_err(|error| store_failed(&error))?;
                before.map(|(handle, _)| handle.spec_name).unwrap_or_default()
            }
        };
        let known = self.models.by_id(model_id).map(|definition| definition.type_name.value.to_string());
        let model_type = known.as_deref().unwrap_or(model_type);
        let content = match kind {
            DataKind::Resource => self.protected(model_type, model_id, (&spec_name, &name), content).await?,
            DataKind::File => content,
        };
        let stored = self
            .write(NewData {
                model_id: model_id.to_owned(),
                model_type: model_type.to_owned(),
                spec_name,
                name,
                kind,
                content,
                content_type: text("contentType").unwrap_or_else(|| kind.content_type().to_owned()),
                lifetime: text("lifetime").unwrap_or_else(|| "infinite".to_owned()),
                garbage_collection: about.get("garbageCollection").cloned().unwrap_or_default(),
                is_streaming: about.get("streaming").and_then(Json::as_bool).unwrap_or(false),
                tags,
                owner: self.origin.owner(&self.model_id, &self.run_id),
                is_deleted: false,
                run_id: self.run_id.clone(),
                written_at: self.clock.now(),
            })
            .await
            .map_err(|error| store_failed(&error))?;
        Ok(Json::object([("version", Json::from(i64::from(stored.version)))]))
    }

    /// The content of a resource of any model as it may be stored: as [`write_resource`](Self::write_resource) would store it.
    /// Content in which there is nothing to protect stays as it is, to the byte.
    async fn protected(
        &self,
        model_type: &str,
        model_id: &str,
        (spec, name): (&str, &str),
        content: Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        let Ok(text) = std::str::from_utf8(&content) else { return Ok(content) };
        let Some(given) = json_text::parse(text) else {
            let given = Json::from(text);
            return Ok(match self.environment.without_vault_secrets(&given) {
                Json::String(masked) if masked != text => masked.into_bytes(),
                _ => content,
            });
        };
        let (vault, method) = (self.vault_of(model_id, spec), &self.method);
        let place = Place { type_name: model_type, model_id, method, spec, instance: name, vault: vault.as_deref() };
        let description = self.description_of(model_type).await?;
        let declared = description.as_ref().and_then(|it| it.details.get("resources")?.get(spec));
        let is_secretive = |(_, declared): &(String, Json)| may_be_sensitive(declared);
        let all = description.as_ref().and_then(|it| it.details.get("resources")?.as_object()).unwrap_or_default();
        let stored = match declared {
            // Which of its values are secrets nobody can say.
            None if all.iter().any(is_secretive) => {
                return Err(format!(
                    "ctx.dataRepository.save: `{model_type}` has sensitive values; the tag `specName` has to name one of \
                     its resources, and names `{spec}`"
                ));
            }
            Some(declared) => self.without_sensitive("dataRepository.save", place, declared, &given).await?,
            None => given.clone(),
        };
        let stored = self.environment.without_vault_secrets(&stored);
        Ok(if stored == given { content } else { stored.to_string().into_bytes() })
    }

    /// The vault that the definition of a model names for the sensitive values of a resource.
    fn vault_of(&self, model_id: &str, spec: &str) -> Option<String> {
        if model_id == self.model_id {
            return self.origin.vault(spec).map(str::to_owned);
        }
        let definition = self.models.by_id(model_id)?;
        definition.resources.iter().find(|resource| resource.spec.value == spec)?.vault_name.clone()
    }

    /// What is known of a type; nothing if there is none of this name.
    async fn description_of(&self, model_type: &str) -> Result<Option<Arc<Description>>, String> {
        if is_type(self.description.type_name.as_str(), model_type) {
            return Ok(Some(Arc::clone(&self.description)));
        }
        let Ok(type_name) = TypeName::model(model_type) else { return Ok(None) };
        if let Some(description) = builtin::model(&type_name) {
            return Ok(Some(Arc::clone(description)));
        }
        match ready_type(self.types.as_ref(), &model_kind(), &type_name).await {
            Ok(ready) => Ok(Some(ready.description)),
            Err(not_ready) if not_ready.code() == Code::UNKNOWN_TYPE => Ok(None),
            // Which of its values are secrets is not known.
            Err(not_ready) => Err(format!("ctx.dataRepository.save: {}", not_ready.headline())),
        }
    }
}
