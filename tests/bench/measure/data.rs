//! Searches in a repository with much data: in this process, as a daemon would do them, and as whole processes.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mangrove_app::{
    data::{Models, Records},
    secrets::NoSecrets,
};
use mangrove_domain::{
    definition::Definition,
    form::Located,
    json::Json,
    ports::{DataStore as _, NewData},
    type_name::TypeName,
};
use mangrove_infra::{
    data::{INDEXED_FROM, LocalData},
    documents::YamlDocuments,
    expressions::CelExpressions,
    sqlite::OpenMode,
};
use mangrove_testkit::contract::data_store::new_data;
use tempfile::TempDir;

use super::{Options, as_number, median, milliseconds, process::Program, report::Line};

/// Items of one model.
const ITEMS: usize = 500;
/// Of so many models, the data of one was written by another program.
const FOREIGN: usize = 10;
/// Of so many items, the content of one says `failed`.
const FAILED: usize = 10;
/// Looks at single items.
const LOOKS: usize = 1_000;

const QUERY: &str = "modelName == \"m1\" && attributes.status == \"failed\"";
const QUERY_OF_CONTENTS: &str = "attributes.status == \"failed\"";

/// Everything that is asked of so many items.
pub(super) fn measure(program: &Path, options: &Options) -> Result<Vec<Line>> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let models = options.data_items.div_ceil(ITEMS).max(2);
    runtime.block_on(write(directory.path(), models))?;
    let mut lines = runtime.block_on(in_process(&directory, models, options))?;
    let mangrove = Program::new(program, directory.path());
    for (what, arguments) in [
        ("data get, whole process", &["data", "get", "m1", "item-7", "--json"][..]),
        ("data query, whole process", &["data", "query", QUERY, "--json"]),
    ] {
        mangrove.output(arguments)?;
        let mut times = (0..options.runs).map(|_| mangrove.timed(arguments)).collect::<Result<Vec<_>>>()?;
        lines.push(Line::new(what, milliseconds(median(&mut times)), "ms").after(options.runs));
    }
    Ok(lines)
}

fn name(model: usize) -> String {
    format!("m{model}")
}

fn identifier(model: usize) -> String {
    format!("00000000-0000-4000-8000-{model:012}")
}

