//! The repositories of a method's context: data and definitions, as the functions of the prelude ask for them.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::{
    data::DataHandle,
    json::Json,
    ports::{Content, DataField, DataSearch},
};

use super::host::{Host, store_failed};
use crate::data::{definition_document, document};

/// How many names of one item are followed.
const MOST_RENAMES: usize = 5;

impl Host {
    /// Answers a function of `dataRepository`; the type of a model comes first where it is asked for.
    pub(super) async fn data_repository(&self, function: &str, arguments: &[Json]) -> Result<Json, String> {
        let argument = |index: usize| arguments.get(index).unwrap_or(&Json::Null);
        let text = |index: usize, what: &str| {
            argument(index).as_str().ok_or_else(|| {
                format!(
                    "ctx.dataRepository.{function}: expected a string as {what}, found {}",
                    argument(index).type_name()
                )
            })
        };
        let model = || text(1, "identifier of the model").map(|id| self.model_id_of(id));
        let version = |index: usize| match argument(index) {
            Json::Null => Ok(None),
            other => match other.as_integer().and_then(|version| u32::try_from(version).ok()) {
                Some(version) => Ok(Some(version)),
                None => Err(format!("ctx.dataRepository.{function}: expected a version, found {other}")),
            },
        };
        match function {
            "getContent" => {
                let found = self.item(&model()?, text(2, "name")?, version(3)?).await?;
                Ok(found.map_or(Json::Null, |(_, content)| outgoing(&content)))
            }
            "findByName" => {
                let found = self.item(&model()?, text(2, "name")?, version(3)?).await?;
                Ok(found.map_or(Json::Null, |(handle, _)| document(&handle)))
            }
            "findById" => self.by_identifier(&model()?, text(2, "identifier")?, version(3)?).await,
            "findAllForModel" => {
                let handles = self.data.list(&model()?).await.map_err(|error| store_failed(&error))?;
                Ok(Json::Array(handles.iter().filter(|handle| !handle.is_gone()).map(document).collect()))
            }
            "findAllForType" => {
                let wanted = text(0, "type")?;
                self.located(Vec::new(), |handle| is_type(&handle.model_type, wanted)).await
            }
            "findAllGlobal" => self.located(Vec::new(), |_| true).await,
            "findByTaggedName" => {
                let equal = vec![
                    (DataField::ModelName, text(0, "name of the model")?.to_owned()),
                    (DataField::Name, text(1, "name")?.to_owned()),
                ];
                self.located(equal, |_| true).await
            }
            "listVersions" => {
                let versions = self.data.versions(&model()?, text(2, "name")?).await;
                let versions = versions.map_err(|error| store_failed(&error))?;
                Ok(Json::Array(versions.iter().map(|handle| Json::from(i64::from(handle.version))).collect()))
            }
            "contentPath" => {
                let version = version(3)?.ok_or("ctx.dataRepository.getContentPath: expected a version")?;
                let path = self.data.content_path(&model()?, text(2, "name")?, version);
                Ok(Json::from(path.to_string_lossy().into_owned()))
            }
            "save" => self.save(text(0, "type")?, &model()?, argument(2), argument(3)).await,
            "delete" => {
                let removed = self.data.delete(&model()?, text(2, "name")?, version(3)?).await;
                removed.map(|_| Json::Null).map_err(|error| store_failed(&error))
            }
            other => Err(format!("ctx.dataRepository.{other} is not supported in this version")),
        }
    }

