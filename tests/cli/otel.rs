//! Traces, as a collector receives them.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{fixtures::model, sandbox::Sandbox, serve::Serving};

const FILES: &str = "//- /models/@acme/greeter/11111111-1111-4111-8111-111111111111.yaml
id: 11111111-1111-4111-8111-111111111111
name: greeter
version: 1
//- /workflows/hello.yaml
id: 22222222-2222-4222-8222-222222222222
name: hello
inputs:
  type: object
  properties:
    name: { type: string }
  required: [name]
jobs:
  - name: first
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: \"${{ inputs.name }}\" } }
";

fn greeter() -> Sandbox {
    let sandbox = Sandbox::new(FILES);
    sandbox.write("extensions/models/greeter.ts", &model("@acme/greeter"));
    sandbox
}

/// Takes requests for a while; gives their bodies. Those after the first `answered` are never answered.
fn collector(answered: usize) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            // Nobody may listen any more.
            let _ = sender.send(body);
            if number < answered {
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                // Whoever asked may be gone.
                let _ = (&stream).write_all(answer.as_bytes());
            } else {
                kept.push(stream);
            }
        }
    });
    (address, receiver)
}

/// One field of a message of protocol buffers.
enum Field<'a> {
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message by their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let number = |bytes: &mut &[u8]| {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a number");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    };
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes);
        let length = match key & 7 {
            0 => {
                number(&mut bytes);
                found.push((key >> 3, Field::Other));
                continue;
            }
            1 => 8,
            5 => 4,
            _ => usize::try_from(number(&mut bytes)).expect("a length"),
        };
        let (content, rest) = bytes.split_at(length);
        bytes = rest;
        found.push((key >> 3, Field::Bytes(content)));
    }
    found
}

fn parts(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    fields(bytes)
        .into_iter()
        .filter_map(|(key, field)| match field {
            Field::Bytes(content) if key == number => Some(content),
            Field::Bytes(_) | Field::Other => None,
        })
        .collect()
}

fn text(bytes: &[u8], number: u64) -> String {
    parts(bytes, number).first().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
}

#[derive(Clone, Debug)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
}

/// The spans of a request to a collector (`ExportTraceServiceRequest`).
fn spans(body: &[u8]) -> Vec<Span> {
    let of_resources = parts(body, 1);
    let of_scopes = of_resources.iter().flat_map(|resource| parts(resource, 2));
    of_scopes
        .flat_map(|scope| parts(scope, 2))
        .map(|span| {
            let bytes = |number| parts(span, number).first().map(|bytes| bytes.to_vec()).unwrap_or_default();
            let attributes = parts(span, 9).into_iter().map(|pair| {
                let value = parts(pair, 2).first().map(|value| text(value, 1)).unwrap_or_default();
                (text(pair, 1), value)
            });
            let attributes = attributes.collect();
            Span { trace: bytes(1), id: bytes(2), parent: bytes(4), name: text(span, 5), attributes }
        })
        .collect()
}

/// The names from a span up to the root of its trace.
fn ancestry(span: &Span, all: &[Span]) -> Vec<String> {
    let mut names = vec![span.name.clone()];
    let mut below = span;
    while let Some(parent) = all.iter().find(|other| other.id == below.parent && other.trace == below.trace) {
        names.push(parent.name.clone());
        below = parent;
    }
    assert!(below.parent.is_empty(), "{below:?} has a parent that nobody has sent");
    names
}

/// The spans of a command in a repository where nothing is built, and everything that was sent.
fn traced(arguments: &[&str]) -> (Vec<Span>, String) {
    let sandbox = greeter();
    let (address, received) = collector(usize::MAX);
    let output = sandbox
        .command()
        .args(arguments)
        .args(["--json", "--input", "name=hunter2-the-secret"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let bodies: Vec<Vec<u8>> = received.try_iter().collect();
    (bodies.iter().flat_map(|body| spans(body)).collect(), String::from_utf8_lossy(&bodies.concat()).into_owned())
}

#[test]
fn a_run_is_a_trace_from_the_run_to_what_was_built_for_it() {
    for (arguments, name, builds) in [
        (["model", "run", "greeter", "greet"].as_slice(), "greeter.greet", ["method", "step", "job", "run"].as_slice()),
        // What a workflow needs is built before it begins.
        (&["workflow", "run", "hello"], "hello", &["validate"]),
    ] {
        let (all, sent) = traced(arguments);
        let named =
            |name: &str| all.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {all:#?}"));
        assert_eq!(ancestry(named("method"), &all), ["method", "step", "job", "run"]);
        for part in ["build", "inspect"] {
            assert_eq!(ancestry(named(part), &all), [&[part, "attempt", "carry-out"], builds].concat());
        }
        let run = &named("run").attributes;
        assert_eq!((run["name"].as_str(), run["status"].as_str()), (name, "succeeded"), "{run:?}");
        assert_eq!(named("method").attributes["model"], "@acme/greeter");
        assert_eq!(named("attempt").attributes["source"], "extensions/models/greeter.ts");
        assert!(sent.contains("service.name") && sent.contains("mangrove"), "who it is");
        assert!(!sent.contains("hunter2"), "no input is in it");
    }
}

#[test]
fn a_collector_that_does_not_answer_changes_nothing_and_is_told_once() {
    let sandbox = greeter();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = taken.local_addr().expect("an address");
    drop(taken);
    let (silent, _received) = collector(0);
    for address in [nobody, silent] {
        let start = Instant::now();
        let output = sandbox
            .command()
            .args(["workflow", "run", "hello", "--input", "name=x"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
            // Whoever waited for an answer would wait for an hour.
            .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
            .output()
            .expect("the program starts");
        assert!(output.status.success(), "{output:?}");
        assert!(start.elapsed() < Duration::from_mins(5), "{:?}", start.elapsed());
    }
    let mut command = sandbox.command();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{nobody}")).env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let serving = Serving::start_with(command, &[]);
    let message = "the collector does not take the traces, which are lost; this is said once";
    serving.logged(message);
    for _ in 0..3 {
        let (status, body) = serving.send("POST", "/api/v1/scan", "Content-Type: application/json\r\n", "{}");
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(serving.times_logged(message), 1);
}
