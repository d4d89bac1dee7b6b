//! What every runner of code must do with drivers, and with questions about schemas.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    description::Violation,
    json::Json,
    ports::{Call, Checked, DriverRequest, HostCall, MethodHost, MethodRunner, RunError, Session, Takes},
    problem::Code,
};
use tokio::sync::Notify;

use crate::requests::{open_model, unchecked_call};

const CODE: &str = "let made = 0;
    const issue = (path) => ({ success: false, error: { issues: [{ path: [path], message: 'expected a text' }] } });
    const schema = (accepts) => ({ _def: {}, parse: (it) => it, safeParse: accepts });
    const executes = {
        says: (request, { onLog }) => {
            onLog('told while it works');
            onLog('twice');
            return { status: 'success', durationMs: 3, logs: ['told while it works', 'twice', 'twice', 'told at the end'], outputs: [
                { kind: 'pending', specName: 'row', name: 'a', type: 'resource', content: new TextEncoder().encode('{\"n\":1}'), tags: { t: '1' } },
                { specName: 'log', type: 'file', content: new Uint8Array([255, 0]) },
                { specName: 'plain', content: { n: 2 } },
                { specName: 'text', content: 'as it is' },
                undefined,
            ] };
        },
        request: (request, callbacks) => ({ status: 'success', logs: [], outputs: [{ specName: 'seen', content: {
            keys: Object.keys(request).sort().join(), callbacks: Object.keys(callbacks).sort().join(), arguments: request.methodArgs,
            bundle: request.bundle === undefined ? 'none' : `${request.bundle.constructor.name} ${new TextDecoder().decode(request.bundle)}`,
        } }] }),
        fails: () => ({ status: 'error', error: new Error('no route').message, outputs: [], logs: [] }),
        throws: () => { throw new Error('cannot reach it'); },
        nothing: () => undefined,
        waits: (request, { onLog, signal }) => new Promise((resolve) => {
            signal.addEventListener('abort', () => { onLog('told to end'); resolve({ status: 'error', error: 'ended', outputs: [] }); });
            onLog('waiting');
            setTimeout(() => resolve({ status: 'success' }), 20000);
        }),
    };
    export const model = {
        configSchema: schema((config) => typeof config.does === 'string' ? { success: true, data: { ...config, changed: true } } : issue('does')),
        createDriver: async (config) => {
            if (config.does === 'broken') throw new Error('no such place');
            if (config.does === 'none') return { type: 'x' };
            made += 1;
            const log = (text) => console.log(`${text} ${made} ${config.changed ?? 'as it was written'}`);
            class Driver {
                initialize() { log('begins'); }
                execute(request, callbacks) { return executes[config.does](request, callbacks); }
                async shutdown() { log('ends'); if (config.does === 'fails') throw new Error('in vain'); }
            }
            return new Driver();
        },
        globalArguments: { ...schema((it) => it), _def: {} },
        methods: { say: {
            arguments: schema((given) => typeof given.text === 'string' ? { success: true, data: { text: `${given.text}!`, more: 1 } } : issue('text')),
            execute: () => { throw new Error('nobody calls it'); },
        } },
    };";

/// Everything that a runner must do with drivers, apart from ending them.
pub(super) async fn drivers(runner: &dyn MethodRunner) {
    a_driver_executes_a_request(runner).await;
    what_goes_wrong_is_told(runner).await;
    schemas_are_asked_without_a_call(runner).await;
}

async fn open(runner: &dyn MethodRunner) -> Box<dyn Session> {
    let bundle = LoadedBundle { code: CODE.into(), vendor_files: Vec::new() };
    runner.open(open_model(bundle)).await.expect("a driver opens")
}

fn call(does: Json, bundle: Option<&str>) -> Call {
    let config = Json::object([("does", does)]);
    let arguments = Json::object([("text", Json::from("hello"))]);
    let request = Json::object([("methodArgs", arguments), ("methodName", Json::from("say"))]);
    let takes = Takes::Driver(Box::new(DriverRequest { request, bundle: bundle.map(Into::into) }));
    let made_of = Json::Array(vec![config]);
    let schema = vec!["configSchema".to_owned()];
    Call { takes, schema, ..unchecked_call(vec!["createDriver".to_owned()], made_of, Json::Null) }
}

