//! `mangrove data`: what methods have written.

use std::io::IsTerminal as _;

use mangrove_app::{
    data::RecordsError,
    service::{Access, DataModel, DataPlace, Service},
};
use mangrove_documents::{
    DataDeletedDocument, DataDocument, DataListDocument, DataQueryDocument, DataRunDocument, DataSweepDocument,
    DataVersionsDocument, ErrorReport, human,
};
use mangrove_domain::{
    data::DataHandle,
    nearest,
    ports::{Removed, RunFilter},
    problem::Code,
    run::{RunLookup, RunRecord},
};

use super::Context;
use crate::{args, errors::CommandError, exit::Exit, printer::table};

pub(crate) async fn get(context: &Context, given: &args::DataGet) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let named = (&given.model, &given.name, &given.data_model, &given.data_name);
    let ((Some(model), Some(name), ..)
    | (None, None, Some(model), Some(name))
    | (Some(name), None, Some(model), None)
    | (Some(model), None, None, Some(name))) = named
    else {
        let hint = "`mangrove data list MODEL` lists items";
        return Err(CommandError::usage(None, "name a model and an item", Some(hint)));
    };
    let version = match run_of(&service, given.workflow.as_deref(), given.run.as_deref()).await? {
        None => given.version,
        Some(run) => {
            let written = service.data_of_run(&run.id).await?;
            let model = known_model(&service, model).await?;
            let newest = written.iter().rev().find(|handle| handle.model_id == model.id && handle.name == *name);
            Some(newest.map(|handle| handle.version).ok_or_else(|| {
                CommandError::no(
                    Some(Code::UNKNOWN_ITEM),
                    format!("the run {} wrote no `{name}` of `{}`", run.id, model.name),
                    None,
                )
            })?)
        }
    };
    let model = known_model(&service, model).await?;
    let item = DataPlace { model_id: model.id.clone(), name: name.clone() };
    let Some((handle, found)) = service.data_item(&item, version).await? else {
        return Err(no_item(&service, &model, name, version).await?);
    };
    let file = service.data_path(&handle)?.display().to_string();
    let document = DataDocument::new(&model, &handle, file, (!given.no_content).then_some(&found));
    if context.printer.is_json() {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    context.printer.note(format!(
        "{} of {}, version {}, {}, {}, {}",
        handle.name,
        model.name,
        handle.version,
        handle.content_type,
        human::size(handle.size_bytes),
        human::ago(handle.written_at, context.now())
    ));
    if !given.no_content {
        let text = match &found.json {
            Some(_) => document.content.as_ref().map(|json| format!("{json:#}")).unwrap_or_default(),
            None => String::from_utf8_lossy(&found.bytes).into_owned(),
        };
        context.printer.text(&if text.ends_with('\n') { text } else { format!("{text}\n") });
    }
    Ok(Exit::Done)
}

pub(crate) async fn list(context: &Context, given: &args::DataList) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let document = match (&given.model, run_of(&service, given.workflow.as_deref(), given.run.as_deref()).await?) {
        (None, None) => return models(context, &service, given.kind.as_deref()).await,
        (Some(model), None) => {
            let model = known_model(&service, model).await?;
            let mut handles = of_kind(service.data_of(&model.id).await?, given.kind.as_deref());
            handles.retain(|handle| !handle.is_gone());
            DataListDocument::of_model(&model, &handles)
        }
        (model, Some(run)) => {
            let mut handles = of_kind(service.data_of_run(&run.id).await?, given.kind.as_deref());
            if let Some(model) = model {
                let model = known_model(&service, model).await?;
                handles.retain(|handle| handle.model_id == model.id);
            }
            let workflow_id = handles.iter().find_map(|handle| handle.owner.workflow_id.clone()).unwrap_or_default();
            let document = DataRunDocument {
                workflow_id,
                workflow_name: run.name.clone(),
                run_id: run.id.clone(),
                run_status: run.status.as_str().to_owned(),
            };
            DataListDocument::of_run(document, &handles)
        }
    };
    if context.printer.is_json() {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    let now = context.now();
    let mut cells = Vec::new();
    for group in &document.groups {
        for item in &group.items {
            cells.push(vec![
                group.kind.clone(),
                item.name.clone(),
                format!("v{}", item.version),
                item.content_type.clone(),
                human::size(item.size),
                human::ago(item.created_at.0, now),
            ]);
        }
    }
    print_table(context, &cells, "nothing was written");
    Ok(Exit::Done)
}

