//! A real server of the protocol of S3 on a port of its own, in this process: it checks signatures, counts requests, and can
//! be taken away.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs, io,
    net::{SocketAddr, TcpListener as StdListener},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
};

use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use s3s::{
    Body,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// The bucket that every server has.
pub const BUCKET: &str = "bundles";
/// The key by which it lets everything be done.
pub const KEY_ID: &str = "AKIDEXAMPLE";
/// The secret of the key.
pub const SECRET: &str = "a-secret-that-nobody-may-see";

/// The server. What it has lies in a temporary directory.
#[derive(Debug)]
pub struct S3Server {
    directory: TempDir,
    address: SocketAddr,
    serving: Mutex<Option<JoinHandle<()>>>,
    answering: Arc<Answering>,
}

#[derive(Debug, Default)]
struct Answering {
    requests: AtomicUsize,
    refusal: AtomicU16,
    is_silent: AtomicBool,
    /// One write at a time: what a condition of a request says holds until the object is written, as it does in S3.
    writing: tokio::sync::Mutex<()>,
}

impl S3Server {
    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// If there is no port or no directory.
    #[expect(clippy::unused_async, reason = "a runtime is needed")]
    pub async fn start() -> Self {
        Self::start_on(StdListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// The same for whoever comes to this port, which may be one of another network namespace; then it is never started again.
    ///
    /// # Panics
    /// If there is no directory, the port cannot be used, or outside of a runtime.
    #[must_use]
    pub fn start_on(listener: StdListener) -> Self {
        let directory = TempDir::new().expect("a directory");
        fs::create_dir(directory.path().join(BUCKET)).expect("a bucket");
        listener.set_nonblocking(true).expect("a port");
        let listener = TcpListener::from_std(listener).expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Self { directory, address, serving: Mutex::default(), answering: Arc::default() };
        server.serve(listener);
        server
    }

    /// Its address, such as `http://127.0.0.1:4321`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that let a client in.
    #[must_use]
    pub fn credentials() -> BTreeMap<String, String> {
        let variables = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// How many requests were answered.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.answering.requests.load(Ordering::Relaxed)
    }

    /// Answers every request with this status; with 0, as it should.
    pub fn refuse(&self, status: u16) {
        self.answering.refusal.store(status, Ordering::Relaxed);
    }

    /// Takes requests and never answers those that come from now on, or answers again.
    pub fn be_silent(&self, is_silent: bool) {
        self.answering.is_silent.store(is_silent, Ordering::Relaxed);
    }

    /// Ends every connection. The port answers no more.
    ///
    /// # Panics
    /// If a thread panicked while it stopped the server.
    pub async fn stop(&self) {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(serving) = serving {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Listens again, at the same port.
    ///
    /// # Panics
    /// If somebody else has the port.
    pub async fn start_again(&self) {
        self.serve(TcpListener::bind(self.address).await.expect("the same port"));
    }

    /// The files of the objects, by their keys.
    ///
    /// # Panics
    /// If the directory cannot be read.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, PathBuf> {
        let bucket = self.directory.path().join(BUCKET);
        let mut found = BTreeMap::new();
        collect(&bucket, &bucket, &mut found).expect("the directory of the bucket");
        found
    }

    /// The file of the one object whose key has this in it.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[must_use]
    pub fn object(&self, part: &str) -> PathBuf {
        let objects = self.objects();
        let found: Vec<&PathBuf> = objects.iter().filter(|(key, _)| key.contains(part)).map(|(_, path)| path).collect();
        assert_eq!(found.len(), 1, "objects with {part:?} among {objects:?}");
        found[0].clone()
    }

    fn serve(&self, listener: TcpListener) {
        let files = s3s_fs::FileSystem::new(self.directory.path()).expect("a directory");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let (service, answering) = (builder.build(), Arc::clone(&self.answering));
        let serving = tokio::spawn(async move {
            // Ended with the server.
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(serve_connection(socket, service.clone(), Arc::clone(&answering)));
            }
        });
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(serving);
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take() {
            serving.abort();
        }
    }
}

async fn serve_connection(socket: TcpStream, service: S3Service, answering: Arc<Answering>) {
    let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (service, answering) = (service.clone(), Arc::clone(&answering));
        async move {
            answering.requests.fetch_add(1, Ordering::Relaxed);
            if answering.is_silent.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let refusal = answering.refusal.load(Ordering::Relaxed);
            let status = StatusCode::from_u16(refusal).ok();
            let answered = match status {
                Some(_) => None,
                None if request.method() == Method::PUT => {
                    let _turn = answering.writing.lock().await;
                    service.call(request.map(Body::from)).await.ok()
                }
                None => service.call(request.map(Body::from)).await.ok(),
            };
            let answer = answered.unwrap_or_else(|| {
                let mut answer = Response::new(Body::empty());
                *answer.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                answer
            });
            Ok::<_, Infallible>(answer)
        }
    });
    // A client that goes away is no matter of ours.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
}

fn collect(bucket: &Path, directory: &Path, found: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(bucket, &path, found)?;
        } else if let Some(key) = path.strip_prefix(bucket).ok().and_then(Path::to_str) {
            found.insert(key.to_owned(), path);
        }
    }
    Ok(())
}
