//! What every [`MethodRunner`] must do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    description::Violation,
    json::Json,
    permission::{Grant, Grants, Permission},
    ports::{Call, Checked, HostCall, Member, MethodHost, MethodRunner, RunError, Session, Takes},
    problem::Code,
};

use super::{drivers, following_sessions};
use crate::requests::{open_model, unchecked_call};

/// What the cases call.
const CODE: &str = "let count = 0;
    const schema = (check) => ({ _def: {}, parse: check, safeParse: (value) => {
        const data = check(value);
        const issues = [{ path: ['n'], message: 'expected a text' }];
        return data === false ? { success: false, error: { issues } } : { success: true, data: data === true ? value : data };
    } });
    export const model = { methods: {
        add: { execute: async ({ n }, ctx) => { count += n; await ctx.writeResource('sum', ctx.modelId, { count }); return { count }; } },
        say: { execute: (_args, ctx) => { ctx.logger.info('hello'); } },
        read: { execute: (_args, ctx) => ctx.readResource('none') },
        fail: { execute: () => { throw new Error('as asked'); } },
        loose: { execute: () => { Promise.reject(new Error('detached')); return 1; } },
        need: { execute: () => Deno.mainModule.length },
        strict: { arguments: schema((value) => typeof value.n === 'string'), execute: () => 'called' },
        parsed: { arguments: schema((value) => ({ n: value.n * 10 })), execute: ({ n }) => n },
        wait: { execute: () => new Promise(() => {}) },
        forget: { execute: (_args, ctx) => {
            const ask = async (name) => { const found = await ctx.readModelData(name); return found; };
            (async () => { await ask('forgotten'); await ask('as well'); })();
            return 2;
        } },
        deep: { nested: { value: 1 } },
        home: { execute: () => [process.env.HOME, process.env.NODE_ENV ?? null, Deno.env.get('HOME')] },
        choosing: { execute: () => ['DEBUG', 'FORCE_COLOR', 'LOG_TOKENS', 'NODE_DEBUG'].map((name) => [process.env[name] ?? null, Deno.env.get(name) ?? null]).join() },
        token: { execute: async () => { try { return process.env.TOKEN; } catch (cause) { throw new Error('in vain', { cause }); } } },
        quote: { execute: (_args, ctx) => ctx.createFileWriter('f', 'i').writeAll(new Uint8Array([255, 0])) },
        cut: { execute: async (_args, ctx) => {
            const half = '\u{1F600}'.slice(0, 1);
            ctx.logger.info(`cut ${half}`);
            ctx.logger.info('{it}', { it: { [half]: half } });
            await ctx.writeResource('half', ctx.modelId, { text: `a${half}b`, [half]: '\u{1F600}' });
            return [half, `${half}x`, `\\\\ud83d`, '\\u{1F600}'];
        } },
        throwHalf: { execute: () => { throw new Error('\u{1F600}'.slice(1)); } },
        loop: { execute: () => { for (;;); } },
        forms: { execute: (_args, ctx) => {
            ctx.logger.info`hello ${'bob'} ${{ a: 1 }}`;
            ctx.logger.info('made {count} of {{all}}', { count: 2, zone: 'a' });
            ctx.logger.with({ run: 7 }).getChild('x').fatal('in {run}');
            ctx.logger.trace((say) => say`lazy ${1}`);
            ctx.logger.warning({ b: 2 });
        } },
        prints: { execute: (_args, ctx) => {
            console.log('%s is %d of %i, %f; %o %c100%%', 'a', 1.5, 2, 0.5, { b: 1 }, 'color: red', 'more', { c: 2 });
            console.debug('100%');
            console.warn('%s');
            console.error('x {y}', { y: 1 }, null);
            console.info('%x %s %d', 1, 'n');
            console.log({ a: 1 }, 'b');
            class Zone { name = 'z'; get size() { throw new Error('called'); } }
            const round = { deep: { a: { b: { c: { d: { e: 1 } } } } } };
            round.again = round;
            console.log(new Map([['a', [1]]]), new Set(), /x/g, new Uint8Array([1, 2]), 5n, Symbol('s'), -0, undefined, new Date(0));
            console.log([1, undefined, , 'x'], { f() {}, u: undefined, [Symbol('q')]: null, get g() { throw new Error('called'); } }, new Zone());
            console.log(round, Zone, Object.create(null));
            console.error({ err: new Error('inner') }, new TypeError('boom', { cause: new Error('root') }));
            ctx.logger.error('x', { err: new Error('inner', { cause: 'root' }) });
            console.assert(false, 'of %s', 'one');
            console.assert(true, 'silent');
            console.assert(false);
            console.dir({ a: 1 }, { depth: 0 });
        } },
        repositories: { execute: async (_args, ctx) => {
            const type = ctx.modelType;
            ctx.logger.info('before');
            const versions = ctx.dataRepository.listVersionsSync(type, 'm', 'n');
            const bytes = await ctx.dataRepository.getContent(type, 'm', 'n', 2);
            const found = await ctx.dataRepository.findByName('text', 'm', 'n');
            const path = ctx.dataRepository.getPath(type, 'm', 'n', 2);
            const { definition } = await ctx.definitionRepository.findByNameGlobal('d');
            const writer = ctx.createFileWriter('f', 'i');
            await writer.writeLine('one');
            await writer.finalize();
            let refused = '';
            try { await writer.writeText('two'); } catch (error) { refused = error.message; }
            try { ctx.globalArgs.raw; } catch (error) { refused += '; ' + error.message; }
            return [`${type}`, type.normalized, type.equals('@ACME/zone'), versions, [...bytes], found.type, found.isDeleted,
                found.createdAt.getTime(), path, definition.getMethodArguments('go'), ctx.globalArgs.host, refused];
        } },
        told: { execute: async (ctx, ...more) => {
            ctx.logger.info('told of {it}', { it: ctx.scope });
            const versions = ctx.dataRepository.listVersionsSync(ctx.modelType, 'm', 'n');
            const { definition } = await ctx.definitionRepository.findByNameGlobal('d');
            const given = { pw: 's', deep: { pw: 't', none: null }, host: 'h' };
            const shown = [ctx.redactSensitiveArgs(given, 'global'), ctx.redactSensitiveArgs(given, 'method'), given];
            const absent = ['vaultService', 'queryData', 'readResource', 'writeResource', 'sensitive', 'signal'].filter((name) => name in ctx);
            return { markdown: `${ctx.modelType} ${ctx.executionStatus} ${versions} ${typeof definition}`,
                json: { shown, absent, more: more.length, file: typeof ctx.extensionFile } };
        } },
    }, createProvider: (name, config) => {
        if (name === 'broken') throw new Error('no such vault');
        const kept = { ...config, made: count += 1 };
        return {
            get: async (key) => kept[key],
            put(key, value) { kept[key] = value; return this.get(key); },
            name,
        };
    } };";