/// The models that have data, for people; as a document, the items of all of them.
async fn models(context: &Context, service: &Service, kind: Option<&str>) -> Result<Exit, CommandError> {
    let models = service.models().await?;
    let (mut all, mut cells) = (Vec::new(), Vec::new());
    for id in service.data_models().await? {
        let handles = of_kind(service.data_of(&id).await?, kind);
        let Some(newest) = handles.iter().max_by_key(|handle| handle.written_at) else { continue };
        let name = models.name_of(&id).unwrap_or_else(|| match newest.model_name() {
            "" => id.clone(),
            name => name.to_owned(),
        });
        cells.push(vec![
            name,
            newest.model_type.clone(),
            handles.len().to_string(),
            human::ago(newest.written_at, context.now()),
        ]);
        all.extend(handles);
    }
    if context.printer.is_json() {
        context.printer.document(&DataListDocument::of_all(&all));
        return Ok(Exit::Done);
    }
    print_table(context, &cells, "no method has written anything yet");
    Ok(Exit::Done)
}

pub(crate) async fn query(context: &Context, given: &args::DataQuery) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let found = match service.records().await?.query(&given.predicate, given.select.as_deref()).await {
        Ok(found) => found,
        Err(RecordsError::Store(error)) => return Err(CommandError::fault("searching the data", &error.fault)),
        Err(error) => return Err(CommandError::no(Some(Code::INVALID_EXPRESSION), error.to_string(), None)),
    };
    let document = DataQueryDocument::new(&given.predicate, given.select.is_some(), found, given.limit);
    if context.printer.is_json() {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    for result in &document.results {
        let line = match (result.get("name"), given.select.is_some()) {
            (Some(_), false) => {
                let text = |key: &str| result.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
                let version = result.get("version").map(ToString::to_string).unwrap_or_default();
                format!("{} {} v{version} {}", text("modelName"), text("name"), text("createdAt"))
            }
            _ => result.as_str().map_or_else(|| result.to_string(), str::to_owned),
        };
        context.printer.line(line);
    }
    let more = if document.limited { "; there are more" } else { "" };
    context.printer.note(format!("{} records{more}", document.total));
    Ok(Exit::Done)
}

pub(crate) async fn versions(context: &Context, model: &str, name: &str) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let model = known_model(&service, model).await?;
    let place = DataPlace { model_id: model.id.clone(), name: name.to_owned() };
    let handles = service.data_versions(&place).await?;
    if handles.is_empty() {
        return Err(no_item(&service, &model, name, None).await?);
    }
    let document = DataVersionsDocument::new(&model, name, &handles);
    if context.printer.is_json() {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    let cells: Vec<Vec<String>> = document
        .versions
        .iter()
        .map(|version| {
            vec![
                format!("v{}", version.version),
                human::ago(version.created_at.0, context.now()),
                human::size(version.size),
                if version.is_latest { "latest".to_owned() } else { String::new() },
            ]
        })
        .collect();
    print_table(context, &cells, "");
    Ok(Exit::Done)
}

