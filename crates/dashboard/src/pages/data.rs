//! What methods wrote: by definition, item by item, version by version.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mangrove_app::service::{DataPlace, Service};
use mangrove_daemon::http::{ApiError, Parameters};
use mangrove_documents::human;
use mangrove_domain::{
    data::{self, DataHandle},
    ports,
};
use serde::Deserialize;

use crate::{
    content::Content,
    frame::{Frame, Section, Visitor, page},
    parts::{address, moment::When},
};

/// How many definitions a page has.
const PAGE: usize = 50;

/// How many versions of an item are linked: the latest.
const LINKED_VERSIONS: u32 = 20;

/// Whose data is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// The identifier of one definition; all of them if it is empty.
    model: String,
    /// The page, from 1.
    page: usize,
}

#[derive(Template)]
#[template(path = "data.html")]
struct DataPage {
    frame: Frame,
    models: Vec<ModelLine>,
    earlier: Option<String>,
    later: Option<String>,
}

/// One definition with data.
struct ModelLine {
    address: String,
    name: ModelName,
    items: usize,
    size: String,
    latest: Option<When>,
}

/// What a definition is called.
struct ModelName {
    /// Its name, else its identifier.
    name: String,
    /// Its type, if its file is there.
    type_name: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "data_model.html")]
struct ModelPage {
    frame: Frame,
    model_id: String,
    name: ModelName,
    items: Vec<ItemLine>,
}

struct ItemLine {
    address: String,
    written: When,
    size: String,
    run: String,
    handle: DataHandle,
}

#[derive(Template)]
#[template(path = "data_item.html")]
struct ItemPage {
    frame: Frame,
    name: ModelName,
    model_address: String,
    /// Where the whole content is.
    whole: String,
    written: When,
    size: String,
    run: String,
    versions: Vec<VersionLink>,
    content: Content,
    handle: DataHandle,
}

struct VersionLink {
    number: u32,
    address: String,
    is_current: bool,
}

/// The definitions that have data, or the items of one.
pub(crate) async fn list(visitor: Visitor, Parameters(asked): Parameters<Asked>) -> Result<Response, ApiError> {
    let names = Names::of(&visitor).await;
    let service = visitor.state.service();
    if !asked.model.is_empty() {
        return of_model(&visitor, &names, asked.model).await;
    }
    let mut models = service.data_models().await?;
    models.sort_by_cached_key(|id| (names.of_model(id).name.to_lowercase(), id.clone()));
    let first = asked.page.saturating_sub(1).saturating_mul(PAGE);
    let frame = visitor.frame(Section::Data, "Data");
    let later = (models.len() > first.saturating_add(PAGE)).then(|| format!("/data?page={}", asked.page.max(1) + 1));
    let earlier = (first > 0).then(|| format!("/data?page={}", asked.page - 1));
    let mut lines = Vec::new();
    for id in models.into_iter().skip(first).take(PAGE) {
        let items = service.data_of(&id).await?;
        lines.push(ModelLine {
            address: address::of_data(&id),
            name: names.of_model(&id),
            items: items.len(),
            size: human::size(items.iter().map(|item| item.size_bytes).sum()),
            latest: items.iter().map(|item| item.written_at).max().map(|at| frame.ago(at)),
        });
    }
    page(&DataPage { frame, models: lines, earlier, later })
}

async fn of_model(visitor: &Visitor, names: &Names, model_id: String) -> Result<Response, ApiError> {
    let items = visitor.state.service().data_of(&model_id).await?;
    let name = names.of_model(&model_id);
    if items.is_empty() && name.type_name.is_none() {
        return Err(ApiError::plain(StatusCode::NOT_FOUND, format!("nothing has data under `{model_id}`")));
    }
    let frame = visitor.frame(Section::Data, format!("Data of {}", name.name));
    let line = |handle: DataHandle| {
        let place = place_of(&handle);
        ItemLine {
            address: address::of_item(&place, None),
            written: frame.ago(handle.written_at),
            size: human::size(handle.size_bytes),
            run: address::of_run(&handle.run_id),
            handle,
        }
    };
    let items = items.into_iter().map(line).collect();
    page(&ModelPage { frame, model_id, name, items })
}

