//! `fetch` of the embedded engine, where it differs from that of Deno or where the pool is concerned.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    failure::Fault,
    json::Json,
    permission::{Grant, Permission},
    ports::{HostCall, MethodHost, MethodRunner as _, RunError, Session},
    problem::Code,
};
use mangrove_infra::{
    web::WebClient,
    worker::{Pool, PoolOptions},
};
use mangrove_testkit::{
    requests::{open_model, unchecked_call},
    web_server::WebServer,
};

use crate::support::{SHORT, Test, block_on, options, until};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("what_fetch_cannot_do_is_named", what_fetch_cannot_do_is_named),
        ("fetch_needs_somebody_who_sends", fetch_needs_somebody_who_sends),
        ("the_host_hears_that_something_is_sent", the_host_hears_that_something_is_sent),
        ("a_call_that_is_given_up_leaves_its_requests", a_call_that_is_given_up_leaves_its_requests),
        ("a_call_that_has_ended_leaves_its_requests", a_call_that_has_ended_leaves_its_requests),
        ("giving_up_a_request_fails_no_call", giving_up_a_request_fails_no_call),
        ("waiting_for_an_answer_is_a_part_of_the_call", waiting_for_an_answer_is_a_part_of_the_call),
        ("a_large_body_is_held_in_parts", a_large_body_is_held_in_parts),
        ("requests_take_the_way_of_the_environment", requests_take_the_way_of_the_environment),
        ("certificates_that_cannot_be_read_are_named", certificates_that_cannot_be_read_are_named),
        ("a_connection_that_is_dropped_when_it_is_used_again_is_replaced", dropped_connections),
    ]
}

fn connected(environment: &[(&str, &str)]) -> PoolOptions {
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    PoolOptions { web: Some(Arc::new(WebClient::new(&environment))), ..options(2) }
}

async fn open(pool: &Pool, body: &str) -> Box<dyn Session> {
    let code = format!("export const model = {{ run: async (base) => {{ {body} }} }};");
    let mut request = open_model(LoadedBundle { code: code.into(), vendor_files: Vec::new() });
    request.grantee.grants.insert(Permission::Net, Grant::All);
    pool.open(request).await.unwrap()
}

/// Counts what it hears of.
#[derive(Default)]
struct Counter(AtomicUsize);

#[async_trait]
impl MethodHost for Counter {
    async fn call(&self, _call: HostCall) -> Result<Json, String> {
        Ok(Json::Null)
    }