pub(crate) async fn sweep(context: &Context, is_dry_run: bool) -> Result<Exit, CommandError> {
    let service = context.service(if is_dry_run { Access::ReadOnly } else { Access::ReadWrite }, None)?;
    let swept = service.sweep_data(is_dry_run).await?;
    let document = DataSweepDocument::new(&swept, is_dry_run);
    if context.printer.is_json() {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    for entry in &document.expired_entries {
        context.printer.line(format!("{} of {}: {}", entry.data_name, entry.model_id, entry.reason));
    }
    let verb = if is_dry_run { "would remove" } else { "removed" };
    context.printer.note(format!(
        "{verb} {} items and {} versions, {}",
        document.data_entries_expired,
        document.versions_deleted,
        human::size(document.bytes_reclaimed)
    ));
    Ok(Exit::Done)
}

pub(crate) async fn delete(context: &Context, given: &args::DataDelete) -> Result<Exit, CommandError> {
    let service = context.service(if given.dry_run { Access::ReadOnly } else { Access::ReadWrite }, None)?;
    let model = known_model(&service, &given.model).await?;
    let items = service.data_of(&model.id).await?;
    let names: Vec<String> = match (&given.name, &given.prefix, given.all) {
        (Some(name), None, false) => vec![name.clone()],
        (None, Some(prefix), false) => {
            items.iter().map(|item| item.name.clone()).filter(|name| name.starts_with(prefix)).collect()
        }
        (None, None, true) => items.iter().map(|item| item.name.clone()).collect(),
        (..) => {
            let message = "name an item, or give `--prefix` or `--all`";
            return Err(CommandError::usage(None, message, Some("`mangrove data list MODEL` lists items")));
        }
    };
    let mut removed = Removed::default();
    let mut places = Vec::new();
    for name in &names {
        let place = DataPlace { model_id: model.id.clone(), name: name.clone() };
        let versions = service.data_versions(&place).await?;
        let going = versions.iter().filter(|handle| given.version.is_none_or(|only| only == handle.version));
        let (count, bytes) = going.fold((0, 0), |(count, bytes), handle| (count + 1, bytes + handle.size_bytes));
        if count == 0 {
            return Err(no_item(&service, &model, name, given.version).await?);
        }
        removed.versions += count;
        removed.bytes += bytes;
        places.push(place);
    }
    let is_asked = removed.versions > 0 && !given.dry_run && !given.yes;
    let is_somebody_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if is_asked && is_somebody_there && !context.printer.is_json() {
        let what = match names.as_slice() {
            [name] => format!("`{name}`"),
            names => human::count(names.len() as u64, "item"),
        };
        let versions = human::count(removed.versions, "version");
        context.confirm(&format!("Remove {versions} of {what} of `{}`?", model.name))?;
    }
    if !given.dry_run {
        for place in &places {
            service.delete_data(place, given.version).await?;
        }
    }
    let document = DataDeletedDocument::new(&model, names, removed, given.dry_run);
    if context.printer.is_json() {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    let verb = if given.dry_run { "would remove" } else { "removed" };
    context.printer.note(format!(
        "{verb} {} versions of {} items of {}, {}",
        removed.versions,
        document.data_names.len(),
        model.name,
        human::size(removed.bytes)
    ));
    Ok(Exit::Done)
}

fn of_kind(mut handles: Vec<DataHandle>, kind: Option<&str>) -> Vec<DataHandle> {
    if let Some(kind) = kind {
        handles.retain(|handle| handle.tag("type").unwrap_or(handle.kind.as_str()) == kind);
    }
    handles
}

fn print_table(context: &Context, cells: &[Vec<String>], otherwise: &str) {
    context.printer.lines(table(cells));
    if cells.is_empty() {
        context.printer.note(otherwise);
    }
}

async fn known_model(service: &Service, name: &str) -> Result<DataModel, CommandError> {
    if let Some(model) = service.data_model(name).await? {
        return Ok(model);
    }
    let models = service.models().await?.all();
    let hint = nearest::hint(name, models.iter().map(|known| known.name.value.as_str()));
    let hint = hint.unwrap_or_else(|| "`mangrove model list` lists definitions".to_owned());
    Err(CommandError::no(Some(Code::UNKNOWN_NAME), format!("there is no model `{name}`"), Some(&hint)))
}

async fn no_item(
    service: &Service,
    model: &DataModel,
    name: &str,
    version: Option<u32>,
) -> Result<CommandError, CommandError> {
    if let Some(version) = version {
        let place = DataPlace { model_id: model.id.clone(), name: name.to_owned() };
        let mut kept: Vec<u32> = service.data_versions(&place).await?.iter().map(|handle| handle.version).collect();
        kept.sort_unstable();
        if !kept.is_empty() {
            let message = format!("there is no version {version} of `{name}` of `{}`", model.name);
            return Ok(CommandError::no(Some(Code::UNKNOWN_ITEM), message, Some(&human::versions(&kept))));
        }
    }
    let items = service.data_of(&model.id).await?;
    let message = format!("there is no `{name}` of `{}`", model.name);
    let hint = nearest::hint(name, items.iter().map(|item| item.name.as_str()))
        .unwrap_or_else(|| format!("`mangrove data list {}` lists items", model.name));
    Ok(CommandError::no(Some(Code::UNKNOWN_ITEM), message, Some(&hint)))
}

/// The run that is meant: the one that is named, else the latest of the workflow.
async fn run_of(
    service: &Service,
    workflow: Option<&str>,
    run: Option<&str>,
) -> Result<Option<RunRecord>, CommandError> {
    let id = match (workflow, run) {
        (None, None) => return Ok(None),
        (_, Some(run)) => run.to_owned(),
        (Some(workflow), None) => {
            let filter = RunFilter { name: Some(workflow.to_owned()), limit: Some(1), ..RunFilter::default() };
            match service.runs(&filter).await?.first() {
                Some(run) => run.id.clone(),
                None => return Err(CommandError::no(None, format!("`{workflow}` has never run"), None)),
            }
        }
    };
    match service.run(&id).await? {
        RunLookup::Found(record) => Ok(Some(*record)),
        RunLookup::Unknown => Err(CommandError::answer(ErrorReport::unknown_run(&id))),
        RunLookup::Ambiguous => Err(CommandError::answer(ErrorReport::ambiguous_run(&id))),
    }
}
