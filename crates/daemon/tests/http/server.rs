//! Connections: bounds, and the end.

use std::{net::SocketAddr, time::Duration};

use mangrove_daemon::http::{Limits, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::world::{World, within};

const ASK: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn listen(world: &World, limits: Limits) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = serve(listener, world.router.clone(), limits, world.stopping.clone());
    (address, tokio::spawn(serving))
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = within(stream.read(&mut bytes)).await.expect("an answer");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_sent_away() {
    let world = World::new().await;
    let limits = Limits { headers: Duration::from_millis(100), ..Limits::default() };
    let (address, _serving) = listen(&world, limits).await;
    let mut slow = TcpStream::connect(address).await.expect("a connection");
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost:").await.expect("sent");
    let mut rest = Vec::new();
    within(slow.read_to_end(&mut rest)).await.expect("an end");
}

#[tokio::test]
async fn further_connections_wait_until_there_is_room() {
    let world = World::new().await;
    let limits = Limits { connections: 1, ..Limits::default() };
    let (address, _serving) = listen(&world, limits).await;
    let mut first = TcpStream::connect(address).await.expect("a connection");
    first.write_all(ASK).await.expect("sent");
    assert!(answer(&mut first).await.starts_with("HTTP/1.1 200"));
    let mut second = TcpStream::connect(address).await.expect("a connection");
    second.write_all(ASK).await.expect("sent");
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(early.is_err(), "there is no room yet");
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_daemon_that_stops_lets_requests_end_and_keeps_nobody_waiting() {
    let world = World::new().await;
    let limits = Limits { farewell: Duration::from_millis(300), ..Limits::default() };
    let (address, serving) = listen(&world, limits).await;
    let mut idle = TcpStream::connect(address).await.expect("a connection");
    idle.write_all(ASK).await.expect("sent");
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    let mut hanging = TcpStream::connect(address).await.expect("a connection");
    hanging
        .write_all(b"POST /api/v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        .await
        .expect("sent");
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.stopping.cancel();
    within(serving).await.expect("an end");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