/// Which item is shown.
#[derive(Debug, Deserialize)]
pub(crate) struct ItemAsked {
    model: String,
    name: String,
    version: Option<u32>,
}

/// One version of one item.
pub(crate) async fn item(visitor: Visitor, Parameters(asked): Parameters<ItemAsked>) -> Result<Response, ApiError> {
    let service = visitor.state.service();
    let version = asked.version;
    let (place, handle, content) = read(service, asked).await?;
    let names = Names::of(&visitor).await;
    let latest = match version {
        None => handle.version,
        Some(_) => service.data_item(&place, None).await?.map_or(handle.version, |(latest, _)| latest.version),
    };
    let name = names.of_model(&handle.model_id);
    let oldest = latest.saturating_sub(LINKED_VERSIONS - 1).max(1);
    let versions = (oldest..=latest).rev().map(|number| VersionLink {
        number,
        address: address::of_item(&place, Some(number)),
        is_current: number == handle.version,
    });
    let frame = visitor.frame(Section::Data, format!("{}/{} of {}", handle.spec_name, handle.name, name.name));
    page(&ItemPage {
        name,
        model_address: address::of_data(&handle.model_id),
        whole: address::of_content(&place, handle.version),
        written: frame.ago(handle.written_at),
        size: human::size(handle.size_bytes),
        run: address::of_run(&handle.run_id),
        versions: versions.collect(),
        content: Content::of(&handle, &content),
        handle,
        frame,
    })
}

/// The whole content of one version, as a file.
pub(crate) async fn content(visitor: Visitor, Parameters(asked): Parameters<ItemAsked>) -> Result<Response, ApiError> {
    let (_, handle, content) = read(visitor.state.service(), asked).await?;
    // Whatever a method wrote is shown as text or saved, and never as a page of ours.
    let (kind, ending) = match std::str::from_utf8(&content.bytes) {
        Ok(_) if data::is_json(&handle.content_type) => ("application/json", "json"),
        Ok(_) => ("text/plain; charset=utf-8", "txt"),
        Err(_) => (data::DataKind::File.content_type(), "bin"),
    };
    let letters = handle.name.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter));
    let name: String = letters.take(100).collect();
    let disposition = format!("attachment; filename=\"{name}-{}.{ending}\"", handle.version);
    let disposition = HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, content.bytes).into_response())
}

async fn read(service: &Service, asked: ItemAsked) -> Result<(DataPlace, DataHandle, ports::Content), ApiError> {
    let ItemAsked { model, name, version } = asked;
    let place = DataPlace { model_id: model, name };
    match service.data_item(&place, version).await? {
        Some((handle, content)) => Ok((place, handle, content)),
        None => {
            let version = version.map(|version| format!("version {version} of ")).unwrap_or_default();
            let message = format!("there is no {version}`{}` of `{}`", place.name, place.model_id);
            Err(ApiError::plain(StatusCode::NOT_FOUND, message))
        }
    }
}

fn place_of(handle: &DataHandle) -> DataPlace {
    DataPlace { model_id: handle.model_id.clone(), name: handle.name.clone() }
}

/// The names and types of definitions, by their identifiers.
struct Names(BTreeMap<String, (String, String)>);

impl Names {
    /// Without the files of definitions, data is shown by their identifiers.
    async fn of(visitor: &Visitor) -> Self {
        let library = visitor.state.look(visitor.state.service().library()).await.ok();
        let definitions = library.iter().flat_map(|library| &library.definitions);
        let named = |definition: &std::sync::Arc<mangrove_domain::definition::Definition>| {
            let type_name = definition.type_name.value.to_string();
            (definition.id.clone(), (definition.name.value.clone(), type_name))
        };
        Self(definitions.map(named).collect())
    }

    fn of_model(&self, id: &str) -> ModelName {
        match self.0.get(id) {
            Some((name, type_name)) => {
                ModelName { name: name.clone(), type_name: Some((type_name.clone(), address::of_type_name(type_name))) }
            }
            None => ModelName { name: id.to_owned(), type_name: None },
        }
    }
}