    /// Answers a function of `definitionRepository`.
    pub(super) fn definition_repository(&self, function: &str, arguments: &[Json]) -> Result<Json, String> {
        let argument = |index: usize| arguments.get(index).and_then(Json::as_str).unwrap_or_default();
        let told = |found: Option<Arc<_>>| found.map_or(Json::Null, |found| definition_document(&found));
        let of_type = |wanted: &str, name: String| is_type(&name, wanted);
        match function {
            "findById" => Ok(told(self.models.by_id(argument(1)))),
            "findByName" => {
                let found = self.models.by_name(argument(1));
                Ok(told(found.filter(|found| of_type(argument(0), found.type_name.value.to_string()))))
            }
            "findByNameGlobal" => Ok(told(self.models.by_name(argument(0)))),
            "findAll" => {
                let mut all = self.models.all();
                all.retain(|found| of_type(argument(0), found.type_name.value.to_string()));
                Ok(Json::Array(all.iter().map(|found| definition_document(found)).collect()))
            }
            "findAllGlobal" => {
                Ok(Json::Array(self.models.all().iter().map(|found| definition_document(found)).collect()))
            }
            "path" => Ok(self.models.by_id(argument(1)).map_or(Json::Null, |found| Json::from(found.file.as_str()))),
            other => Err(format!("ctx.definitionRepository.{other} is not supported in this version")),
        }
    }

    /// The identifier of a model: of the definition of this name, if there is none of this identifier.
    fn model_id_of(&self, id: &str) -> String {
        let by_name = || self.models.by_name(id).map(|definition| definition.id.clone());
        match self.models.by_id(id) {
            Some(_) => id.to_owned(),
            None => by_name().unwrap_or_else(|| id.to_owned()),
        }
    }

    /// A version of an item; the latest one, under its present name, if none is asked for.
    pub(super) async fn item(
        &self,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, String> {
        let mut name = name.to_owned();
        for _ in 0..=MOST_RENAMES {
            let found = self.data.read(model_id, &name, version).await.map_err(|error| store_failed(&error))?;
            match found {
                Some((DataHandle { renamed_to: Some(new), .. }, _)) if version.is_none() => name = new,
                found => return Ok(found),
            }
        }
        Ok(None)
    }

    async fn by_identifier(&self, model_id: &str, data_id: &str, version: Option<u32>) -> Result<Json, String> {
        for latest in self.data.list(model_id).await.map_err(|error| store_failed(&error))? {
            let versions = self.data.versions(model_id, &latest.name).await.map_err(|error| store_failed(&error))?;
            if versions.iter().any(|handle| handle.data_id == data_id) {
                let number = version.unwrap_or(latest.version);
                let found = versions.iter().find(|handle| handle.version == number);
                return Ok(found.map_or(Json::Null, document));
            }
        }
        Ok(Json::Null)
    }

    async fn located(
        &self,
        equal: Vec<(DataField, String)>,
        fits: impl Fn(&DataHandle) -> bool,
    ) -> Result<Json, String> {
        let search = DataSearch { equal, ..DataSearch::default() };
        let mut found = self.data.find(&search).await.map_err(|error| store_failed(&error))?;
        found.retain(|found| {
            search.equal.iter().all(|(field, value)| field.of(&found.handle) == value) && fits(&found.handle)
        });
        found.sort_by_key(|found| (found.handle.written_at, found.handle.version));
        let located = found.iter().map(|found| {
            Json::object([
                ("data", document(&found.handle)),
                ("modelType", Json::from(found.handle.model_type.as_str())),
                ("modelId", Json::from(found.handle.model_id.as_str())),
            ])
        });
        Ok(Json::Array(located.collect()))
    }
}

/// Content as it travels to the prelude: text where it is some, else `{ base64 }`.
fn outgoing(content: &Content) -> Json {
    match std::str::from_utf8(&content.bytes) {
        Ok(text) => Json::from(text),
        Err(_) => Json::object([("base64", Json::from(STANDARD.encode(&content.bytes)))]),
    }
}

/// True if a type is the one that is asked for; whoever asks may leave out the sign before a collective.
pub(super) fn is_type(known: &str, wanted: &str) -> bool {
    let plain = |name: &str| name.trim_start_matches('@').to_lowercase();
    plain(known) == plain(wanted)
}