    fn sends_request(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn call(session: &mut dyn Session, base: &str, host: &Arc<Counter>) -> Result<Json, RunError> {
    session.call(unchecked_call(vec!["run".to_owned()], Json::from(base), Json::Object(Vec::new())), host.clone()).await
}

async fn run(pool: &Pool, base: &str, body: &str) -> Result<Json, RunError> {
    let mut session = open(pool, body).await;
    call(session.as_mut(), base, &Arc::default()).await
}

fn fault(outcome: Result<Json, RunError>) -> Fault {
    match outcome {
        Err(RunError::Fault(fault)) => fault,
        other => panic!("no fault: {other:?}"),
    }
}

fn what_fetch_cannot_do_is_named() {
    block_on(async {
        let server = WebServer::start().unwrap();
        let pool = Pool::new(connected(&[]));
        for (body, name) in [
            ("await fetch(base + '/brotli')", "an answer that is compressed with br"),
            ("await fetch('file:///etc/hosts')", "fetch of file: addresses"),
            ("await fetch(base, { method: 'POST', body: new ReadableStream() })", "fetch with a stream as its body"),
            ("await fetch(base, { client: {} })", "fetch with a client of its own"),
            (
                "await new Response('x', { headers: { 'content-type': 'multipart/form-data; boundary=b' } }).formData()",
                "formData()",
            ),
            ("(await fetch(base + '/hello')).body.pipeThrough(1)", "ReadableStream.pipeThrough"),
            ("(await fetch(base + '/hello')).body.getReader({ mode: 'byob' })", "a reader of a ReadableStream"),
            ("try { await fetch('file:///x'); } catch (cause) { throw new Error('own words', { cause }); }", "file:"),
        ] {
            let fault = fault(run(&pool, &server.url(), body).await);
            assert_eq!(fault.code, Code::REQUIREMENT_MISSING, "{body}: {fault}");
            assert!(fault.message.contains(name), "{body}: {fault}");
        }
    });
}

fn fetch_needs_somebody_who_sends() {
    block_on(async {
        let fault = fault(run(&Pool::new(options(1)), "http://127.0.0.1", "return fetch(base);").await);
        assert_eq!((fault.code, &*fault.cause.0), (Code::REQUIREMENT_MISSING, "engine:fetch"));
        // While a module loads, nobody sends anything either.
        let code = "const found = await fetch('http://127.0.0.1/'); export const model = { found };";
        let bundle = LoadedBundle { code: code.into(), vendor_files: Vec::new() };
        let opened = Pool::new(connected(&[])).open(open_model(bundle)).await;
        let Err(RunError::Fault(fault)) = opened else { panic!("it opened") };
        assert_eq!((fault.code, &*fault.cause.0), (Code::REQUIREMENT_MISSING, "engine:fetch"));
    });
}

fn the_host_hears_that_something_is_sent() {
    block_on(async {
        let server = WebServer::start().unwrap();
        let pool = Pool::new(connected(&[]));
        for (body, is_sent) in [
            ("return (await fetch(base + '/hello')).status;", true),
            ("try { await fetch('http://127.0.0.1:1/'); } catch {}", false),
            ("await (await fetch('data:,x')).text();", false),
            ("return 1;", false),
        ] {
            let host = Arc::new(Counter::default());
            let mut session = open(&pool, body).await;
            call(session.as_mut(), &server.url(), &host).await.unwrap();
            assert_eq!(host.0.load(Ordering::Relaxed) > 0, is_sent, "{body}");
        }
    });
}

fn a_call_that_is_given_up_leaves_its_requests() {
    block_on(async {
        let server = WebServer::start().unwrap();
        let pool = Pool::new(connected(&[]));
        let mut session = open(&pool, "await fetch(base + '/silent');").await;
        let (url, host) = (server.url(), Arc::default());
        let calling = call(session.as_mut(), &url, &host);
        let asked = until("the server is asked", || server.asked().iter().any(|line| line.starts_with("GET /silent")));
        tokio::select! {
            outcome = calling => panic!("it ended: {outcome:?}"),
            () = asked => {}
        }
        drop(session);
        until("the connection is closed", || server.asked().iter().any(|line| line == "left /silent")).await;
    });
}

fn a_call_that_has_ended_leaves_its_requests() {
    block_on(async {
        let server = WebServer::start().unwrap();
        let pool = Pool::new(connected(&[]));
        let body = "globalThis.kept ??= await fetch(base + '/slow');
            try { if (globalThis.again) return (await kept.text()).length; } catch (error) { return error.message; }
            globalThis.again = true; return 'begun';";
        let mut session = open(&pool, body).await;
        let host = Arc::default();
        assert_eq!(call(session.as_mut(), &server.url(), &host).await.unwrap(), Json::from("begun"));
        until("the connection is closed", || server.asked().iter().any(|line| line == "left /slow")).await;
        let message = call(session.as_mut(), &server.url(), &host).await.unwrap();
        assert_eq!(message, Json::from("fetch: the call that sent this request has ended"));
    });
}

fn giving_up_a_request_fails_no_call() {
    block_on(async {
        let server = WebServer::start().unwrap();
        let pool = Pool::new(connected(&[]));
        for handler in ["throw cause", "throw new Error('own words', { cause })", "throw new Error('own words')"] {
            let body = format!(
                "(async () => {{ try {{ await fetch(base + '/silent'); }} catch (cause) {{ {handler}; }} }})(); return 'fine';"
            );
            assert_eq!(run(&pool, &server.url(), &body).await.unwrap(), Json::from("fine"), "{handler}");
        }
    });
}

fn waiting_for_an_answer_is_a_part_of_the_call() {
    block_on(async {
        let server = WebServer::start().unwrap();
        let mut options = connected(&[]);
        options.time_limits.call = SHORT;
        let fault = fault(run(&Pool::new(options), &server.url(), "await fetch(base + '/silent');").await);
        assert_eq!(fault.code, Code::WORKER_TIMED_OUT, "{fault}");
    });
}

fn a_large_body_is_held_in_parts() {
    block_on(async {
        let server = WebServer::start().unwrap();
        let mut options = connected(&[]);
        options.run_limits.memory_bytes = 16 << 20;
        let pool = Pool::new(options);
        let body = "let length = 0; for await (const part of (await fetch(base + '/large/20000000')).body) length += part.length; return length;";
        assert_eq!(run(&pool, &server.url(), body).await.unwrap(), Json::from(20_000_000));
        let whole = "return (await (await fetch(base + '/large/20000000')).text()).length;";
        let fault = fault(run(&pool, &server.url(), whole).await);
        assert_eq!(fault.code, Code::MEMORY_LIMIT, "{fault}");
    });
}

fn requests_take_the_way_of_the_environment() {
    block_on(async {
        let proxy = WebServer::start().unwrap();
        let pool = Pool::new(connected(&[("HTTP_PROXY", &proxy.url()), ("NO_PROXY", "127.0.0.1")]));
        let status = run(&pool, "http://api.example", "return (await fetch(base + '/hello')).status;").await.unwrap();
        assert_eq!(status, Json::from(404), "the server is asked for a whole address, which it does not know");
        assert_eq!(proxy.asked(), ["GET http://api.example/hello at api.example"]);
        let status = run(&pool, &proxy.url(), "return (await fetch(base + '/hello')).status;").await.unwrap();
        assert_eq!(status, Json::from(201));
        let pool = Pool::new(connected(&[("HTTP_PROXY", "http://me:s3cret@[bad")]));
        let error = run(&pool, "http://api.example", "await fetch(base);").await.unwrap_err().to_string();
        assert!(error.contains("is not a URL such as") && !error.contains("s3cret"), "{error}");
    });
}

fn certificates_that_cannot_be_read_are_named() {
    block_on(async {
        let pool = Pool::new(connected(&[("DENO_CERT", "/nowhere/ca.pem")]));
        let error = run(&pool, "https://127.0.0.1:9/", "await fetch('https://127.0.0.1:8443');").await.unwrap_err();
        assert!(error.to_string().contains("DENO_CERT names /nowhere/ca.pem"), "{error}");
    });
}

/// A server that answers the first request of each connection, and closes it at the second one. It notes the methods.
fn forgetful_server() -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || {
                for is_answered in [true, false] {
                    let mut buffer = [0; 8192];
                    let count = stream.read(&mut buffer).unwrap_or_default();
                    let Some((method, _)) = std::str::from_utf8(&buffer[..count]).unwrap().split_once(' ') else {
                        return;
                    };
                    noted.lock().unwrap().push(method.to_owned());
                    if is_answered {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                    }
                }
            });
        }
    });
    (address, asked)
}

fn dropped_connections() {
    block_on(async {
        let pool = Pool::new(connected(&[]));
        let body = "const told = [];
            for (const method of ['GET', 'GET', 'PUT', 'GET', 'DELETE', 'GET']) {
                const text = fetch(base, { method }).then((answer) => answer.text());
                told.push(await (method === 'GET' ? text : text.catch(() => 'ok')));
            }
            return told.join();";
        let (address, asked) = forgetful_server();
        let told = run(&pool, &format!("http://{address}/"), body).await.unwrap();
        assert_eq!(told, Json::from("ok,ok,ok,ok,ok,ok"));
        let asked = asked.lock().unwrap();
        for method in ["PUT", "DELETE"] {
            let times = asked.iter().filter(|asked| *asked == method).count();
            assert_eq!(times, 1, "what may have been done is not sent again: {asked:?}");
        }
    });
}