async fn a_driver_executes_a_request(runner: &dyn MethodRunner) {
    let (mut session, host) = (open(runner).await, Arc::new(Listener::default()));
    let given = session.call(call(Json::from("says"), Some("")), Arc::clone(&host) as _).await.expect("a result");
    assert_eq!(
        given.to_string(),
        "{\"status\":\"success\",\"error\":null,\"outputs\":[\
         {\"kind\":\"pending\",\"specName\":\"row\",\"name\":\"a\",\"type\":\"resource\",\"tags\":{\"t\":\"1\"},\"content\":\"{\\\"n\\\":1}\"},\
         {\"specName\":\"log\",\"type\":\"file\",\"content\":{\"base64\":\"/wA=\"}},\
         {\"specName\":\"plain\",\"content\":{\"json\":{\"n\":2}}},\
         {\"specName\":\"text\",\"content\":\"as it is\"},\
         \"undefined\"]}"
    );
    assert_eq!(
        host.taken(),
        [
            "info begins 1 as it was written",
            "info told while it works",
            "info twice",
            "info twice",
            "info told at the end",
            "info ends 1 as it was written"
        ],
        "each line once, and the configuration as it is written"
    );
    for (bundle, expected) in
        [(Some("export const model = '\u{1F600}';"), "Uint8Array export const model = '\u{1F600}';"), (None, "none")]
    {
        let given = session.call(call(Json::from("request"), bundle), Arc::clone(&host) as _).await.expect("a result");
        let outputs = given.get("outputs").and_then(Json::as_array).expect("outputs");
        let keys = if bundle.is_some() { "bundle,methodArgs,methodName" } else { "methodArgs,methodName" };
        let seen = Json::object([
            ("keys", Json::from(keys)),
            ("callbacks", Json::from("onLog,signal")),
            ("arguments", Json::object([("text", Json::from("hello"))])),
            ("bundle", Json::from(expected)),
        ]);
        assert_eq!(outputs[0].get("content").and_then(|content| content.get("json")), Some(&seen));
    }
    let taken = host.taken();
    assert_eq!(taken.last().map(String::as_str), Some("info ends 3 as it was written"), "made anew for each request");
}

async fn what_goes_wrong_is_told(runner: &dyn MethodRunner) {
    let (mut session, host) = (open(runner).await, Arc::new(Listener::default()));
    let mut ask = async |does: &str| session.call(call(Json::from(does), None), Arc::clone(&host) as _).await;
    let failed = ask("fails").await.expect("a result").to_string();
    assert_eq!(failed, r#"{"status":"error","error":"no route","outputs":[]}"#);
    assert_eq!(host.taken().last().map(String::as_str), Some("warn the driver cannot shut down: in vain"));
    assert_eq!(ask("nothing").await.expect("a result").to_string(), r#"{"found":"undefined"}"#);
    for (does, expected) in [("throws", "cannot reach it"), ("broken", "no such place")] {
        let error = ask(does).await.expect_err("a throw is an error");
        assert!(matches!(&error, RunError::Threw { message, .. } if message.contains(expected)), "{does}: {error:?}");
    }
    let taken = host.taken();
    assert!(taken.last().is_some_and(|line| line.starts_with("info ends")), "what was begun is ended: {taken:?}");
    let error = ask("none").await.expect_err("nothing to call");
    let RunError::Fault(fault) = &error else { panic!("{error:?}") };
    assert_eq!(fault.code, Code::UNKNOWN_METHOD);
    assert!(fault.message.contains("model.createDriver().execute: found undefined"), "{fault}");
    let error = session.call(call(Json::from(3), None), Arc::clone(&host) as _).await.expect_err("a schema refuses");
    let violations = vec![Violation { path: "does".to_owned(), message: "expected a text".to_owned() }];
    assert_eq!(error, RunError::Rejected { checked: Checked::Arguments, violations });
}

/// For runners that can end a call.
pub(super) async fn a_driver_is_told_to_end(runner: &dyn MethodRunner) {
    let (mut session, host) = (open(runner).await, Arc::new(Listener::default()));
    let ending = async {
        while !host.has("info waiting") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        host.ending.notify_one();
    };
    let (given, ()) = tokio::join!(session.call(call(Json::from("waits"), None), Arc::clone(&host) as _), ending);
    assert_eq!(given.expect("a result").to_string(), r#"{"status":"error","error":"ended","outputs":[]}"#);
    assert_eq!(host.taken()[1..], ["info waiting", "info told to end", "info ends 1 as it was written"]);
}

async fn schemas_are_asked_without_a_call(runner: &dyn MethodRunner) {
    let (mut session, host) = (open(runner).await, Arc::new(Listener::default()));
    let member = |name: &str| ["methods", "say", name].map(str::to_owned).to_vec();
    let context = Json::object([("globalArgs", Json::object([("port", Json::from(80))]))]);
    let mut ask = async |text: Json| {
        let arguments = Json::object([("text", text)]);
        let question = Call {
            takes: Takes::Schemas,
            schema: member("arguments"),
            ..unchecked_call(member("execute"), arguments, context.clone())
        };
        session.call(question, Arc::clone(&host) as _).await
    };
    let made = ask(Json::from("hi")).await.expect("what the schemas make");
    assert_eq!(made.to_string(), r#"{"arguments":{"text":"hi!","more":1},"globalArgs":{"port":80}}"#);
    let error = ask(Json::from(3)).await.expect_err("a schema refuses");
    assert!(matches!(error, RunError::Rejected { checked: Checked::Arguments, .. }), "{error:?}");
    assert_eq!(host.taken(), [""; 0]);
}

/// A host that hears lines, and ends the call when it is told to.
#[derive(Default)]
struct Listener {
    lines: Mutex<Vec<String>>,
    ending: Notify,
}

impl Listener {
    fn has(&self, line: &str) -> bool {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == line)
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl MethodHost for Listener {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        assert_eq!(call.function, "log", "a driver asks for nothing else");
        let text = |index: usize| call.arguments.get(index).and_then(Json::as_str).unwrap_or_default().to_owned();
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} {}", text(0), text(1)));
        Ok(Json::Null)
    }

    async fn cancelled(&self) {
        self.ending.notified().await;
    }
}
