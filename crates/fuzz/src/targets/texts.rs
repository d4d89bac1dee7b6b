//! What people and other programs write.

use std::{sync::Arc, time::Duration};

use mangrove_daemon::webhook;
use mangrove_domain::{
    definition,
    document::Document,
    form::Located,
    inputs,
    json::Json,
    ports::{Calendar as _, Documents as _, Expressions as _},
    time::{self, Timestamp},
    vault, workflow,
    workflow::webhook::{SecretSource, Webhook, WebhookScheme},
};
use mangrove_infra::{calendar::CronCalendar, documents::YamlDocuments, expressions::CelExpressions};
use mangrove_sources::parse;

fn documents(bytes: &[u8], names: &[&str]) -> Vec<Document> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    names.iter().filter_map(|name| YamlDocuments.parse(name, text).ok()).collect()
}

/// All three grammars.
pub(super) fn document(bytes: &[u8]) {
    for document in documents(bytes, &["a.yaml", "a.json", "a.jsonc"]) {
        // What it says can be said again, and stays as it is then (JSON does not know `-0` as an integer).
        let read = |text: &str| YamlDocuments.parse("b.json", text).ok().map(|again| again.root.to_json().to_string());
        let said = read(&document.root.to_json().to_string());
        assert!(said.is_some());
        assert_eq!(said.as_deref().and_then(read), said);
    }
}

pub(super) fn workflow(bytes: &[u8]) {
    for document in documents(bytes, &["workflows/w.yaml"]) {
        if let Some(workflow) = workflow::parse(&document).value {
            let schema = workflow.input_schema();
            let _ = inputs::check(&schema, Json::Object(Vec::new()));
        }
    }
}

pub(super) fn definition(bytes: &[u8]) {
    for document in documents(bytes, &["models/d.yaml"]) {
        let _ = definition::parse(&document, Some("@a/b"));
    }
}

pub(super) fn vault(bytes: &[u8]) {
    for document in documents(bytes, &["vaults/v.yaml"]) {
        let _ = vault::parse(&document);
    }
}

pub(super) fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(parsed) = CelExpressions.parse(text) else { return };
    let inputs = Json::object([
        ("n", Json::from(3)),
        ("s", Json::from("ab")),
        ("l", Json::Array([1, 2, 3].map(Json::from).to_vec())),
        ("m", Json::object([("a", Json::from(1)), ("b", Json::Null)])),
    ]);
    let variables = Json::object([("inputs", inputs), ("self", Json::Null)]);
    let first = CelExpressions.evaluate(text, &variables);
    assert_eq!(parsed.references(), CelExpressions.references(text).unwrap_or_default());
    // Clocks and chance are not to be had in an expression.
    assert_eq!(
        first.ok().map(|value| value.to_string()),
        CelExpressions.evaluate(text, &variables).ok().map(|value| value.to_string())
    );
}

/// A cron pattern, and a duration.
pub(super) fn schedule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = time::parse_duration(text);
    let (pattern, zone) = text.split_once('|').unwrap_or((text, "UTC"));
    let Ok(calendar) = CronCalendar::new("UTC") else { return };
    let Ok(recurrence) = calendar.recurrence(pattern, Some(zone)) else { return };
    let now = Timestamp::from_millis(1_790_000_000_000);
    if let Some(next) = recurrence.next_after(now) {
        assert!(next > now, "{text}: {next} is not after {now}");
        assert!(recurrence.latest_until(next) == Some(next), "{text}: {next} is not the latest until itself");
    }
}

/// Headers, one a line, an empty line, and the body.
pub(super) fn webhook(bytes: &[u8]) {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = (&bytes[..end], bytes.get(end + 2..).unwrap_or_default());
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        Some((name, line[colon + 1..].trim_ascii().to_vec()))
    };
    let headers: Vec<(String, Vec<u8>)> = head.split(|byte| *byte == b'\n').filter_map(header).collect();
    let request = webhook::Request { headers: &headers, body };
    let generic = WebhookScheme::Generic {
        header: "x-signature".to_owned(),
        prefix: "v=".to_owned(),
        timestamp_header: Some("x-time".to_owned()),
    };
    for scheme in [WebhookScheme::Github, WebhookScheme::Linear, WebhookScheme::Stripe, WebhookScheme::Slack, generic] {
        let signature_header = scheme.signature_header().to_owned();
        let route = Located { value: "r".to_owned(), line: 1, column: 1 };
        let webhook = Webhook {
            route,
            secret: SecretSource::Environment("SECRET".to_owned()),
            scheme,
            replay_window: Some(Duration::from_mins(5)),
        };
        // Nobody who does not know the secret signs with it.
        let accepted = webhook::verify(&webhook, b"never in the corpus", request, Timestamp::from_millis(0));
        assert!(accepted.is_err(), "a request with a wrong signature is taken");
        let shown = webhook::payload(request, "r", &signature_header, |text| {
            YamlDocuments.parse("body.json", text).ok().map(|document| document.root.to_json())
        });
        let names = shown.get("headers").and_then(Json::as_object).unwrap_or_default();
        assert!(names.iter().all(|(name, _)| *name != signature_header && name != "authorization"));
    }
}

/// In every dialect.
pub(super) fn module(bytes: &[u8]) {
    for path in ["a.ts", "a.tsx", "a.mjs", "a.cjs"] {
        let parsed = parse::parse_module(path, bytes);
        assert_eq!(parsed, parse::parse_module(path, &Arc::<[u8]>::from(bytes)));
    }
}
