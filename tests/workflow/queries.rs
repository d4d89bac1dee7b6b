//! What queries and the functions `data.*` find: the vectors Q1 to Q17, over the real expressions.

use std::sync::{Arc, Mutex};

use mangrove_app::{
    data::{DataLookups, Models, Records},
    render::Lookups as _,
    secrets::NoSecrets,
};
use mangrove_domain::{
    data::DataKind,
    json::{Json, Number},
    ports::{
        DataStore, Documents as _, ExpressionErrorKind, ExpressionFunctions, Expressions as _, FunctionCall, NewData,
    },
    time::Timestamp,
};
use mangrove_infra::{data::LocalData, documents::YamlDocuments, expressions::CelExpressions, sqlite::OpenMode};
use mangrove_testkit::{
    contract::data_store::{new_data, of_step},
    fakes::MemoryData,
};

/// Answers that were given.
#[derive(Default)]
struct Answers(Mutex<Vec<(FunctionCall, Result<Json, String>)>>);

impl ExpressionFunctions for Answers {
    fn call(&self, call: &FunctionCall) -> Option<Result<Json, String>> {
        let answers = self.0.lock().expect("no panic");
        answers.iter().find(|(asked, _)| asked == call).map(|(_, answer)| answer.clone())
    }
}

/// The records that the vectors are about, in memory.
async fn records() -> Records {
    records_in(Arc::new(MemoryData::new())).await
}

/// The records that the vectors are about.
async fn records_in(store: Arc<dyn DataStore>) -> Records {
    let mut moment = 0;
    let mut write =
        async |model: &str, spec: &str, name: &str, content: &str, tags: &[(&str, &str)], step: Option<&str>| {
            moment += 1;
            let content = YamlDocuments.parse("content.yaml", content).expect("YAML").root.to_json();
            let mut data = NewData {
                tags: [("type", "resource"), ("specName", spec), ("modelName", model)]
                    .iter()
                    .chain(tags)
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                written_at: Timestamp::from_millis(moment),
                ..new_data(&format!("id-{model}"), spec, name, &content)
            };
            if let Json::String(text) = content {
                data.kind = DataKind::File;
                data.content = text.into_bytes();
                "text/plain".clone_into(&mut data.content_type);
            }
            store.write(step.map_or(data.clone(), |step| of_step(step, data))).await.expect("written");
        };
    write("scan", "host", "host-a", "{status: failed, count: 2}", &[("env", "prod")], None).await;
    write("scan", "host", "host-a", "{status: ok, count: 5}", &[("env", "prod")], None).await;
    write("scan", "host", "host-b", "{status: failed}", &[("env", "dev")], None).await;
    write("scan", "output", "log", "hello", &[], None).await;
    write("db", "row", "main", "{id: 1}", &[], Some("a")).await;
    write("db", "row", "main", "{id: 2}", &[], Some("b")).await;
    Records::new(store, Arc::new(CelExpressions), Arc::new(NoSecrets), Arc::new(Models::default()))
}

fn told(record: &Json) -> String {
    let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let version = record.get("version").and_then(Json::as_integer).unwrap_or_default();
    format!("{} v{version}", text("name"))
}

#[tokio::test]
async fn every_query_of_the_table_finds_what_it_says() {
    every_query_finds_what_it_says(&records().await).await;
    let directory = tempfile::tempdir().expect("a directory");
    let data = LocalData::new(directory.path().join("data"));
    let (files, indexed) =
        (Arc::new(data.clone()), data.with_index(directory.path().to_owned(), OpenMode::ReadWrite, 0));
    every_query_finds_what_it_says(&records_in(files).await).await;
    let models = Arc::new(Models::default());
    let records = Records::new(Arc::new(indexed), Arc::new(CelExpressions), Arc::new(NoSecrets), models);
    for _ in 0..2 {
        every_query_finds_what_it_says(&records).await;
    }
    assert!(directory.path().join("data-index.db").exists());
}

