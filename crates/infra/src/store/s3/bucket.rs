//! The objects below one prefix of one bucket, by their keys there.

use std::{
    fmt,
    future::Future,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
    time::Timestamp,
};
use mangrove_fs::read::FileKind;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, aws::AmazonS3, path::Path,
};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    connection::{Answer, Connections, observed},
    faults::fault_of,
    options::S3Options,
};

/// How many requests are under way at once.
pub(super) const PARALLEL_REQUESTS: usize = 16;

/// How long nobody asks a server that could not be reached. Each attempt has its own time limits; thousands of rows, one
/// after the other, would wait for all of them.
const REST: Duration = Duration::from_secs(2);

/// One object, as a listing tells of it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its key below the prefix.
    pub(super) name: String,
    /// Its bytes in the bucket.
    pub(super) size_bytes: u64,
    /// When it was written last, by the clock of the server.
    pub(super) modified: Timestamp,
}

/// The content of an object.
pub(super) enum Content {
    /// All of it, and when it was written last.
    Whole(Bytes, Timestamp),
    /// Larger than any bundle: it was not read.
    TooLarge(u64),
}

/// The objects below one prefix of one bucket.
pub(super) struct Bucket {
    options: S3Options,
    /// What people know it by.
    name: String,
    prefix: Path,
    connections: Connections,
    client: OnceLock<Result<AmazonS3, Fault>>,
    turns: Semaphore,
    /// When the server could not be reached, and what came of it.
    outage: Mutex<Option<(Instant, Fault)>>,
}

impl Bucket {
    pub(super) fn new(options: S3Options) -> Self {
        let at = options.endpoint.as_ref().map(|server| format!(" at {server}")).unwrap_or_default();
        Self {
            name: format!("{}{at}", options.place),
            prefix: Path::from(options.place.prefix.as_str()),
            options,
            connections: Connections::default(),
            client: OnceLock::new(),
            turns: Semaphore::new(PARALLEL_REQUESTS),
            outage: Mutex::default(),
        }
    }

