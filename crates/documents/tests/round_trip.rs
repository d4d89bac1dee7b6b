//! What is written as a document is read back as the same document: a client of another process sees what a local
//! command sees.

use std::{fmt::Debug, sync::Arc};

use mangrove_app::{
    scan::Report,
    types::{NotReady, Unclaimed},
    workflow::{RunChange, RunEvent},
};
use mangrove_documents::{
    ErrorDocument, ErrorReport, ExplainedDocument, HistoryDocument, ProblemDetails, RunDocument, RunEventDocument,
    RunListDocument, ScanDocument, SourceDocument, TypesDocument, source_name,
};
use mangrove_domain::{
    problem::{Code, Problem},
    run::{LogLine, RunHeader, RunStatus},
    source::Kind,
    state::StateName,
    time::Timestamp,
    type_name::TypeName,
};
use mangrove_testkit::{contract::run_store, rows};
use serde::{Serialize, de::DeserializeOwned};

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(document: &T) {
    let text = serde_json::to_string(document).expect("it can be written");
    let read: T = serde_json::from_str(&text).expect("it can be read");
    assert_eq!(read, *document, "{text}");
    assert_eq!(serde_json::to_string(&read).expect("it can be written"), text);
}

#[test]
fn types_and_sources_come_back() {
    let rows = [
        rows::indexed("extensions/models/a.ts", "@acme/a"),
        rows::failed("extensions/models/b.ts", "@acme/b"),
        rows::shadowed(rows::indexed("extensions/models/c.ts", "@acme/a"), &rows::source("extensions/models/a.ts")),
    ];
    comes_back(&TypesDocument::new(&rows));
    let sources: Vec<SourceDocument> = rows.iter().map(SourceDocument::of_row).collect();
    for source in &sources {
        comes_back(source);
    }
    comes_back(&ScanDocument::new(&Report::default(), sources.clone(), true).named("mangrove.retry/1", None));
    for source in sources {
        let history = HistoryDocument {
            at: Timestamp::from_millis(1_767_225_600_123).into(),
            from: None,
            to: StateName::Indexed.as_str().to_owned(),
            reason: "new".to_owned(),
        };
        comes_back(&ExplainedDocument {
            source,
            add_on: true,
            next_action: "keep".to_owned(),
            remarks: Vec::new(),
            history: vec![history],
        });
    }
}

#[test]
fn runs_and_their_events_come_back() {
    let record = Arc::new(run_store::full_record("01"));
    comes_back(&RunDocument::from(record.as_ref()));
    comes_back(&RunListDocument::from([RunHeader::from(record.as_ref())].as_slice()));
    let line = LogLine { at: Timestamp::from_millis(7), level: "info".to_owned(), text: "a\u{1b}[1m\n".to_owned() };
    let (job, step) = (record.jobs[0].name.clone(), record.jobs[0].steps[0].clone());
    let changes = [
        RunChange::Started(Arc::clone(&record)),
        RunChange::JobStarted { job: job.clone() },
        RunChange::StepStarted { job: job.clone(), step: step.name.clone(), task: step.task.clone() },
        RunChange::Log { job: job.clone(), step: step.name.clone(), line },
        RunChange::LinesDropped { lines: 7 },
        RunChange::StepFinished { job: job.clone(), step },
        RunChange::JobFinished { job, status: RunStatus::Failed },
        RunChange::Finished(Arc::clone(&record)),
    ];
    let reasons: Vec<String> = changes
        .into_iter()
        .map(|change| {
            let document = RunEventDocument::from(&RunEvent { run_id: Arc::from("01"), change });
            comes_back(&document);
            document.reason().to_owned()
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "run-started",
            "job-started",
            "step-started",
            "log",
            "log-lines-dropped",
            "step-finished",
            "job-finished",
            "run-finished"
        ]
    );
}

#[test]
fn errors_come_back_whether_they_are_about_a_type_or_not() {
    let failed = Arc::new(rows::failed("extensions/models/b.ts", "@acme/b"));
    let not_ready = NotReady {
        kind: Some(Kind::new("model")),
        type_name: TypeName::stored("@acme/b"),
        failure: failed.failure().cloned(),
        claimed_by: vec![failed],
        other_kinds: Vec::new(),
        nearest: vec![(Kind::new("model"), TypeName::stored("@acme/a"))],
        unclaimed: Unclaimed::default(),
        remark: None,
        advice: None,
        fault: None,
    };
    let about_a_type = ErrorReport::not_ready(&not_ready);
    let problem = Problem::error(Code::INVALID_INPUT, "deploy", "`zone` is missing");
    for report in [about_a_type, ErrorReport::problem(&problem), ErrorReport::new(None, "no")] {
        comes_back(&ErrorDocument::from(&report));
        let details = ProblemDetails::new(404, "Not Found", &report).with_problems(vec![(&problem).into()]);
        comes_back(&details);
        match report.code {
            Some(code) => {
                assert_eq!((details.page, details.title.as_str()), (format!("/problems/{code}"), code.title()));
            }
            None => assert_eq!((details.page.as_str(), details.title.as_str()), ("about:blank", "Not Found")),
        }
    }
}

#[test]
fn a_reader_of_an_earlier_version_reads_a_document_with_more_keys_and_words() {
    let text = r#"{"reason": "run-paused", "runId": "01", "until": "tomorrow"}"#;
    let event: RunEventDocument = serde_json::from_str(text).expect("it can be read");
    assert_eq!(event.reason(), "run-paused");
}

#[test]
fn sources_have_the_names_that_people_know() {
    assert_eq!(source_name("local", "extensions/models/a.ts"), "extensions/models/a.ts");
    assert_eq!(source_name("pulled:@acme/tools", "models/a.ts"), "pulled:@acme/tools/models/a.ts");
    assert_eq!(source_name("local", ""), "", "whatever it is, it is shown");
}
