//! A fake npm registry on loopback: serves packages that a test writes down as code, counts what it is asked
//! for, and misbehaves on request.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use rustix::net::shutdown;
use serde_json::{Value, json};

pub use crate::archives::{FakePackage, integrity};
use crate::extensions::{self, FakeExtension, Shelf};

/// How an answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Answers with this status and no useful body.
    Status(u16),
    /// Answers with this status and asks to come back after so many seconds.
    RetryAfter(u16, u32),
    /// Answers with this status at the first date, and asks to come back at the second one. Both are written as HTTP does.
    RetryAt(u16, String, String),
    /// Of metadata: names this address for every archive.
    ArchiveAt(String),
    /// Answers 200 with text that is neither JSON nor an archive.
    Garbage,
    /// Announces the whole body, sends this many bytes of it and closes the connection.
    BreakOff(usize),
    /// Sends only this many bytes of the body, as if that were all.
    CutShort(usize),
    /// Of metadata: promises other digests. Of an archive: sends another, sound one.
    WrongIntegrity,
    /// Reads the request and closes the connection without an answer.
    HangUp,
    /// Reads the request and never answers.
    Stall,
    /// Answers with headers and half of the body, then says no more.
    StallInBody,
}

/// A request that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Decoded path, such as `/@scope/name` or `/zod/-/zod-4.0.0.tgz`.
    pub path: String,
    /// Header names in lower case, and their values.
    pub headers: BTreeMap<String, String>,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
}

#[derive(Debug)]
struct Rule {
    /// `None` for every path.
    path: Option<String>,
    misbehaviour: Misbehaviour,
    /// `None` until healed.
    remaining: Option<u32>,
}

#[derive(Debug, Default)]
struct State {
    packages: BTreeMap<String, BTreeMap<String, FakePackage>>,
    tags: BTreeMap<String, BTreeMap<String, String>>,
    rules: Vec<Rule>,
    requests: Vec<Request>,
    required_token: Option<String>,
    extensions: Shelf,
    open: Vec<TcpStream>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    busy: AtomicUsize,
    busiest: AtomicUsize,
}

/// The registry. Stops when dropped.
#[expect(clippy::module_name_repetitions, reason = "fakes carry the word in their names")]
#[derive(Debug)]
pub struct FakeRegistry {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: Mutex<Option<Listener>>,
}

#[derive(Debug)]
struct Listener {
    thread: JoinHandle<()>,
    stop: Arc<AtomicUsize>,
    socket: Option<TcpListener>,
}

impl FakeRegistry {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is none.
    pub fn start() -> io::Result<Self> {
        Self::start_on(TcpListener::bind("127.0.0.1:0")?, [])
    }

    /// Starts with these packages for whoever comes to this port, which may be one of another network namespace; then it never
    /// comes up again once it went down.
    ///
    /// # Errors
    /// If the port has no address.
    pub fn start_on(listener: TcpListener, packages: impl IntoIterator<Item = FakePackage>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let registry = Self { shared: Arc::default(), address, listener: Mutex::default() };
        packages.into_iter().for_each(|package| registry.publish(package));
        let listening = listen(listener, &registry.shared);
        *registry.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
        Ok(registry)
    }

    /// Its address, such as `http://127.0.0.1:4873/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// `host:port`
    #[must_use]
    pub fn origin(&self) -> String {
        self.address.to_string()
    }

    /// Adds a version, which becomes `latest`.
    pub fn publish(&self, package: FakePackage) {
        let mut state = self.state();
        let tags = state.tags.entry(package.name.clone()).or_default();
        tags.insert("latest".to_owned(), package.version.clone());
        state.packages.entry(package.name.clone()).or_default().insert(package.version.clone(), package);
    }

    /// Adds a version of an extension, which becomes the newest one of its channel.
    pub fn publish_extension(&self, extension: FakeExtension) {
        self.state().extensions.publish(extension);
    }

    /// Sends whoever downloads an extension to this address, such as that of another registry with the same extensions.
    pub fn send_downloads_to(&self, address: &str) {
        self.state().extensions.send_to(address);
    }

    /// Points a distribution tag at a version.
    pub fn tag(&self, name: &str, tag: &str, version: &str) {
        self.state().tags.entry(name.to_owned()).or_default().insert(tag.to_owned(), version.to_owned());
    }

    /// Takes a version away.
    pub fn unpublish(&self, name: &str, version: &str) {
        if let Some(versions) = self.state().packages.get_mut(name) {
            versions.remove(version);
        }
    }

    /// Misbehaves on a path (`None`: on every one), this many times or (`None`) until healed. Rules that were
    /// given earlier come first.
    pub fn misbehave(&self, path: Option<&str>, misbehaviour: Misbehaviour, times: Option<u32>) {
        self.state().rules.push(Rule { path: path.map(str::to_owned), misbehaviour, remaining: times });
    }

    /// Refuses with 401 what does not carry `Authorization: Bearer <token>`.
    pub fn require_token(&self, token: &str) {
        self.state().required_token = Some(token.to_owned());
    }

