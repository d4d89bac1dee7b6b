//! What every [`MethodRunner`] whose code may reach the network must do with `fetch`.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    permission::{Grant, Permission},
    ports::{Call, HostCall, MethodHost, MethodRunner, RunError, Session},
    problem::Code,
};
use tokio::sync::Notify;

use super::drivers::a_driver_is_told_to_end;
use crate::{
    requests::{open_model, unchecked_call},
    web_server::WebServer,
};

/// What a method does, and what it gives as JSON text. `base` is a server that is granted; `other` is the same one by a name
/// that is not; `caught` gives the name and the message of what is thrown.
const CASES: &[(&str, &str)] = &[
    (
        "const r = await fetch(base + '/hello#part');
         return [r.status, r.statusText, r.ok, r.url === base + '/hello', r.redirected, r.type, r.bodyUsed, await r.text(), r.bodyUsed];",
        r#"[201,"Created",true,true,false,"basic",false,"hi",true]"#,
    ),
    (
        "const { headers } = await fetch(base + '/hello');
         return [headers.get('X-A'), headers.has('x-b'), headers.get('x-b'), headers.getSetCookie(), [...headers.keys()].sort().join()];",
        r#"["1, 2",false,null,["a=1","b=2"],"connection,content-length,content-type,set-cookie,set-cookie,x-a"]"#,
    ),
    (
        "const r = await fetch(base + '/status/404'); return [r.ok, r.status, await r.text()];",
        r#"[false,404,""]"#,
    ),
    ("const r = await fetch(base + '/status/204'); return [r.status, r.body];", "[204,null]"),
    ("const r = await fetch(base + '/hello', { method: 'HEAD' }); return [r.status, r.body, await r.text()];", r#"[201,null,""]"#),
    (
        "return (await fetch(base + '/echo', { method: 'post', body: 'é', headers: { 'X-My': 'a' } })).json();",
        r#"{"body":"é","headers":["content-length: 2","content-type: text/plain;charset=UTF-8","x-my: a"],"method":"POST"}"#,
    ),
    (
        "const sent = async (method, body) => (await (await fetch(base + '/echo', { method, body })).json()).headers.join();
         return [await sent('POST'), await sent('PUT'), await sent('post', ''), await sent('DELETE')];",
        r#"["content-length: 0","content-length: 0","content-length: 0,content-type: text/plain;charset=UTF-8",""]"#,
    ),
    (
        "return (await fetch(base + '/echo', { method: 'PUT', body: JSON.stringify({ a: 1 }), headers: new Headers([['content-type', 'application/json']]) })).json();",
        r#"{"body":"{\"a\":1}","headers":["content-length: 7","content-type: application/json"],"method":"PUT"}"#,
    ),
    (
        "return (await fetch(base + '/echo', { method: 'POST', body: new URLSearchParams({ a: '1 2', b: 'ä' }) })).json();",
        r#"{"body":"a=1+2&b=%C3%A4","headers":["content-length: 14","content-type: application/x-www-form-urlencoded;charset=UTF-8"],"method":"POST"}"#,
    ),
    (
        "const { body } = await (await fetch(base + '/echo', { method: 'POST', body: new Uint8Array([104, 105]) })).json(); return body;",
        r#""hi""#,
    ),
    (
        r#"const form = new FormData(); form.append('a', 'x\ny'); form.append('f', new Blob(['q'], { type: 'text/plain' }), 'n".txt');
         const { body, headers } = await (await fetch(base + '/echo', { method: 'POST', body: form })).json();
         const boundary = headers.find((line) => line.startsWith('content-type')).split('boundary=')[1];
         return body.replaceAll(boundary, 'B').replaceAll('\r\n', '|');"#,
        r#""--B|Content-Disposition: form-data; name=\"a\"||x|y|--B|Content-Disposition: form-data; name=\"f\"; filename=\"n%22.txt\"|Content-Type: text/plain||q|--B--""#,
    ),
    (
        "const r = await fetch(new Request(base + '/echo', { method: 'POST', body: 'q' }), { headers: { 'x-my': 'y' } }); return r.json();",
        r#"{"body":"q","headers":["content-length: 1","x-my: y"],"method":"POST"}"#,
    ),
    (
        "const r = await fetch(new URL(base.replace('//', '//u:p@') + '/echo')); const { headers } = await r.json(); return headers;",
        r#"["authorization: Basic dTpw"]"#,
    ),
    (
        "const r = await fetch(base + '/redirect/302//echo', { method: 'POST', body: 'b', headers: { authorization: 'k' } });
         return [r.redirected, r.url === base + '/echo', await r.json()];",
        r#"[true,true,{"body":"","headers":["authorization: k"],"method":"GET"}]"#,
    ),
    (
        "const r = await fetch(base + '/redirect/307//echo', { method: 'POST', body: 'b' }); return (await r.json()).method + r.redirected;",
        r#""POSTtrue""#,
    ),
    (
        "const r = await fetch(base + '/redirect/301//echo', { redirect: 'manual' }); return [r.status, r.headers.get('location'), r.redirected];",
        r#"[301,"/echo",false]"#,
    ),
    (
        "return caught(() => fetch(base + '/redirect/301//echo', { redirect: 'error' }));",
        r#"["TypeError","Fetch failed: Encountered redirect while redirect mode is set to 'error'"]"#,
    ),
    (
        "return caught(() => fetch(base + '/redirect/302/ftp://nowhere'));",
        r#"["TypeError","Fetch failed: Can not redirect to a non HTTP(s) url"]"#,
    ),
    (
        "const at = base + '/redirect/302/'; return caught(() => fetch(at + '/redirect/302/'.repeat(30) + '/echo'));",
        r#"["TypeError","Fetch failed: Maximum number of redirects (20) reached"]"#,
    ),
    ("return (await (await fetch(base + '/gzip')).text()).length;", "1100"),
    ("const r = await fetch(base + '/gzip'); return [r.headers.get('content-encoding'), Number(r.headers.get('content-length')) < 100];", r#"["gzip",true]"#),
    ("return (await (await fetch(base + '/large/3000000')).arrayBuffer()).byteLength;", "3000000"),
    (
        "let length = 0; let parts = 0; for await (const part of (await fetch(base + '/large/3000000')).body) { length += part.length; parts += 1; }
         return [length, parts > 1];",
        "[3000000,true]",
    ),
    (
        "const decoder = new TextDecoder(); let text = ''; for await (const part of (await fetch(base + '/parts')).body) text += decoder.decode(part, { stream: true });
         return text;",
        r#""one ä two three""#,
    ),
    (
        "const reader = (await fetch(base + '/slow')).body.getReader(); const { value, done } = await reader.read(); await reader.cancel();
         return [new TextDecoder().decode(value), done];",
        r#"["begun",false]"#,
    ),
    (
        "const r = await fetch(base + '/hello'); const copy = r.clone(); return [await r.text(), await copy.text(), (await (await fetch(base + '/hello')).bytes()).length];",
        r#"["hi","hi",2]"#,
    ),
    (
        "const blob = await (await fetch(base + '/hello')).blob(); return [blob.size, blob.type, await blob.text()];",
        r#"[2,"text/plain;charset=utf-8","hi"]"#,
    ),
    (
        "const r = await fetch(base + '/hello'); await r.text(); return caught(() => r.json());",
        r#"["TypeError","Body already consumed"]"#,
    ),
    ("return (await caught(async () => (await fetch(base + '/hello')).json()))[0];", r#""SyntaxError""#),
    ("return (await caught(async () => (await fetch(base + '/broken')).text()))[0];", r#""TypeError""#),
    (
        "return (await Promise.all(['/hello', '/gzip', '/parts', '/large/70000'].map(async (path) => (await (await fetch(base + path)).text()).length))).join();",
        r#""2,1100,15,70000""#,
    ),
    (
        "const all = Array.from({ length: 50 }, async () => (await fetch(base + '/hello')).text()); return (await Promise.all(all)).join('').length;",
        "100",
    ),
    (
        "return caught(() => fetch(base + '/silent', { signal: AbortSignal.abort(new Error('mine')) }));",
        r#"["Error","mine"]"#,
    ),
    (
        "const stop = new AbortController(); setTimeout(() => stop.abort(), 50); return (await caught(() => fetch(base + '/silent', { signal: stop.signal })))[0];",
        r#""AbortError""#,
    ),
    ("return (await caught(() => fetch(base + '/silent', { signal: AbortSignal.timeout(50) })))[0];", r#""TimeoutError""#),
    (
        "const r = await fetch(base + '/slow', { signal: AbortSignal.timeout(100) }); return [r.status, (await caught(() => r.text()))[0]];",
        r#"[200,"TimeoutError"]"#,
    ),
    ("return caught(() => fetch('ftp://nowhere/'));", r#"["TypeError","Url scheme 'ftp' not supported"]"#),
    ("return caught(() => fetch('/hello'));", r#"["TypeError","Invalid URL: '/hello'"]"#),
    (
        "return caught(() => fetch(base, { body: 'x' }));",
        r#"["TypeError","Request with GET/HEAD method cannot have body"]"#,
    ),
    ("return caught(() => fetch(base, { method: 'CONNECT' }));", r#"["TypeError","Method is forbidden"]"#),
    ("return caught(() => fetch(base, { headers: { 'a b': 'x' } }));", r#"["TypeError","Invalid header name: \"a b\""]"#),
    ("return caught(() => fetch('http://127.0.0.1:1/'));", r#"["TypeError","Fetch failed: Requests to port 1 are blocked"]"#),
    (
        "const r = await fetch('data:text/plain;charset=utf-8,a%20b'); const coded = await fetch('data:;base64,YWI=');
         return [r.status, r.headers.get('content-type'), await r.text(), coded.headers.get('content-type'), await coded.text()];",
        r#"[200,"text/plain;charset=utf-8","a b","text/plain;charset=US-ASCII","ab"]"#,
    ),
    (
        "const r = Response.json({ a: 1 }, { status: 202 }); const copy = new Response('x', { headers: { a: 'b' } });
         return [r.status, r.headers.get('content-type'), await r.json(), [...copy.headers], copy.type, Response.error().type];",
        r#"[202,"application/json",{"a":1},[["a","b"],["content-type","text/plain;charset=UTF-8"]],"default","error"]"#,
    ),
    (
        "const h = new Headers([['b', '2'], ['A', ' 1 '], ['a', '3']]); h.append('c', 'x'); h.delete('b'); h.set('C', 'y');
         return [[...h], h.has('A'), `${h}`, h instanceof Headers];",
        r#"[[["a","1, 3"],["c","y"]],true,"[object Headers]",true]"#,
    ),
    (
        "const s = new ReadableStream({ start(c) { c.enqueue('a'); c.enqueue('b'); c.close(); } }); const [x, y] = s.tee(); const all = [];
         for await (const part of x) all.push(part); for await (const part of y) all.push(part); return [all.join(''), s.locked];",
        r#"["abab",true]"#,
    ),
    (
        "const r = new Request(base, { method: 'POST', body: 'q', headers: { a: 'b' } }); const copy = r.clone();
         return [r.method, r.redirect, r.signal.aborted, await copy.text(), r.bodyUsed, await r.text(), r.bodyUsed];",
        r#"["POST","follow",false,"q",false,"q",true]"#,
    ),
];

/// The contract of `fetch` for a [`MethodRunner`]. Its code may be granted the network.
///
/// # Panics
/// If the implementation breaks the contract, or no port is free.
pub async fn method_runner_fetch(make: &(dyn Fn() -> Box<dyn MethodRunner> + Sync)) {
    let server = WebServer::start().expect("a port is free");
    let runner = make();
    let methods: Vec<String> =
        CASES.iter().enumerate().map(|(index, (body, _))| method(&format!("case{index}"), body)).collect();
    let code = code(&methods);
    let mut session = open(&*runner, &server, &code).await;
    let host = Arc::new(Lines::default());
    let mut different = Vec::new();
    for (index, (body, expected)) in CASES.iter().enumerate() {
        let found = match call(&mut *session, &server, &format!("case{index}"), &host).await {
            Ok(value) => value.to_string(),
            Err(error) => format!("fails: {error}"),
        };
        if value_of(&found) != value_of(expected) {
            different.push(format!("{body}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!(host.taken(), [""; 0], "nothing was refused");
    drop(session);
    nobody_answers(&*runner, &server).await;
    what_is_not_granted_is_refused_at_every_hop(&*runner, &server).await;
    a_call_that_is_to_end_ends_its_requests(&*runner, &server).await;
    a_driver_is_told_to_end(&*runner).await;
}

async fn nobody_answers(runner: &dyn MethodRunner, server: &WebServer) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let free = free.expect("a port is free");
    let body = format!(
        "try {{ await fetch('http://{free}/x'); return 'answered'; }} catch (error) {{
            const told = `${{error.message}} ${{error.cause}}`;
            return [error.name, error instanceof TypeError, error.message.startsWith('fetch failed'), told.includes('{free}'), /refused/i.test(told)];
        }}"
    );
    let mut request = open_model(bundle(&code(&[method("run", &body)])));
    request.grantee.grants.insert(Permission::Net, Grant::All);
    let mut session = runner.open(request).await.expect("a model opens");
    let value = call(&mut *session, server, "run", &Arc::default()).await.expect("an error is caught");
    assert_eq!(value.to_string(), r#"["TypeError",true,true,true,true]"#, "the error names host and cause");
}

async fn what_is_not_granted_is_refused_at_every_hop(runner: &dyn MethodRunner, server: &WebServer) {
    let methods = [
        method("direct", "return (await fetch(other + '/hello')).status;"),
        method(
            "led",
            "return (await fetch(`${base}/redirect/302/${other}/echo`, { headers: { authorization: 'k' } })).status;",
        ),
        method("own", "try { await fetch(other); } catch (error) { throw new Error(`in vain: ${error.message}`); }"),
        method(
            "caught",
            "for (const path of ['/a', '/b']) try { await fetch(other + path); } catch (error) { ctx.logger.info(error.name); } return 'went on';",
        ),
    ];
    let code = code(&methods);
    let host = Arc::new(Lines::default());
    let mut session = open(runner, server, &code).await;
    let port = server.port();
    let _ = server.asked();
    for name in ["direct", "led", "own"] {
        match call(&mut *session, server, name, &host).await {
            Err(RunError::Fault(fault)) => {
                assert_eq!(fault.code, Code::PERMISSION_DENIED, "{name}: {fault}");
                assert_eq!(&*fault.cause.0, format!("permission:net:localhost:{port}"), "{name}");
                let entry =
                    format!(r#"permissions: {{ "@acme/a": {{ net: ["127.0.0.1:{port}", "localhost:{port}"] }} }}"#);
                assert!(fault.message.contains(&entry), "{name}: {fault}");
            }
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(host.taken(), [""; 0], "{name}: what the failure tells is not told again");
    }
    let value = call(&mut *session, server, "caught", &host).await.expect("the code goes on");
    assert_eq!(value, Json::from("went on"));
    let lines = host.taken();
    assert_eq!(lines[..2], ["NotCapable", "NotCapable"], "{lines:?}");
    let warning = "refused, and the code went on: a.ts asks for `net` \"localhost:";
    assert!(lines.len() == 3 && lines[2].starts_with(warning), "once for one host: {lines:?}");
    let asked = server.asked();
    assert!(asked.len() == 1 && asked[0].starts_with("GET /redirect/302/"), "nobody else was asked: {asked:?}");

    let mut request = open_model(bundle(&code));
    request.grantee.grants.insert(Permission::Net, Grant::All);
    let mut session = runner.open(request).await.expect("a model opens");
    let status = call(&mut *session, server, "led", &host).await.expect("everything is granted");
    assert_eq!(status, Json::from(200));
    assert_eq!(server.asked().last().map(String::as_str), Some("GET /echo at localhost"));
}

async fn a_call_that_is_to_end_ends_its_requests(runner: &dyn MethodRunner, server: &WebServer) {
    let body = "const found = await caught(() => fetch(base + '/silent', { signal: ctx.signal })); return found[0];";
    let mut session = open(runner, server, &code(&[method("run", body)])).await;
    let host = Arc::new(Ending::default());
    let ending = Arc::clone(&host);
    let path = ["methods", "run", "execute"].map(str::to_owned).to_vec();
    let calling = session.call(unchecked_call(path, arguments(server), Json::Object(Vec::new())), host);
    let _ = server.asked();
    let telling = async {
        while server.asked().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        ending.0.notify_one();
    };
    let (outcome, ()) = tokio::join!(calling, telling);
    assert_eq!(outcome.expect("the code ends"), Json::from("AbortError"));
}

fn method(name: &str, body: &str) -> String {
    format!("{name}: {{ execute: async ({{ base, other }}, ctx) => {{ {body} }} }}")
}

fn code(methods: &[String]) -> String {
    format!(
        "const caught = async (work) => {{ try {{ return await work(); }} catch (error) {{ return [error.name, error.message]; }} }};
         export const model = {{ methods: {{ {} }} }};",
        methods.join(",\n")
    )
}

fn bundle(code: &str) -> LoadedBundle {
    LoadedBundle { code: code.into(), vendor_files: Vec::new() }
}

/// Opens a model that is granted the server by its address.
async fn open(runner: &dyn MethodRunner, server: &WebServer, code: &str) -> Box<dyn Session> {
    let mut request = open_model(bundle(code));
    let granted = vec![format!("127.0.0.1:{}", server.port())];
    request.grantee.grants.insert(Permission::Net, Grant::Only(granted));
    request.requirements = vec!["fetch".to_owned()];
    runner.open(request).await.expect("a model opens")
}

fn arguments(server: &WebServer) -> Json {
    let other = format!("http://localhost:{}", server.port());
    Json::object([("base", Json::from(server.url())), ("other", Json::from(other))])
}

async fn call(
    session: &mut dyn Session,
    server: &WebServer,
    method: &str,
    host: &Arc<Lines>,
) -> Result<Json, RunError> {
    let path = ["methods", method, "execute"].map(str::to_owned).to_vec();
    let call: Call = unchecked_call(path, arguments(server), Json::Object(Vec::new()));
    session.call(call, host.clone()).await
}

/// The value of JSON text, whatever the order of members is; of other text, the text.
fn value_of(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A host that keeps what was logged.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Lines {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl MethodHost for Lines {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        let line = call.arguments.get(1).and_then(Json::as_str).unwrap_or_default().to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(Json::Null)
    }
}

/// A host that ends the call when it is told to.
#[derive(Default)]
struct Ending(Notify);

#[async_trait]
impl MethodHost for Ending {
    async fn call(&self, _call: HostCall) -> Result<Json, String> {
        Ok(Json::Null)
    }

    async fn cancelled(&self) {
        self.0.notified().await;
    }
}
