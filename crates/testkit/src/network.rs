//! A port that neither accepts nor refuses, as behind a firewall that drops packets.

use std::{io, net::SocketAddr, time::Duration};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How long a connection may take on loopback until it counts as left waiting.
const PATIENCE: Duration = Duration::from_millis(300);

/// A port of 127.0.0.1 whose connections are never made. Free again when dropped.
#[derive(Debug)]
pub struct UnansweredPort {
    address: SocketAddr,
    _listener: TcpListener,
    /// They fill the queue of connections that wait to be accepted; the system drops what comes after them.
    _waiting: Vec<TcpStream>,
}

impl UnansweredPort {
    /// Takes a free port. Needs a tokio runtime.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        while let Ok(stream) = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            waiting.push(stream?);
        }
        Ok(Self { address, _listener: listener, _waiting: waiting })
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
}
