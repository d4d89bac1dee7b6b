//! The pipes' own messages, for `crates/fuzz`: nobody else outside reads or makes them.

use std::{collections::HashMap, sync::Arc};

use mangrove_domain::{
    inspection::Inspection,
    json::{Json, Number},
    ports::BuildFailure,
    shape::Shape,
};

use super::{Reply, Request, Value, WireInspection, encode_inspection, frame, message, read_frame_blocking};

/// Reads bytes as a frame of each direction, and whatever such a frame holds as what it stands for.
pub fn read(bytes: &[u8]) {
    let framed = read_frame_blocking(&mut &*bytes);
    for body in [bytes, framed.as_deref().unwrap_or_default()] {
        if let Ok(request) = message::<Request<'_>>(body) {
            read_request(request);
        }
        if let Ok(reply) = message::<Reply>(body) {
            read_reply(reply);
        }
    }
}

fn read_request(request: Request<'_>) {
    match request {
        Request::Call(call) => drop(mangrove_domain::ports::Call::try_from(call)),
        Request::Bundle(request) => drop(mangrove_domain::ports::BundleRequest::try_from(&request)),
        Request::Inspect { bundle, .. } | Request::Open { bundle, .. } => drop(bundle.with(&HashMap::new())),
        Request::HostAnswer(answer) => drop(answer.map(Value::into_json)),
        Request::Cancel
        | Request::WebEvent(..)
        | Request::Configure { .. }
        | Request::Hold { .. }
        | Request::LetGo
        | Request::Parse { .. }
        | Request::Vendor(_)
        | Request::Begin
        | Request::Close => {}
    }
}

fn read_reply(reply: Reply) {
    match reply {
        Reply::Bundled(outcome) => drop(outcome.map_err(BuildFailure::try_from)),
        Reply::Inspected(inspected) => drop(inspected.map(Inspection::try_from)),
        Reply::HostCall { arguments, .. } => arguments.into_iter().for_each(|value| drop(value.into_json())),
        Reply::Returned { outcome, .. } => drop(outcome.map(Value::into_json)),
        Reply::Accepted
        | Reply::Parsed(_)
        | Reply::Vendored(_)
        | Reply::Opened(_)
        | Reply::Web(_)
        | Reply::Begun(_)
        | Reply::Closed
        | Reply::Panicked(_)
        | Reply::Refused(_) => {}
    }
}

fn json() -> Json {
    let list = Json::Array(vec![Json::Null, Json::Bool(true), Json::Number(Number::Float(0.5)), Json::from(-1)]);
    Json::object([("a", list), ("b", Json::object([("c", Json::from("text"))]))])
}

fn an_inspection() -> Inspection {
    let shape = Shape::Object(vec![
        ("type".to_owned(), Shape::String("@a/b".to_owned())),
        ("run".to_owned(), Shape::Function),
        ("schema".to_owned(), Shape::Schema { json_schema: json() }),
    ]);
    let export = Some((Arc::from("model"), shape));
    Inspection { export, touched: vec!["Intl".to_owned()], notes: vec!["a remark".to_owned()] }
}

/// Some frames of both directions.
#[must_use]
pub fn frames() -> Vec<Vec<u8>> {
    let value = || Value::from(&json());
    let requests = [
        Request::Cancel,
        Request::Configure { memory_limit_bytes: 1 << 28 },
        Request::Hold { path: "vendor/a.js", code: "export {};" },
        Request::Parse { path: "a.ts", bytes: b"export const a = 1;" },
        Request::HostAnswer(Ok(value())),
        Request::Begin,
    ];
    let inspection = an_inspection();
    let replies = [
        Reply::Accepted,
        Reply::Inspected(Ok(WireInspection::from(&inspection))),
        Reply::HostCall { function: "readResource".to_owned(), arguments: vec![value(), value()] },
        Reply::Returned { outcome: Ok(value()), is_at_rest: true },
        Reply::Panicked("index out of bounds".to_owned()),
    ];
    requests.iter().map(frame).chain(replies.iter().map(frame)).filter_map(Result::ok).collect()
}

/// Some inspections as they are kept.
#[must_use]
pub fn inspections() -> Vec<Vec<u8>> {
    let nothing = Inspection { export: None, touched: Vec::new(), notes: Vec::new() };
    [an_inspection(), nothing].iter().filter_map(|it| encode_inspection(it).ok()).collect()
}
