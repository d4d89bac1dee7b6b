//! Requests for a type, beside a handler of the same library that does nothing but answer with the same bytes.

use std::{net::SocketAddr, sync::Arc, thread, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use axum::{Router, body::Bytes, http::header, routing::get};
use mangrove_testkit::http::Client;
use tokio::net::TcpListener;

use super::{
    super::{TYPE, as_number, milliseconds, report::Line},
    Amounts, Daemon,
};

/// What many clients at once were answered.
struct Answered {
    each_second: f64,
    /// The time that 99 of 100 answers took at most, in milliseconds.
    slowest: f64,
}

/// They take turns, so that a busy moment of the machine meets both.
const TURNS: u32 = 2;

pub(super) fn requests(daemon: &Daemon, amounts: &Amounts) -> Result<Line> {
    let path = format!("/api/v1/types/{TYPE}");
    let answer = Client::connect(daemon.address)?.get(&path, None)?;
    ensure!(answer.status == 200, "{path}: {}", answer.status);
    let plain = plain(answer.body)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        theirs.push(ask(plain, &path, amounts)?);
        ours.push(ask(daemon.address, &path, amounts)?);
    }
    let mean = |answered: &[Answered], of: fn(&Answered) -> f64| {
        answered.iter().map(of).sum::<f64>() / as_number(answered.len())
    };
    let [ours_rate, theirs_rate] = [&ours, &theirs].map(|answered| mean(answered, |answered| answered.each_second));
    let [ours_slowest, theirs_slowest] = [&ours, &theirs].map(|answered| mean(answered, |answered| answered.slowest));
    Ok(Line::new("requests for a type, each second", ours_rate, "")
        .against("a plain handler", theirs_rate)
        .at_least_times(0.5)
        .noting(&format!(
            "{} clients; 99th percentile {ours_slowest:.1} ms, of the plain handler {theirs_slowest:.1} ms",
            amounts.clients
        )))
}

/// A server on threads of this process that answers with these bytes.
fn plain(body: Vec<u8>) -> Result<SocketAddr> {
    let body = Bytes::from(body);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no port")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let answer = move || {
        let body = body.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], body) }
    };
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            axum::serve(listener, Router::new().route("/{*anything}", get(answer))).await
        })
    });
    Ok(address)
}

/// So many clients ask this server again and again.
fn ask(address: SocketAddr, path: &str, amounts: &Amounts) -> Result<Answered> {
    let path: Arc<str> = path.into();
    let start = Instant::now();
    let end = start + amounts.asking;
    let clients: Vec<_> = (0..amounts.clients)
        .map(|_| {
            let path = Arc::clone(&path);
            thread::spawn(move || -> Result<Vec<u32>> {
                let mut client = Client::connect(address)?;
                let mut times = Vec::new();
                while Instant::now() < end {
                    let begun = Instant::now();
                    let answer = client.get(&path, None)?;
                    ensure!(answer.status == 200, "{path}: {}", answer.status);
                    times.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        let Ok(answered) = client.join() else { bail!("a client panicked") };
        times.extend(answered?);
    }
    let elapsed = start.elapsed();
    times.sort_unstable();
    let slowest = times.get(times.len() * 99 / 100).context("no answer at all")?;
    Ok(Answered {
        each_second: as_number(times.len()) / elapsed.as_secs_f64(),
        slowest: milliseconds(std::time::Duration::from_micros(u64::from(*slowest))),
    })
}
