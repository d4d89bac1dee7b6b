//! A way to a server that passes bytes on, and ends connections at moments that a server and its clients do not choose.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

/// Where a relay leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// A port.
    Port(SocketAddr),
    /// A socket in the file system.
    Socket(PathBuf),
}

/// When a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The bytes never reach the server.
    Before,
    /// The server has them and has answered; the answer never reaches the client.
    Answered,
}

/// A relay. It ends with this value.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    cutting: Arc<Cutting>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Cutting {
    at: Mutex<Option<(Vec<u8>, Moment)>>,
    cuts: AtomicUsize,
}

impl Relay {
    /// Passes on whatever comes to a port of this machine.
    ///
    /// # Errors
    /// There is no free port.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn start(target: Target) -> io::Result<Self> {
        Self::start_on(StdListener::bind("127.0.0.1:0")?, target)
    }

    /// The same for whoever comes to this port, which may be one of another network namespace.
    ///
    /// # Errors
    /// The port cannot be used.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn start_on(listener: StdListener, target: Target) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (listener, cutting) = (TcpListener::from_std(listener)?, Arc::<Cutting>::default());
        let serving = tokio::spawn({
            let cutting = Arc::clone(&cutting);
            async move {
                // Ended with the relay.
                let mut connections = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    connections.spawn(connect(client, target.clone(), Arc::clone(&cutting)));
                }
            }
        });
        Ok(Self { address, cutting, serving })
    }

    /// Where it is reached.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the connection of the first client that sends this, once.
    pub fn cut_at(&self, sent: &[u8], moment: Moment) {
        *self.cutting.at.lock().unwrap_or_else(PoisonError::into_inner) = Some((sent.to_vec(), moment));
    }

    /// How many connections were ended like that.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.cutting.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Cutting {
    /// Whether these bytes are what a connection is to end at.
    fn take(&self, sent: &[u8]) -> Option<Moment> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, moment) = at.take_if(|(wanted, _)| sent.windows(wanted.len()).any(|part| part == wanted))?;
        self.cuts.fetch_add(1, Ordering::Relaxed);
        Some(moment)
    }
}

async fn connect(client: TcpStream, target: Target, cutting: Arc<Cutting>) {
    // A side that goes away is no matter of ours: the other one sees its connection end.
    match target {
        Target::Port(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                let _ = server.set_nodelay(true);
                pass_on(client, server, &cutting).await;
            }
        }
        Target::Socket(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                pass_on(client, server, &cutting).await;
            }
        }
    }
}

async fn pass_on(client: TcpStream, server: impl AsyncRead + AsyncWrite, cutting: &Cutting) {
    let _ = client.set_nodelay(true);
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    // From when it is set, the next answer is kept from the client.
    let (is_cut, is_deaf) = (Notify::new(), std::sync::atomic::AtomicBool::new(false));
    let there = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            match cutting.take(&buffer[..read]) {
                Some(Moment::Before) => return,
                Some(Moment::Answered) => is_deaf.store(true, Ordering::SeqCst),
                None => {}
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                return;
            }
            if is_deaf.load(Ordering::SeqCst) {
                return is_cut.notified().await;
            }
        }
    };
    let back = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            if is_deaf.load(Ordering::SeqCst) {
                return is_cut.notify_one();
            }
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    // Both ends are closed when one direction is over: databases close neither half alone.
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}
