//! The jobs of the child in these tests.

use std::{hint, path::Path, process::Command, thread};

use mangrove_domain::{
    inspection::Inspection,
    json::Json,
    ports::{Call, HostCall, RunError},
    shape::Shape,
};
use mangrove_engine::{EngineSession, HostFunction, Inbox, WebOrders};
use mangrove_infra::worker::child::{Callable, Jobs};
use mangrove_sources::{parse::parse_module, parser::ParsedModule};
use rustix::process::{Signal, getpid, kill_process};

/// Code that begins like this is not given to the engine.
pub(crate) const FAKE: &str = "// fake";

pub(crate) fn jobs() -> Jobs {
    Jobs {
        parse,
        inspect: |request, limits| {
            if !request.bundle.code.starts_with(FAKE) {
                return mangrove_engine::inspect(request, limits);
            }
            let shape = Shape::Object(vec![("execute".to_owned(), Shape::Function)]);
            Ok(Inspection {
                export: request.export_names.first().map(|name| (name.clone(), shape)),
                touched: request.bundle.vendor_files.iter().map(|file| file.path.clone()).collect(),
                notes: vec![request.bundle.code.to_string(), request.subject.clone()],
            })
        },
        open: |request, limits| match request.bundle.code.strip_prefix(FAKE) {
            Some(" throw") => Err(RunError::Threw { message: "not today".to_owned(), stack: None }),
            Some(_) => Ok(Box::new(TestSession { calls: 0 })),
            None => Ok(Box::new(EngineSession::open(request, limits)?)),
        },
        ..Jobs::default()
    }
}

pub(crate) fn hang() -> ! {
    loop {
        hint::spin_loop();
    }
}

fn parse(path: &str, bytes: &[u8]) -> ParsedModule {
    let text = String::from_utf8_lossy(bytes);
    match path {
        "pid" => say(vec![std::process::id().to_string()]),
        "environment" => {
            let mut lines: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            lines.sort();
            lines.push(std::env::current_dir().unwrap().display().to_string());
            say(lines)
        }
        "panic" => panic!("told to panic"),
        "panic elsewhere" => {
            thread::spawn(|| panic!("told to panic elsewhere"));
            hang()
        }
        "abort" => {
            eprintln_line("about to abort");
            std::process::abort()
        }
        "killed" => {
            kill_process(getpid(), Signal::KILL).unwrap();
            hang()
        }
        "killed once" => {
            if Path::new(&*text).exists() {
                return say(vec!["done".to_owned()]);
            }
            std::fs::write(&*text, "").unwrap();
            kill_process(getpid(), Signal::TERM).unwrap();
            hang()
        }
        "hang" => hang(),
        "hang in a crowd" => {
            // They end with this process's group.
            let rivals = 4 * thread::available_parallelism().unwrap().get();
            let spin = |_| Command::new(std::env::current_exe().unwrap()).arg("spin").spawn().unwrap();
            let _crowd: Vec<_> = (0..rivals).map(spin).collect();
            hang()
        }
        "hang with a child" => {
            // Its standard error must not be ours, or the parent would wait for it as well.
            let mut child = Command::new("/bin/sleep").arg("1000").stderr(std::process::Stdio::null()).spawn().unwrap();
            let whole = format!("{text}.part");
            std::fs::write(&whole, child.id().to_string()).unwrap();
            std::fs::rename(&whole, &*text).unwrap();
            child.wait().unwrap();
            hang()
        }
        "eat memory" => {
            let mut eaten: Vec<Vec<u8>> = Vec::new();
            loop {
                eaten.push(vec![1; 1 << 20]);
                // Slower than the watcher looks.
                thread::sleep(std::time::Duration::from_millis(2));
            }
        }
        _ => parse_module(path, bytes),
    }
}

#[expect(clippy::print_stderr, reason = "the pool captures it")]
fn eprintln_line(line: &str) {
    eprintln!("{line}");
}

fn say(exports: Vec<String>) -> ParsedModule {
    ParsedModule { exports, ..ParsedModule::default() }
}

struct TestSession {
    calls: i64,
}

impl Callable for TestSession {
    fn call(&mut self, call: &Call, host: &mut dyn FnMut(HostCall) -> Result<Json, String>) -> Result<Json, RunError> {
        self.calls += 1;
        let mut ask = |function: &str| {
            host(HostCall {
                function: function.to_owned(),
                arguments: vec![call.arguments.clone(), Json::from("more")],
            })
        };
        match call.path.last().map(String::as_str) {
            Some("echo") => Ok(Json::Array(vec![Json::from(self.calls), call.arguments.clone(), call.context.clone()])),
            Some("pid") => Ok(Json::from(i64::from(std::process::id()))),
            Some("ask") => {
                let texts = ["first", "refuse", "third"].map(|function| match ask(function) {
                    Ok(value) => value,
                    Err(message) => Json::String(format!("refused: {message}")),
                });
                Ok(Json::Array(texts.to_vec()))
            }
            Some("ask and abort") => {
                let _ = ask("first");
                std::process::abort()
            }
            Some("hang") => hang(),
            Some("deep") => Ok((0..100_000).fold(Json::Null, |inner, _| Json::Array(vec![inner]))),
            _ => Err(RunError::Threw { message: "no such method".to_owned(), stack: Some("at line 1".to_owned()) }),
        }
    }

    fn answer_at_once(&mut self, _host: HostFunction) {}

    fn connect(&mut self, _orders: Option<WebOrders>, _inbox: Inbox) {}
}