async fn every_query_finds_what_it_says(records: &Records) {
    for (number, predicate, found) in [
        ("Q1", r#"modelName == "scan""#, "host-a v2, host-b v1, log v1"),
        ("Q2", r#"attributes.status == "failed""#, "host-b v1"),
        ("Q3", r#"name == "host-a" && version >= 1"#, "host-a v1, host-a v2"),
        ("Q4", "isLatest == false", "host-a v1"),
        ("Q5", r#"name == "version""#, ""),
        ("Q6", r#"modelName == "db""#, "main v1, main v2"),
        ("Q7", "attributes.count > 4", "host-a v2"),
        ("Q7", "has(attributes.count)", "host-a v2"),
        ("Q8", r#"!(attributes.status == "ok")"#, "host-b v1"),
        ("Q10", r#"content.contains("hell")"#, "log v1"),
        ("Q12", r#"tags["env"] == "dev""#, "host-b v1"),
        ("", r#"tags.exists(t, t == "env") && modelId == "id-scan""#, "host-a v2, host-b v1"),
        ("", r#"createdAt < "1970-01-01T00:00:00.003Z" && version > 0 && ns == """#, "host-a v1, host-a v2"),
    ] {
        let list = records.query(predicate, None).await.expect(predicate);
        assert_eq!(list.iter().map(told).collect::<Vec<_>>().join(", "), found, "{number} {predicate}");
    }
    let list =
        records.query(r#"modelName == "scan""#, Some(r#"{"n": name, "c": attributes.count}"#)).await.expect("Q9");
    assert_eq!(Json::Array(list).to_string(), r#"[{"n":"host-a","c":5},null,null]"#, "Q9");
    let error = records.query(r#"model == "scan""#, None).await.expect_err("Q11").to_string();
    assert!(error.starts_with("unknown field `model`; a query may use id, name, version"), "Q11 {error}");
    let error = records.query(r#"size(data.latest("scan", "host-a")) > 0"#, None).await.expect_err("no function");
    assert!(error.to_string().starts_with("`data.latest` cannot be used in a query"), "{error}");
    assert!(records.query("name ==", None).await.is_err());
}

#[tokio::test]
async fn a_record_has_the_members_that_are_promised() {
    let found = records().await.query(r#"name == "main" && stepName == "b""#, None).await.expect("a query");
    let text = found[0].to_string().replace(found[0].get("id").and_then(Json::as_str).expect("an id"), "ID");
    assert_eq!(
        text,
        r#"{"id":"ID","name":"main","version":2,"isLatest":true,"createdAt":"1970-01-01T00:00:00.006Z","namespace":"","attributes":{"id":2},"tags":{"type":"resource","specName":"row","modelName":"db"},"modelName":"db","modelId":"id-db","modelType":"@acme/zone","specName":"row","dataType":"resource","contentType":"application/json","lifetime":"infinite","ownerType":"model-method","streaming":false,"size":8,"content":{"id":2},"ownerRef":"id-db","workflowRunId":"run-1","workflowName":"deploy","jobName":"build","stepName":"b","source":"step-output"}"#
    );
}

/// The value of an expression that asks for data.
async fn value(lookups: &DataLookups, expression: &str) -> Result<String, String> {
    let parsed = CelExpressions.parse(expression).map_err(|error| error.message)?;
    let variables = Json::object([("inputs", Json::object([("n", Json::Number(Number::Float(3.0)))]))]);
    let answers = Answers::default();
    for _ in 0..10 {
        match parsed.evaluate((&variables).into(), &answers) {
            Ok(value) => return Ok(value.to_string()),
            Err(error) => match error.kind {
                ExpressionErrorKind::Waiting(call) => {
                    let answer = lookups.answer(&call).await;
                    answers.0.lock().expect("no panic").push((call, answer));
                }
                _ => return Err(error.message),
            },
        }
    }
    Err("it never ends".to_owned())
}

#[tokio::test]
async fn every_function_of_the_table_gives_what_it_says() {
    let lookups = DataLookups::new(records().await);
    for (number, expression, expected) in [
        ("Q13", r#"data.latest("scan", "nope")"#, Some("null")),
        ("Q13", r#"data.latest("scan", "nope").?attributes.?x.orValue(0)"#, Some("0")),
        ("Q13", r#"data.latest("scan", "nope").attributes"#, None),
        ("Q14", r#"data.listVersions("scan", "host-a")"#, Some("[1,2]")),
        ("Q14", r#"data.version("scan", "host-a", 1).attributes.status"#, Some(r#""failed""#)),
        ("Q15", r#"data.latest("db", "main").attributes.id"#, Some("2")),
        ("Q15", r#"size(data.findBySpec("db", "row"))"#, Some("2")),
        ("Q16", r#"data.latest("scan", "host", ["a"]).version"#, Some("2")),
        ("Q17", r#"data.version("scan", "host-a", inputs.n)"#, None),
        ("Q17", r#"data.version("scan", "host-a", int(inputs.n))"#, Some("null")),
        ("", r#"data.version("scan", "host", ["a"], 1).isLatest"#, Some("false")),
        ("", r#"data.listVersions("scan", "nope")"#, Some("[]")),
        ("", r#"data.latest("scan", "host", [""])"#, None),
        ("", r#"data.latest("*:scan", "host-a").version"#, Some("2")),
        ("", r#"data.latest("other:scan", "host-a")"#, Some("null")),
        ("", r#"data.findByTag("env", "dev")[0].name"#, Some(r#""host-b""#)),
        ("", r#"data.query("modelName == \"scan\"", "name")"#, Some(r#"["host-a","host-b","log"]"#)),
        ("", r#"data.query("model == 1")"#, None),
        ("", "workers.connected()", Some("[]")),
    ] {
        let told = value(&lookups, expression).await;
        match expected {
            Some(expected) => assert_eq!(told.as_deref(), Ok(expected), "{number} {expression}"),
            None => assert!(told.is_err(), "{number} {expression}: {told:?}"),
        }
    }
}