/// A repository whose models have written, without waiting for the disk at each item: the form is that of one item that the
/// store itself has written.
async fn write(directory: &Path, models: usize) -> Result<()> {
    let put = |path: String, text: &str| -> Result<()> {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory)).context("cannot make a directory")?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    put("mangrove.yaml".to_owned(), "repoId: 00000000-0000-4000-8000-00000000c0de\n")?;
    let template = tempfile::tempdir().context("no temporary directory")?;
    let tags = [("type", "resource"), ("specName", "host"), ("modelName", "NAME-OF-MODEL"), ("env", "prod")];
    let data = NewData {
        tags: tags.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..new_data("ID-OF-MODEL", "host", "NAME-OF-ITEM", &Json::Null)
    };
    let handle = LocalData::new(template.path()).write(data).await.context("cannot write an item")?;
    let metadata = template.path().join("ID-OF-MODEL/@NAME-OF-ITEM/1/metadata.json");
    let ours = fs::read_to_string(metadata).context("cannot read metadata")?.replace(&handle.data_id, "id");
    let foreign = "name: NAME-OF-ITEM\nid: id\nversion: 1\ncontentType: application/json\nlifetime: infinite\ngarbageCollection: 10\n\
                   streaming: false\ntags:\n  type: resource\n  specName: host\n  modelName: NAME-OF-MODEL\n  env: prod\n\
                   ownerDefinition:\n  ownerType: model-method\n  ownerRef: ID-OF-MODEL\ncreatedAt: 2026-08-01T10:00:00.000Z\n\
                   size: 0\n";
    for model in 0..models {
        let (name, id) = (name(model), identifier(model));
        put(format!("models/@bench/host/{name}.yaml"), &format!("id: {id}\nname: {name}\nversion: 1\n"))?;
        let (form, file, place) = if model % FOREIGN == 0 {
            (foreign, "metadata.yaml", format!(".swamp/data/@bench/host/{id}/"))
        } else {
            (ours.as_str(), "metadata.json", format!(".mangrove/data/{id}/@"))
        };
        let of_model = form.replace("NAME-OF-MODEL", &name).replace("ID-OF-MODEL", &id);
        for item in 0..ITEMS {
            let status = if item % FAILED == 0 { "failed" } else { "ok" };
            put(format!("{place}item-{item}/1/raw"), &format!(r#"{{"status":"{status}","count":{item}}}"#))?;
            let metadata = of_model.replace("NAME-OF-ITEM", &format!("item-{item}"));
            put(format!("{place}item-{item}/1/{file}"), &metadata)?;
        }
    }
    Ok(())
}

async fn in_process(directory: &TempDir, models: usize, options: &Options) -> Result<Vec<Line>> {
    let state = directory.path().join(".mangrove");
    let data = LocalData::new(state.join("data"))
        .with_existing(directory.path().join(".swamp/data"), Arc::new(YamlDocuments))
        .with_index(state, OpenMode::ReadWrite, INDEXED_FROM);
    let definition = |model| {
        let type_name = Located { value: TypeName::stored("@bench/host"), line: 1, column: 1 };
        let name = Located { value: name(model), line: 1, column: 1 };
        Arc::new(Definition::new("models/m.yaml", identifier(model), name, type_name))
    };
    let definitions: Vec<_> = (0..models).map(definition).collect();
    let records = |definitions: &[Arc<Definition>]| {
        let known = Arc::new(Models::new(definitions));
        Records::new(Arc::new(data.clone()), Arc::new(CelExpressions), Arc::new(NoSecrets), known)
    };
    let (known, unknown) = (records(&definitions), records(&[]));
    let items = format!("{} items of {models} models", models * ITEMS);
    let first = query(&known, QUERY, ITEMS / FAILED).await?;
    let mut warm = Vec::with_capacity(options.runs);
    // The first one settles what is too young to be believed.
    query(&known, QUERY, ITEMS / FAILED).await?;
    for _ in 0..options.runs {
        warm.push(query(&known, QUERY, ITEMS / FAILED).await?);
    }
    let contents = query(&known, QUERY_OF_CONTENTS, models * ITEMS / FAILED).await?;
    Ok(vec![
        Line::new("data.latest", latest(&known, models, LOOKS).await?, "ms").at_most(1.0).after(LOOKS).noting(&items),
        Line::new("data.latest, no definition", latest(&unknown, models, LOOKS / 10).await?, "ms").after(LOOKS / 10),
        Line::new("data query, index made", milliseconds(first), "ms").after(1),
        Line::new("data query", milliseconds(median(&mut warm)), "ms")
            .at_most(300.0)
            .after(options.runs)
            .noting(&items),
        Line::new("data query, all contents", milliseconds(contents), "ms").after(1),
    ])
}

async fn query(records: &Records, predicate: &str, expected: usize) -> Result<Duration> {
    let start = Instant::now();
    let found = records.query(predicate, None).await.with_context(|| format!("cannot query {predicate}"))?;
    let elapsed = start.elapsed();
    ensure!(found.len() == expected, "{} of {expected} records for {predicate}", found.len());
    Ok(elapsed)
}

/// The median of looks at single items, far from each other.
async fn latest(records: &Records, models: usize, looks: usize) -> Result<f64> {
    let mut times = Vec::with_capacity(looks);
    for look in 0..looks {
        let number = look.wrapping_mul(7_919) % (models * ITEMS);
        let (model, item) = (name(number % models), format!("item-{}", number / models));
        let start = Instant::now();
        let found = records.latest(&model, &item, &[]).await.context("cannot look at an item")?;
        times.push(start.elapsed());
        let count = found.as_ref().and_then(|record| record.get("attributes")?.get("count"));
        let expected = i64::try_from(number / models)?;
        ensure!(count.and_then(Json::as_integer) == Some(expected), "not the item {model} {item}: {found:?}");
    }
    ensure!(as_number(times.len()) > 0.0, "nothing was looked at");
    Ok(milliseconds(median(&mut times)))
}