    /// Behaves well from now on, and is up.
    ///
    /// # Errors
    /// If the port is taken by somebody else meanwhile.
    pub fn heal(&self) -> io::Result<()> {
        {
            let mut state = self.state();
            state.rules.clear();
            state.required_token = None;
        }
        self.come_up()
    }

    /// Refuses connections from now on.
    pub fn go_down(&self) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            listener.stop.store(1, Ordering::SeqCst);
            // Wakes the listener, so that it sees that it shall stop; whoever is in another network cannot connect to it.
            let is_awake = listener.socket.is_some_and(|socket| shutdown(&socket, rustix::net::Shutdown::Both).is_ok());
            if !is_awake {
                drop(TcpStream::connect(self.address));
            }
            let _ = listener.thread.join();
        }
        for stream in self.state().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Accepts connections again.
    ///
    /// # Errors
    /// If the port is taken by somebody else meanwhile.
    pub fn come_up(&self) -> io::Result<()> {
        let mut current = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_none() {
            *current = Some(listen(TcpListener::bind(self.address)?, &self.shared));
        }
        Ok(())
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How often a path was asked for.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|request| request.path == path).count()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.state().requests.clear();
    }

    /// The most requests that were being answered at the same time.
    #[must_use]
    pub fn busiest(&self) -> usize {
        self.shared.busiest.load(Ordering::SeqCst)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared)
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.go_down();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(listener: TcpListener, shared: &Arc<Shared>) -> Listener {
    let stop = Arc::new(AtomicUsize::new(0));
    let (shared, stopped, socket) = (Arc::clone(shared), Arc::clone(&stop), listener.try_clone().ok());
    let thread = std::thread::spawn(move || {
        for stream in listener.incoming() {
            if stopped.load(Ordering::SeqCst) != 0 {
                break;
            }
            let Ok(stream) = stream else { continue };
            let shared = Arc::clone(&shared);
            if let Ok(clone) = stream.try_clone() {
                lock(&shared).open.push(clone);
            }
            std::thread::spawn(move || {
                let _ = converse(&stream, &shared);
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
    Listener { thread, stop, socket }
}

/// Answers the requests of one connection until it ends.
fn converse(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut buffered = Vec::new();
    loop {
        let Some(head) = read_head(stream, &mut buffered)? else { return Ok(()) };
        let busy = shared.busy.fetch_add(1, Ordering::SeqCst) + 1;
        shared.busiest.fetch_max(busy, Ordering::SeqCst);
        let outcome = answer(&head, shared, &local(stream)?);
        let sent = match outcome {
            Outcome::Whole(bytes) => stream.write_all(&bytes).map(|()| true),
            Outcome::ThenClose(bytes) => stream.write_all(&bytes).map(|()| false),
            Outcome::ThenSilence(bytes) => stream.write_all(&bytes).map(|()| {
                // Until the other side gives up or the registry goes down.
                while matches!(stream.read(&mut [0; 256]), Ok(length) if length > 0) {}
                false
            }),
        };
        shared.busy.fetch_sub(1, Ordering::SeqCst);
        if !sent? {
            return Ok(());
        }
    }
}

fn local(stream: &TcpStream) -> io::Result<String> {
    Ok(format!("http://{}", stream.local_addr()?))
}

/// One request's head; `None` at the end of the connection.
fn read_head(mut stream: &TcpStream, buffered: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = buffered.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = buffered.split_off(end + 4);
            let head = std::mem::replace(buffered, rest);
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Ok(None);
        }
        buffered.extend_from_slice(&chunk[..length]);
    }
}

enum Outcome {
    Whole(Vec<u8>),
    ThenClose(Vec<u8>),
    ThenSilence(Vec<u8>),
}

fn answer(head: &str, shared: &Shared, base: &str) -> Outcome {
    let mut lines = head.lines();
    let raw_path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("/");
    let path = raw_path.replace("%2f", "/").replace("%2F", "/").replace("%40", "@");
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut state = lock(shared);
    let misbehaviour = misbehaviour(&mut state.rules, &path);
    let is_archive = path.contains("/-/") || extensions::is_archive(&path);
    let ((status, body), extra) = honest(&state, (raw_path, &path), base, &headers, misbehaviour.as_ref());
    let mut respond = |status: u16, body: &[u8], announced: usize| {
        state.requests.push(Request { path: path.clone(), headers: headers.clone(), status });
        let mut bytes = format!("HTTP/1.1 {status} Fake\r\n{extra}content-length: {announced}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(body);
        bytes
    };
    match misbehaviour {
        None => Outcome::Whole(respond(status, &body, body.len())),
        Some(
            Misbehaviour::Status(status) | Misbehaviour::RetryAfter(status, _) | Misbehaviour::RetryAt(status, _, _),
        ) => Outcome::Whole(respond(status, b"{}", 2)),
        Some(Misbehaviour::ArchiveAt(address)) => {
            let mut document: Value = serde_json::from_slice(&body).unwrap_or_default();
            for version in document["versions"].as_object_mut().into_iter().flat_map(|versions| versions.values_mut()) {
                version["dist"]["tarball"] = Value::from(address.as_str());
            }
            let other = document.to_string().into_bytes();
            Outcome::Whole(respond(200, &other, other.len()))
        }
        Some(Misbehaviour::Garbage) => {
            let text = b"<html>captive portal</html>";
            Outcome::Whole(respond(200, text, text.len()))
        }
        Some(Misbehaviour::BreakOff(length)) => {
            let length = length.min(body.len().saturating_sub(1));
            Outcome::ThenClose(respond(200, &body[..length], body.len()))
        }
        Some(Misbehaviour::CutShort(length)) => {
            let length = length.min(body.len());
            Outcome::Whole(respond(200, &body[..length], length))
        }
        Some(Misbehaviour::WrongIntegrity) => {
            let other = if is_archive {
                FakePackage::new("another", "6.6.6").file("index.js", "export default 666;").archive()
            } else {
                let text = String::from_utf8_lossy(&body);
                text.replace("sha512-", "sha512-AAAA").into_bytes()
            };
            Outcome::Whole(respond(200, &other, other.len()))
        }
        Some(Misbehaviour::HangUp) => {
            respond(0, b"", 0);
            Outcome::ThenClose(Vec::new())
        }
        Some(Misbehaviour::Stall) => {
            respond(0, b"", 0);
            Outcome::ThenSilence(Vec::new())
        }
        Some(Misbehaviour::StallInBody) => Outcome::ThenSilence(respond(200, &body[..body.len() / 2], body.len())),
    }
}

/// What is answered apart from the body's faults: status and body, and lines of the head.
fn honest(
    state: &State,
    (raw_path, path): (&str, &str),
    base: &str,
    headers: &BTreeMap<String, String>,
    misbehaviour: Option<&Misbehaviour>,
) -> ((u16, Vec<u8>), String) {
    let is_allowed = state
        .required_token
        .as_ref()
        .is_none_or(|token| headers.get("authorization") == Some(&format!("Bearer {token}")));
    let mut extra = String::new();
    let (mut status, mut body) = if let Some(answer) = state.extensions.answer(raw_path, base, is_allowed) {
        extra.push_str(&answer.headers);
        (answer.status, answer.body)
    } else if is_allowed {
        content(state, path, base)
    } else {
        (401, b"{}".to_vec())
    };
    if status == 200 && !path.contains("/-/") && !extensions::is_archive(path) {
        let tag = format!("\"{}\"", integrity(&body));
        if headers.get("if-none-match") == Some(&tag) && misbehaviour.is_none() {
            (status, body) = (304, Vec::new());
        }
        if misbehaviour != Some(&Misbehaviour::WrongIntegrity) {
            let _ = write!(extra, "etag: {tag}\r\n");
        }
    }
    if let Some(Misbehaviour::RetryAfter(_, seconds)) = misbehaviour {
        let _ = write!(extra, "retry-after: {seconds}\r\n");
    }
    if let Some(Misbehaviour::RetryAt(_, now, then)) = misbehaviour {
        let _ = write!(extra, "date: {now}\r\nretry-after: {then}\r\n");
    }
    ((status, body), extra)
}

fn misbehaviour(rules: &mut [Rule], path: &str) -> Option<Misbehaviour> {
    let applies =
        |rule: &&mut Rule| rule.remaining != Some(0) && rule.path.as_ref().is_none_or(|wanted| wanted == path);
    let rule = rules.iter_mut().find(applies)?;
    if let Some(remaining) = &mut rule.remaining {
        *remaining -= 1;
    }
    Some(rule.misbehaviour.clone())
}

/// The honest answer.
fn content(state: &State, path: &str, base: &str) -> (u16, Vec<u8>) {
    let path = path.trim_start_matches('/');
    if let Some((name, file)) = path.split_once("/-/") {
        let short = name.rsplit('/').next().unwrap_or(name);
        let version = file.strip_suffix(".tgz").and_then(|stem| stem.strip_prefix(short)?.strip_prefix('-'));
        let found = version.and_then(|version| state.packages.get(name)?.get(version));
        return found.map_or((404, b"{}".to_vec()), |package| (200, package.archive()));
    }
    let Some(versions) = state.packages.get(path) else { return (404, b"{\"error\":\"not found\"}".to_vec()) };
    let mut documents = serde_json::Map::new();
    for (version, package) in versions {
        let short = path.rsplit('/').next().unwrap_or(path);
        let mut document = json!({
            "name": path,
            "version": version,
            "dist": {
                "tarball": format!("{base}/{path}/-/{short}-{version}.tgz"),
                "integrity": integrity(&package.archive()),
            },
        });
        for (key, value) in &package.manifest {
            document[key] = value.clone();
        }
        documents.insert(version.clone(), document);
    }
    let tags = state.tags.get(path).cloned().unwrap_or_default();
    (200, json!({ "name": path, "dist-tags": tags, "versions": documents }).to_string().into_bytes())
}
