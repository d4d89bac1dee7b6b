//! Registries that accept and say nothing, and networks that drop packets: what needs no network does not wait for
//! them, and what does fails once for all that need the same.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use mangrove_testkit::registry::{FakePackage, FakeRegistry, Misbehaviour};

use crate::{
    Outcome,
    repository::{Repository, TIME_LIMIT, model},
};

/// Sources that need a package of their own each.
const REMOTE: usize = 40;

/// Sources that need none.
const LOCAL: usize = 10;

/// After this time a connection that sends nothing is over.
const TIME_OUT: Duration = Duration::from_secs(10);

/// For the work itself, in an unoptimised program on a busy machine.
const SLACK: Duration = Duration::from_secs(15);

fn repository() -> Result<Repository> {
    let repository = Repository::new()?;
    for number in 0..LOCAL {
        let text = model("", &format!("@drill/local{number}"), "hello");
        repository.write(&format!("extensions/models/local{number}.ts"), &text)?;
    }
    for number in 0..REMOTE {
        let head = format!("import {{ value }} from \"npm:package-{number}@1.0.0\";");
        let text = model(&head, &format!("@drill/remote{number}"), "${value}");
        repository.write(&format!("extensions/models/remote{number}.ts"), &text)?;
    }
    Ok(repository)
}

/// How long a scan took until the local types could be used, and in all.
fn scan(repository: &Repository) -> Result<(Duration, Duration)> {
    let start = Instant::now();
    let scan = repository.start(&["scan"])?;
    let mut ready = None;
    while ready.is_none() && start.elapsed() < TIME_LIMIT {
        std::thread::sleep(Duration::from_millis(200));
        let types = repository.run(&["types"])?;
        let local = types.stdout.matches("@drill/local").count();
        ready = (local >= LOCAL).then(|| start.elapsed());
    }
    scan.end(TIME_LIMIT)?.expect(&[0, 1, 75])?;
    let ready = ready.context("the local types were not ready before the scan ended")?;
    Ok((ready, start.elapsed()))
}

fn judge(ready: Duration, whole: Duration) -> Result<String> {
    let seconds = |duration: Duration| duration.as_secs_f64();
    ensure!(ready < TIME_OUT, "local types were ready after {:.1} s only: they waited for the network", seconds(ready));
    let bound = 2 * TIME_OUT + SLACK;
    ensure!(whole < bound, "the scan took {:.1} s, more than two time-outs", seconds(whole));
    Ok(format!("local types ready after {:.1} s, the scan over after {:.1} s", seconds(ready), seconds(whole)))
}

pub(crate) fn silent(_: &mut Rng) -> Result<Outcome> {
    let registry = FakeRegistry::start()?;
    for number in 0..REMOTE {
        let package = FakePackage::new(&format!("package-{number}"), "1.0.0");
        registry.publish(package.file("index.js", "export const value = 1;\n"));
    }
    registry.misbehave(None, Misbehaviour::Stall, None);
    let mut repository = repository()?;
    repository.set_environment("MANGROVE_NPM_REGISTRY", registry.url());
    let (ready, whole) = scan(&repository)?;
    let figures = judge(ready, whole)?;
    let requests = registry.requests().len();
    registry.heal()?;
    let states = repository.scan()?;
    let failed: Vec<&String> = states.iter().filter(|(_, state)| *state != "Indexed").map(|(path, _)| path).collect();
    ensure!(failed.is_empty(), "the registry answers again, and these did not heal: {failed:?}");
    Ok(Outcome::Held(format!("{figures}; {requests} requests; all healed by the next scan")))
}

/// A port whose new connections get no answer at all, as where a firewall drops packets: nobody accepts, and the queue
/// of those who wait is full.
struct FullPort {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl FullPort {
    fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            waiting.push(stream);
            ensure!(waiting.len() < 10_000, "the queue of a port does not become full");
        }
        Ok(Self { address, _listener: listener, _waiting: waiting })
    }
}

pub(crate) fn dropping(_: &mut Rng) -> Result<Outcome> {
    let port = FullPort::open()?;
    let mut repository = repository()?;
    repository.set_environment("MANGROVE_NPM_REGISTRY", format!("http://{}/", port.address));
    let (ready, whole) = scan(&repository)?;
    Ok(Outcome::Held(judge(ready, whole)?))
}