/// The contract of [`MethodRunner`]. `make` gives a runner whose limit of processor time is a few hundred
/// milliseconds or more.
///
/// # Panics
/// If the implementation breaks the contract.
pub async fn method_runner(make: &(dyn Fn() -> Box<dyn MethodRunner> + Sync)) {
    let runner = make();
    let host = Arc::new(Recorder::default());
    let mut session = open(&*runner, CODE).await.expect("a model opens");

    let sum = call(&mut *session, "add", &host).await.expect("a method runs");
    assert_eq!(sum.to_string(), r#"{"count":2}"#);
    let sum = call(&mut *session, "add", &host).await.expect("a session keeps its state");
    assert_eq!(sum.to_string(), r#"{"count":4}"#);
    assert_eq!(call(&mut *session, "say", &host).await.expect("logging works"), Json::Null);
    assert_eq!(
        host.taken(),
        [
            r#"writeResource["sum","m",{"count":2}]"#,
            r#"writeResource["sum","m",{"count":4}]"#,
            r#"log["info","hello"]"#
        ]
    );

    let value = call(&mut *session, "cut", &host).await.expect("half an emoji is no reason to fail");
    assert_eq!(value.to_string(), "[\"\u{fffd}\",\"\u{fffd}x\",\"\\\\ud83d\",\"\u{1F600}\"]");
    assert_eq!(
        host.taken(),
        [
            "log[\"info\",\"cut \u{fffd}\"]",
            "log[\"info\",\"{\\\"\u{fffd}\\\":\\\"\u{fffd}\\\"}\"]",
            "writeResource[\"half\",\"m\",{\"text\":\"a\u{fffd}b\",\"\u{fffd}\":\"\u{1F600}\"}]"
        ],
        "f15: nothing vanishes"
    );
    let error = call(&mut *session, "throwHalf", &host).await.expect_err("a throw is an error");
    assert!(matches!(&error, RunError::Threw { message, .. } if message.ends_with('\u{fffd}')), "{error:?}");
    let error = call(&mut *session, "read", &host).await.expect_err("the host's error rejects the call");
    assert!(error.to_string().contains("there is none"), "{error}");
    let error = call(&mut *session, "fail", &host).await.expect_err("a throw is an error");
    assert!(matches!(&error, RunError::Threw { message, .. } if message.contains("as asked")), "{error:?}");
    let error = call(&mut *session, "loose", &host).await.expect_err("what nobody catches ends the call");
    let is_told =
        matches!(&error, RunError::Threw { message, .. } if message.contains("of a promise: Error: detached"));
    assert!(is_told, "fault 31, the call and nothing else: {error:?}");
    assert_fault(call(&mut *session, "none", &host).await, &[Code::UNKNOWN_METHOD]);
    let value = call(&mut *session, "parsed", &host).await.expect("a schema accepts");
    assert_eq!(value, Json::from(20), "a method receives what its schema makes of the arguments");
    let violations = vec![Violation { path: "n".to_owned(), message: "expected a text".to_owned() }];
    let error = call(&mut *session, "strict", &host).await.expect_err("a schema refuses");
    assert_eq!(error, RunError::Rejected { checked: Checked::Arguments, violations });

    the_context_is_the_same_everywhere(&mut *session, &host).await;

    let error = call(&mut *session, "wait", &host).await.expect_err("what never ends is told");
    assert!(matches!(&error, RunError::Threw { message, .. } if message.contains("nothing will settle")), "{error:?}");
    assert_eq!(call(&mut *session, "forget", &host).await, Ok(Json::from(2)), "what nobody waits for is answered");
    assert_eq!(host.taken(), [r#"readModelData["forgotten"]"#, r#"readModelData["as well"]"#]);
    assert_fault(call(&mut *session, "deep", &host).await, &[Code::UNKNOWN_METHOD]);
    members_of_what_a_function_gives_are_called(&*runner, &host).await;
    a_report_has_a_context_of_its_own(&mut *session, &host).await;
    call(&mut *session, "quote", &host).await.expect("files are written");
    assert_eq!(host.taken(), [r#"writeFile["f","i",{"base64":"/wA="},null]"#], "bytes that are no text");

    let denied = call(&mut *session, "home", &host).await;
    let Err(RunError::Fault(fault)) = &denied else { panic!("what is not granted is refused, found {denied:?}") };
    assert_eq!((fault.code, fault.cause.0.as_ref()), (Code::PERMISSION_DENIED, "permission:env:HOME"));
    assert!(fault.message.contains(r#"permissions: { "@acme/a": { env: ["HOME"] } }"#), "{fault}");
    variables_are_given_as_they_are_granted(&*runner, &host).await;
    errors_say_what_led_to_them(&*runner, &host).await;

    let error = open(&*runner, "export const other = 1;").await.err().expect("the export is not there");
    assert_fault(Err(error), &[Code::UNKNOWN_METHOD]);
    let error = open(&*runner, "await new Promise(() => {}); export const model = {};").await.err();
    assert_fault(Err(error.expect("it never loads")), &[Code::THREW_WHILE_LOADING, Code::WORKER_CRASHED]);
    let error = open(&*runner, "throw new Error('at the top')").await.err().expect("a throw at the top is an error");
    assert_fault(Err(error), &[Code::THREW_WHILE_LOADING]);
    assert_fault(call(&mut *session, "loop", &host).await, &[Code::CPU_LIMIT, Code::WORKER_TIMED_OUT]);

    drop(session);
    following_sessions::follow_each_other(&*runner).await;

    // An engine has what a method asks for, or says what it lacks.
    let mut session = open(&*runner, CODE).await.expect("a model opens again");
    match call(&mut *session, "need", &host).await {
        Ok(value) => assert!(value.as_integer().is_some_and(|length| length > 0), "work is never pretended: {value}"),
        Err(error) => assert_fault(Err(error), &[Code::REQUIREMENT_MISSING]),
    }
}

async fn the_context_is_the_same_everywhere(session: &mut dyn Session, host: &Arc<Recorder>) {
    call(session, "forms", host).await.expect("a logger takes every form");
    assert_eq!(
        host.taken(),
        [
            r#"log["info","hello bob {\"a\":1}"]"#,
            r#"log["info","made 2 of {all} {\"zone\":\"a\"}"]"#,
            r#"log["error","in 7"]"#,
            r#"log["debug","lazy 1"]"#,
            r#"log["warn","{\"b\":2}"]"#
        ]
    );
    call(session, "prints", host).await.expect("a console takes every form");
    assert_eq!(
        host.taken(),
        [
            r#"log["info","a is 1 of 2, 0.5; { b: 1 } 100% more { c: 2 }"]"#,
            r#"log["debug","100%"]"#,
            r#"log["warn","%s"]"#,
            r#"log["error","x {y} { y: 1 } null"]"#,
            r#"log["info","%x 1 NaN"]"#,
            r#"log["info","{ a: 1 } b"]"#,
            r#"log["info","Map(1) { \"a\" => [ 1 ] } Set(0) {} /x/g Uint8Array(2) [ 1, 2 ] 5n Symbol(s) -0 undefined 1970-01-01T00:00:00.000Z"]"#,
            r#"log["info","[ 1, undefined, <1 empty item>, \"x\" ] { f: [Function: f], u: undefined, g: [Getter], Symbol(q): null } Zone { name: \"z\" }"]"#,
            r#"log["info","{ deep: { a: { b: { c: { d: [Object] } } } }, again: [Circular] } [class Zone] [Object: null prototype] {}"]"#,
            r#"log["error","{ err: Error: inner } TypeError: boom; caused by Error: root"]"#,
            r#"log["error","x {\"err\":\"Error: inner; caused by root\"}"]"#,
            r#"log["error","Assertion failed: of one"]"#,
            r#"log["error","Assertion failed"]"#,
            r#"log["info","{ a: 1 }"]"#
        ],
        "as the console of Deno prints them, but in one line each"
    );
    let value = call(session, "repositories", host).await.expect("repositories are there");
    let refused = "the file `i` is written already; a writer writes one version; the global argument `raw` has no value: ${{ x }}";
    assert_eq!(
        value.to_string(),
        format!(
            r#"["@Acme/zone","@acme/zone",true,[1,2],[0,159,146],"resource",false,1785578400000,"/data/m/n/2",{{"to":"b"}},"h","{refused}"]"#
        )
    );
    assert_eq!(
        host.taken(),
        [
            r#"log["info","before"]"#,
            r#"data.listVersions["@acme/zone","m","n"]"#,
            r#"data.getContent["@acme/zone","m","n",2]"#,
            r#"data.findByName["text","m","n"]"#,
            r#"data.contentPath["@acme/zone","m","n",2]"#,
            r#"definition.findByNameGlobal["d"]"#,
            r#"writeFile["f","i","one\n",null]"#
        ],
        "what is answered at once comes after what was said before"
    );
}

async fn a_report_has_a_context_of_its_own(session: &mut dyn Session, host: &Arc<Recorder>) {
    let path = |names: &[&str]| Json::Array(names.iter().map(|name| Json::from(*name)).collect());
    let global =
        Json::Array(vec![path(&["pw"]), path(&["deep", "pw"]), path(&["deep", "none"]), path(&["gone", "pw"])]);
    let told = |more: Vec<(&'static str, Json)>| {
        let always = [("scope", Json::from("model")), ("executionStatus", Json::from("succeeded"))];
        let path = ["methods", "told", "execute"].map(str::to_owned).to_vec();
        let context = Json::object(always.into_iter().chain(more));
        Call { takes: Takes::ReportContext, ..unchecked_call(path, Json::Null, context) }
    };
    let sensitive = Json::object([("global", global), ("method", Json::Array(Vec::new()))]);
    let of_model = told(vec![("modelType", Json::from("@acme/zone")), ("sensitive", sensitive)]);
    let report = session.call(of_model, host.clone()).await.expect("a report is made");
    let given = r#"{"pw":"s","deep":{"pw":"t","none":null},"host":"h"}"#;
    let masked = r#"{"pw":"***","deep":{"pw":"***","none":null},"host":"h"}"#;
    assert_eq!(
        report.to_string(),
        format!(
            r#"{{"markdown":"@acme/zone succeeded 1,2 object","json":{{"shown":[{masked},{given},{given}],"absent":[],"more":0,"file":"function"}}}}"#
        )
    );
    assert_eq!(
        host.taken(),
        [
            r#"log["info","told of model"]"#,
            r#"data.listVersions["@acme/zone","m","n"]"#,
            r#"definition.findByNameGlobal["d"]"#
        ]
    );
    let report = session.call(told(Vec::new()), host.clone()).await.expect("a report about a workflow is made");
    let text = report.to_string();
    assert!(text.contains(r#""file":"undefined""#) && text.contains(&format!("[{given},{given},{given}]")), "{text}");
    host.taken();
}

async fn members_of_what_a_function_gives_are_called(runner: &dyn MethodRunner, host: &Arc<Recorder>) {
    let mut session = open(runner, CODE).await.expect("a model opens");
    let mut ask = async |vault: &str, name: &str, arguments: &[&str]| {
        let config = Json::object([("key", Json::from("from the configuration"))]);
        let made = Json::Array(vec![Json::from(vault), config]);
        let arguments = arguments.iter().map(|argument| Json::from(*argument)).collect();
        let takes = Takes::Member(Member { name: name.to_owned(), arguments });
        let path = vec!["createProvider".to_owned()];
        session.call(Call { takes, ..unchecked_call(path, made, Json::Null) }, host.clone()).await
    };
    assert_eq!(ask("v", "get", &["key"]).await, Ok(Json::from("from the configuration")));
    assert_eq!(ask("v", "get", &["none"]).await, Ok(Json::Null));
    assert_eq!(ask("v", "put", &["a", "b"]).await, Ok(Json::from("b")), "functions keep their object");
    assert_eq!(ask("v", "get", &["a"]).await, Ok(Json::from("b")), "what was made is kept");
    assert_eq!(ask("v", "get", &["made"]).await, Ok(Json::from(1)));
    assert_eq!(ask("w", "get", &["made"]).await, Ok(Json::from(2)), "other arguments make another one");
    assert_fault(ask("v", "delete", &["a"]).await, &[Code::UNKNOWN_METHOD]);
    assert_fault(ask("v", "name", &[]).await, &[Code::UNKNOWN_METHOD]);
    for _ in 0..2 {
        let error = ask("broken", "get", &["a"]).await.expect_err("a throw is an error");
        assert!(matches!(&error, RunError::Threw { message, .. } if message.contains("no such vault")), "{error:?}");
    }
    assert_eq!(ask("v", "get", &["key"]).await, Ok(Json::from("from the configuration")));
    drop(session);
    drivers::drivers(runner).await;
}

#[track_caller]
fn assert_fault(result: Result<Json, RunError>, codes: &[Code]) {
    match result {
        Err(RunError::Fault(fault)) => assert!(codes.contains(&fault.code), "{fault:?}"),
        other => panic!("expected one of {codes:?}, found {other:?}"),
    }
}

async fn open(runner: &dyn MethodRunner, code: &str) -> Result<Box<dyn Session>, RunError> {
    let bundle = LoadedBundle { code: code.into(), vendor_files: Vec::new() };
    runner.open(open_model(bundle)).await
}

async fn call(session: &mut dyn Session, method: &str, host: &Arc<Recorder>) -> Result<Json, RunError> {
    let path = ["methods", method, "execute"].map(str::to_owned);
    let args = Json::object([("n", Json::from(2))]);
    let raw = Json::object([("raw", Json::from("${{ x }}"))]);
    let context = Json::object([
        ("modelId", Json::from("m")),
        ("modelType", Json::from("@Acme/zone")),
        ("globalArgs", Json::object([("host", Json::from("h"))])),
        ("unresolvedGlobalArgs", raw),
    ]);
    let schema = ["methods", method, "arguments"].map(str::to_owned).to_vec();
    let call = Call { schema, ..unchecked_call(path.to_vec(), args, context) };
    session.call(call, host.clone()).await
}

/// A host that writes down what it is asked.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl MethodHost for Recorder {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        if call.function == "readResource" {
            return Err("there is none".to_owned());
        }
        let text =
            |members: &[(&str, &str)]| Json::object(members.iter().map(|(name, value)| (*name, Json::from(*value))));
        let answer = match call.function.as_str() {
            "data.listVersions" => Json::Array(vec![Json::from(1), Json::from(2)]),
            "data.getContent" => text(&[("base64", "AJ+S")]),
            "data.contentPath" => Json::from("/data/m/n/2/raw"),
            "data.findByName" => Json::object([
                ("tags", text(&[("type", "resource")])),
                ("createdAt", Json::from("2026-08-01T10:00:00.000Z")),
            ]),
            "definition.findByNameGlobal" => Json::object([
                ("type", Json::from("@acme/zone")),
                ("methods", Json::object([("go", Json::object([("arguments", text(&[("to", "b")]))]))])),
            ]),
            _ => Json::Null,
        };
        let line = format!("{}{}", call.function, Json::Array(call.arguments));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(answer)
    }
}

/// Errors that others led to, and what a stack begins with.
const ERRORS: &str = "const far = new RangeError('far away');
    export const model = { methods: {
        caused: { execute: () => { throw new Error('outer', { cause: new TypeError('the reason', { cause: far }) }); } },
        told: { execute: () => { throw new Error('outer: far away', { cause: far }); } },
        several: { execute: () => Promise.any([1, 2, 3, 4].map((n) => Promise.reject(new Error(`no ${n}`)))) },
        round: { execute: () => { const error = new Error('round'); error.cause = error; throw error; } },
        text: { execute: () => { throw new Error('outer', { cause: 'a text' }); } },
        stack: { execute: () => {
            class Own extends Error { name = 'OwnError'; }
            const made = new Own('full');
            try { null.x; } catch (error) { return [new Error('disk full').stack, made.stack, error.stack].map((it) => it.split('\\n')[0]); }
        } },
    } };";

async fn variables_are_given_as_they_are_granted(runner: &dyn MethodRunner, host: &Arc<Recorder>) {
    let mut request = open_model(LoadedBundle { code: CODE.into(), vendor_files: Vec::new() });
    request.grantee.grants = Grants::from([(Permission::Env, Grant::Only(vec!["HOME".to_owned()]))]);
    request.grantee.variables = BTreeMap::from([("HOME".to_owned(), "/nowhere/a".to_owned())]);
    let mut granted = runner.open(request).await.expect("a model opens");
    let value = call(&mut *granted, "home", host).await.expect("what is granted is given");
    assert_eq!(value.to_string(), r#"["/nowhere/a",null,"/nowhere/a"]"#, "an absent NODE_ENV is no refusal");
    let value = call(&mut *granted, "choosing", host).await.expect("what packages choose by refuses nobody");
    assert_eq!(value, Json::from(",,,,,,,"));
    assert_fault(call(&mut *granted, "token", host).await, &[Code::PERMISSION_DENIED]);
}

async fn errors_say_what_led_to_them(runner: &dyn MethodRunner, host: &Arc<Recorder>) {
    let mut session = open(runner, ERRORS).await.expect("a model opens");
    for (method, expected) in [
        ("caused", "Error: outer; caused by TypeError: the reason; caused by RangeError: far away"),
        ("told", "Error: outer: far away"),
        ("several", "AggregateError; Error: no 1; Error: no 2; Error: no 3; and 1 more"),
        ("round", "Error: round"),
        ("text", "Error: outer; caused by a text"),
    ] {
        let error = call(&mut *session, method, host).await.expect_err("a throw is an error");
        let RunError::Threw { message, .. } = error else { panic!("{method}: {error:?}") };
        // Not every engine says in its own words what `Promise.any` says.
        assert_eq!(message.replace(": All promises were rejected", ""), expected, "{method}");
    }
    let value = call(&mut *session, "stack", host).await.expect("stacks are texts");
    let first: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    assert_eq!(first[0], "Error: disk full", "a stack begins with what was thrown");
    // A name that is given later is in it only where it is put together when it is read.
    assert!(["Error: full", "OwnError: full"].contains(&first[1]), "{first:?}");
    assert!(first[2].starts_with("TypeError: ") && first[2].len() > 11, "{first:?}");
}