    /// What people know it by: the place, and the server where it is not that of AWS.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn requests(&self) -> u64 {
        self.connections.requests()
    }

    /// The content of an object; `None` if there is none of that name.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Content>, Fault> {
        let path = self.path(name);
        let read = self.ask("read", |client| async move {
            let found = client.get(&path).await?;
            if found.meta.size > FileKind::Bundle.limit_bytes() {
                return Ok(Content::TooLarge(found.meta.size));
            }
            let modified = modified(&found.meta);
            Ok(Content::Whole(found.bytes().await?, modified))
        });
        found(read.await)
    }

    /// How large an object is; `None` if there is none of that name.
    pub(super) async fn look(&self, name: &str) -> Result<Option<Found>, Fault> {
        let path = self.path(name);
        let looked = self.ask("read", |client| async move { client.head(&path).await }).await;
        Ok(found(looked)?.and_then(|meta| self.found(&meta)))
    }

    /// All objects below a folder of the store; below all of it if the folder is empty.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Found>, Fault> {
        let path = self.path(folder);
        let prefix = (!path.as_ref().is_empty()).then_some(path);
        let listed = self.ask("list", |client| async move {
            client.list(prefix.as_ref()).map_ok(|meta| self.found(&meta)).try_collect::<Vec<_>>().await
        });
        Ok(required(listed.await)?.into_iter().flatten().collect())
    }

    /// Writes an object if there is none of that name; false if there is one.
    pub(super) async fn create(&self, name: &str, content: Bytes) -> Result<bool, Fault> {
        let path = self.path(name);
        let created = self.ask("write", |client| async move {
            let options = PutOptions::from(PutMode::Create);
            match client.put_opts(&path, content.into(), options).await {
                Ok(_) => Ok(true),
                Err(Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        });
        required(created.await)
    }

    /// Writes an object, whatever is there.
    pub(super) async fn write(&self, name: &str, content: Bytes) -> Result<(), Fault> {
        let path = self.path(name);
        let written = self.ask("write", |client| async move { client.put(&path, content.into()).await });
        required(written.await).map(drop)
    }

    /// Removes an object; that there is none is no error.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Fault> {
        let path = self.path(name);
        let removed = self.ask("remove from", |client| async move {
            // One by one: not every server knows the request that removes many.
            client.delete(&path).await
        });
        found(removed.await).map(drop)
    }

    fn path(&self, name: &str) -> Path {
        let parts = name.split('/').filter(|part| !part.is_empty());
        parts.fold(self.prefix.clone(), Path::join)
    }

    fn found(&self, meta: &ObjectMeta) -> Option<Found> {
        let below = meta.location.as_ref().strip_prefix(self.prefix.as_ref())?;
        let name = if self.prefix.as_ref().is_empty() { below } else { below.strip_prefix('/')? };
        Some(Found { name: name.to_owned(), size_bytes: meta.size, modified: modified(meta) })
    }

    /// Asks the server, unless it could not be reached just now.
    async fn ask<T, F: Future<Output = Result<T, Error>>>(
        &self,
        operation: &'static str,
        request: impl FnOnce(AmazonS3) -> F,
    ) -> Result<T, Failed> {
        let client = self.client.get_or_init(|| self.made_client()).clone().map_err(Failed::Otherwise)?;
        let _turn = self.turns.acquire().await;
        if let Some(fault) = self.resting() {
            return Err(Failed::Otherwise(fault));
        }
        let (outcome, answer) = observed(request(client)).await;
        let error = match outcome {
            Ok(value) => {
                *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return Ok(value);
            }
            Err(error) => error,
        };
        let is_absent = matches!(error, Error::NotFound { .. });
        let is_bucket = matches!(&answer, Some(Answer::Status(_, Some(code))) if code == "NoSuchBucket");
        let fault = fault_of(operation, &self.name, answer, &error);
        if is_absent && !is_bucket {
            return Err(Failed::Absent(fault));
        }
        tracing::debug!(%fault, operation, "the bundle store failed");
        if fault.class == FailureClass::Transient {
            self.rest_because_of(&fault);
        }
        Err(Failed::Otherwise(fault))
    }

    /// Says that nothing came back for so long that whoever has something else does not wait for it. Nobody asks for a while.
    pub(super) fn is_silent(&self) -> Fault {
        let message = format!("cannot read {}: it does not answer", self.name);
        let fault = Fault::transient(Code::STORE_UNREACHABLE, format!("store:{}", self.name), message);
        self.rest_because_of(&fault);
        fault
    }

    fn rest_because_of(&self, fault: &Fault) {
        *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), fault.clone()));
    }

    fn resting(&self) -> Option<Fault> {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.as_ref().filter(|(at, _)| at.elapsed() < REST).map(|(_, fault)| fault.clone())
    }

    fn made_client(&self) -> Result<AmazonS3, Fault> {
        self.options.client(self.connections.clone()).map_err(|error| {
            let message = format!("cannot use {}: {error}", self.name);
            Fault::environment(Code::STORE_REFUSED, format!("store:{}", self.name), message)
        })
    }
}

/// The client knows keys: it is not shown.
impl fmt::Debug for Bucket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why an operation was not carried out.
enum Failed {
    /// There is no such object, or, where one was not asked for, no such bucket.
    Absent(Fault),
    Otherwise(Fault),
}

/// What an operation on one object gave; `None` if there is none.
fn found<T>(outcome: Result<T, Failed>) -> Result<Option<T>, Fault> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Failed::Absent(_)) => Ok(None),
        Err(Failed::Otherwise(fault)) => Err(fault),
    }
}

/// What an operation gave that needs no object to be there.
fn required<T>(outcome: Result<T, Failed>) -> Result<T, Fault> {
    outcome.map_err(|failed| match failed {
        Failed::Absent(fault) | Failed::Otherwise(fault) => fault,
    })
}

fn modified(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from_millis(meta.last_modified.timestamp_millis())
}
