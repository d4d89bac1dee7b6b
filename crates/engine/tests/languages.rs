//! What depends on a language: what the text of a call promises, the engine keeps.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    ports::{Call, InspectRequest, RunError},
    problem::Code,
};
use mangrove_engine::{
    EngineSession, Limits, inspect,
    language_calls::{Literal, is_known},
};
use mangrove_testkit::requests::{open_model, unchecked_call};

fn bundle(code: &str) -> LoadedBundle {
    LoadedBundle { code: code.into(), vendor_files: Vec::new() }
}

fn run() -> Call {
    unchecked_call(vec!["run".to_owned()], Json::Null, Json::Object(Vec::new()))
}

/// What `expression` gives in a run.
fn value(expression: &str) -> Result<Json, RunError> {
    let code = format!("export const model = {{ run: () => {expression} }};");
    let mut session = EngineSession::open(&open_model(bundle(&code)), &Limits::default()).unwrap();
    session.call(&run(), &mut |_| Ok(Json::Null))
}

fn text(expression: &str) -> String {
    value(expression).unwrap().as_str().map_or_else(|| panic!("{expression}"), str::to_owned)
}

fn lacks(expression: &str) -> bool {
    matches!(value(expression), Err(RunError::Fault(fault)) if fault.code == Code::REQUIREMENT_MISSING)
}

#[test]
fn what_the_text_promises_is_kept() {
    let locales = [
        "de", "de-AT", "de-DE", "en", "en-CA", "en-GB", "en-US", "fr-FR", "hi-IN", "ja-JP", "pl", "sv-SE", "tr",
        "zh-CN",
    ];
    let written = |name: &str, value: &str| {
        let literal = match value.parse::<f64>() {
            Ok(number) => Literal::Number(number),
            Err(_) if value == "true" || value == "false" => Literal::Bool(value == "true"),
            Err(_) => Literal::Text(value.trim_matches('\'').to_owned()),
        };
        (format!("{{ {name}: {value} }}"), vec![(name.to_owned(), literal)])
    };
    let options = [
        written("maximumFractionDigits", "1"),
        written("useGrouping", "false"),
        written("style", "'percent'"),
        written("notation", "'compact'"),
        written("timeZone", "'Europe/Berlin'"),
        written("timeZone", "'Mars/Base'"),
        written("dateStyle", "'long'"),
        written("month", "'short'"),
        written("month", "'narrow'"),
        written("hour12", "false"),
        written("numeric", "true"),
        written("sensitivity", "'base'"),
        ("undefined".to_owned(), Vec::new()),
    ];
    let (date, number) = ("new Date(1770000000000)", "1234.5");
    let (mut kept, mut broken) = (0, Vec::new());
    for locale in locales {
        for (written, literals) in &options {
            for (method, receivers) in [
                ("toLocaleString", [Some(number), Some(date)]),
                ("toLocaleDateString", [None, Some(date)]),
                ("toLocaleTimeString", [None, Some(date)]),
                ("localeCompare", [Some("'b', "), None]),
            ] {
                if !is_known(method, Some(locale), literals) {
                    continue;
                }
                let works = receivers.iter().flatten().any(|receiver| {
                    let call = match receiver.split_once(", ") {
                        Some((text, _)) => format!("{text}.{method}('a', '{locale}', {written})"),
                        None => format!("({receiver}).{method}('{locale}', {written})"),
                    };
                    !lacks(&call)
                });
                if works { kept += 1 } else { broken.push(format!("{method} {locale} {written}")) }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(kept > 60, "{kept}");
}

#[test]
fn a_run_gives_what_is_known_and_names_what_is_not() {
    assert_eq!(
        text("['vm10', 'vm2', 'B', 'a', '_'].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).join()"),
        "_,a,B,vm2,vm10"
    );
    assert_eq!(text("(1234567.891).toLocaleString()"), "1,234,567.891");
    assert_eq!(text("new Date(0).toLocaleString('en-GB', { timeZone: 'Europe/Berlin' })"), "01/01/1970, 01:00:00");
    assert_eq!(text("new TextDecoder('utf-16le').decode(new Uint8Array([65, 0]))"), "A");
    for unknown in [
        "'z'.localeCompare('ä', 'sv')",
        "(1).toLocaleString('ar-EG')",
        "(1).toLocaleString('en-US', { style: 'unit', unit: 'liter' })",
        "new Date(0).toLocaleDateString('de-DE', { month: 'long' })",
        "new Date(0).toLocaleString('en-US', { timeZone: 'Mars/Base' })",
        "'i'.toLocaleUpperCase('tr')",
        "Array.from({ length: 99 }, (_, i) => i).sort((a, b) => a < b)",
        "new Intl.Collator()",
    ] {
        assert!(lacks(unknown), "{unknown}: {:?}", value(unknown));
    }
}

#[test]
fn variables_that_name_a_language_are_heeded() {
    let code = "export const model = { run: () => (1234.5).toLocaleString() };";
    let call = |variable: Option<&str>| {
        let mut request = open_model(bundle(code));
        request.grantee.variables.extend(variable.map(|value| ("LANG".to_owned(), value.to_owned())));
        let mut session = EngineSession::open(&request, &Limits::default()).unwrap();
        session.call(&run(), &mut |_| Ok(Json::Null))
    };
    assert_eq!(call(None).unwrap(), Json::from("1,234.5"));
    assert_eq!(call(Some("C.UTF-8")).unwrap(), Json::from("1,234.5"));
    assert!(
        matches!(call(Some("de_DE.UTF-8")), Err(RunError::Fault(fault)) if fault.code == Code::REQUIREMENT_MISSING)
    );
}

#[test]
fn an_inspection_notes_what_may_be_another_text() {
    let look = |default: &str| {
        let request = InspectRequest {
            bundle: bundle(&format!("export const model = {{ type: '@a/b', text: {default} }};")),
            code_digest: None,
            export_names: vec![Arc::from("model")],
            subject: "models/a.ts".to_owned(),
        };
        inspect(&request, &Limits::default()).unwrap()
    };
    let known = look("(1234.5).toLocaleString()");
    assert_eq!((known.notes, known.touched), (Vec::new(), Vec::new()));
    let unknown = look("(1234.5).toLocaleString('hi-IN')");
    assert_eq!(unknown.touched, ["toLocaleString"]);
    assert!(unknown.notes[0].contains("toLocaleString was used while the module loaded"), "{:?}", unknown.notes);
}

#[test]
fn what_was_missing_is_told_also_if_nobody_heard_of_it() {
    let code = "export const model = { run: () => { try { return new Intl.NumberFormat('de').format(1); } catch { return 'EUR 1'; } } };";
    let mut session = EngineSession::open(&open_model(bundle(code)), &Limits::default()).unwrap();
    let mut told = Vec::new();
    let given = session.call(&run(), &mut |call| {
        told.push((call.function, call.arguments));
        Ok(Json::Null)
    });
    assert_eq!(given.unwrap(), Json::from("EUR 1"));
    assert_eq!(told, [("lacked".to_owned(), vec![Json::from("Intl")])]);
}
