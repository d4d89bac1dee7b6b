//! A real PostgreSQL server that belongs to one test.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{BufRead as _, BufReader, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::certificates::Certificate;

/// The role that may do everything.
const OWNER: &str = "mangrove";
/// The account that the server runs as where the tests run as root: it refuses to be root.
const ACCOUNT: &str = "postgres";
/// How long a server may take to start, also on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);
/// The port that servers have, unless others of the same network may have it.
const PORT: u16 = 5432;

/// What a server does beyond what every test needs.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// What is committed is on the disk, as with every server that is in use.
    pub is_durable: bool,
    /// Where it is reached beside its socket. Whoever reaches it gets in.
    pub listens: Option<Listens>,
    /// With it, nobody gets in over a network without TLS.
    pub certificate: Option<Certificate>,
}

/// Where a server is reached over a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listens {
    /// At a free port of this machine.
    Here,
    /// At its usual port of an address in the network namespace of this name.
    In(String, IpAddr),
}

/// A server with a directory, a socket and data of its own, reached through the socket alone, and without waiting for the disk,
/// unless its setup says otherwise. It ends with this value, or with the thread that started it, whatever becomes of that.
#[expect(clippy::module_name_repetitions, reason = "the name by which tests know it")]
#[derive(Debug)]
pub struct PostgresServer {
    directory: TempDir,
    programs: PathBuf,
    is_root: bool,
    setup: Setup,
    listening: Option<SocketAddr>,
    process: Option<Child>,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Whether the programs of a server are on this machine.
    #[must_use]
    pub fn is_installed() -> bool {
        programs().is_some()
    }

    /// Makes and starts a server. The thread that calls this must last as long as the server.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or the server does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Setup::default())
    }

    /// The same with a setup.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or the server does not start.
    #[must_use]
    pub fn start_with(setup: Setup) -> Self {
        let programs = programs().expect(
            "the tests need a PostgreSQL server: `initdb` is neither in /usr/lib/postgresql/*/bin nor in PATH; install the package `postgresql`",
        );
        let directory = TempDir::with_prefix("mg-pg-").expect("a temporary directory");
        let identity = Command::new("id").arg("-u").output().expect("`id` runs");
        let is_root = identity.stdout.trim_ascii() == b"0";
        if is_root {
            give_away(directory.path(), 0o700);
        }
        let listening = setup.listens.as_ref().map(|listens| match listens {
            Listens::Here => free_address(),
            Listens::In(_, address) => SocketAddr::new(*address, PORT),
        });
        let databases = AtomicU32::new(0);
        let mut server = Self { directory, programs, is_root, setup, listening, process: None, databases };
        let data = server.data();
        let mut made = server.command("initdb");
        made.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", OWNER, "--pgdata"]);
        checked(made.arg(&data));
        server.admit();
        server.start_again();
        server
    }

    /// Says who gets in, and lets the server read its certificate.
    fn admit(&self) {
        let kind = if self.setup.certificate.is_some() { "hostssl" } else { "host" };
        let rules = format!("local all all trust\n{kind} all all 0.0.0.0/0 trust\n");
        fs::write(self.data().join("pg_hba.conf"), rules).expect("the server's rules");
        if let Some(Certificate { certificate, key }) = &self.setup.certificate {
            for (from, name) in [(certificate, "server.crt"), (key, "server.key")] {
                let copy = self.data().join(name);
                fs::copy(from, &copy).expect("a copy for the server");
                if self.is_root {
                    give_away(&copy, 0o600);
                }
            }
        }
    }

    /// Starts a server that was stopped.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let log = self.directory.path().join("log");
        let output = File::options().create(true).append(true).open(&log).expect("a log");
        let mut server = self.serving();
        server.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path()).arg("-p").arg(self.port().to_string());
        let listening = self.listening.map_or_else(String::new, |address| address.ip().to_string());
        let listening = format!("listen_addresses={listening}");
        let mut settings = vec![&*listening, "max_connections=200", "shared_buffers=32MB", "autovacuum_naptime=1min"];
        if !self.setup.is_durable {
            settings.extend(["fsync=off", "full_page_writes=off"]);
        }
        if self.setup.certificate.is_some() {
            settings.push("ssl=on");
        }
        for setting in settings {
            server.arg("-c").arg(setting);
        }
        let mut process = server
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("the server starts: {error}"));
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready() {
            let ended = process.try_wait().expect("a process of ours");
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended at once: {ended:?}\n{}", said());
            assert!(Instant::now() < deadline, "the server does not start\n{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
    }

    fn is_ready(&self) -> bool {
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.arg("-q").args(self.socket()).status().is_ok_and(|status| status.success())
    }

    /// Ends the server at once, as a crash does: its clients find their connections broken.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // SIGQUIT: without waiting for clients.
        let _ = Command::new("kill").arg("-QUIT").arg(process.id().to_string()).status();
        let _ = process.wait();
    }

    /// The number of its first process, which has started all others.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Keeps what a stopped server has, as a copy that lags behind does.
    ///
    /// # Panics
    /// If it runs, or cannot be copied.
    pub fn keep_copy(&self) {
        assert!(self.process.is_none(), "the copy of a server that runs is none");
        checked(Command::new("cp").arg("-a").arg(self.data()).arg(self.copy()));
    }

    /// Takes the kept copy in the place of what a stopped server has: what was committed since is lost.
    ///
    /// # Panics
    /// If it runs, or there is no copy.
    pub fn fall_back_to_copy(&self) {
        assert!(self.process.is_none(), "the server runs");
        fs::remove_dir_all(self.data()).expect("its data");
        fs::rename(self.copy(), self.data()).expect("the copy");
    }

    fn copy(&self) -> PathBuf {
        self.directory.path().join("copy")
    }

    /// A new, empty database.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The address of a database for a role.
    #[must_use]
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@localhost:{}/{database}?host={}", self.port(), self.directory.path().display())
    }

    /// The address of a database over the network, for the role that may do everything.
    ///
    /// # Panics
    /// If its setup names no place where it listens.
    #[must_use]
    pub fn network_url(&self, database: &str) -> String {
        format!("postgres://{OWNER}@{}/{database}", self.listening.expect("it listens at no address"))
    }

    /// The file of its socket.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        self.directory.path().join(format!(".s.PGSQL.{}", self.port()))
    }

    /// The address of a database for the role that may do everything.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as(OWNER, database)
    }

    /// The address of a new, empty database for the role that may do everything.
    #[must_use]
    pub fn fresh_url(&self) -> String {
        self.url(&self.create_database())
    }

    /// Runs a statement and gives what it printed, without heads.
    ///
    /// # Panics
    /// If it fails.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-qtAX", "-v", "ON_ERROR_STOP=1", "-U", OWNER, "-d", database, "-c", statement]);
        let output = checked(psql.args(self.socket()));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Runs a statement in a transaction that goes on until the value is dropped.
    ///
    /// # Panics
    /// If it fails.
    pub fn hold(&self, database: &str, statement: &str) -> Held {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-qtAX", "-v", "ON_ERROR_STOP=1", "-U", OWNER, "-d", database]).args(self.socket());
        let mut process = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql starts");
        let input = process.stdin.as_mut().expect("a pipe");
        writeln!(input, "BEGIN;\n{statement};\n\\echo held").expect("psql reads");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let is_held = output.lines().map_while(Result::ok).any(|line| line == "held");
        assert!(is_held, "{statement} failed");
        Held(process)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn port(&self) -> u16 {
        self.listening.map_or(PORT, |address| address.port())
    }

    /// What leads a client to its socket.
    fn socket(&self) -> [OsString; 4] {
        ["-h".into(), self.directory.path().into(), "-p".into(), self.port().to_string().into()]
    }

    /// The server itself, in its network.
    fn serving(&self) -> Command {
        match &self.setup.listens {
            Some(Listens::In(namespace, _)) => self.led_by(&["ip", "netns", "exec", namespace, "setpriv"], "postgres"),
            Some(Listens::Here) | None => self.command("postgres"),
        }
    }

    /// A program of the server. It ends with the thread that starts it.
    fn command(&self, program: &str) -> Command {
        self.led_by(&["setpriv"], program)
    }

    fn led_by(&self, line: &[&str], program: &str) -> Command {
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).args(["--pdeathsig", "QUIT"]).current_dir(self.directory.path());
        if self.is_root {
            command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]);
        }
        command.arg("--").arg(self.programs.join(program)).stdin(Stdio::null());
        command
    }
}

/// A transaction that goes on.
#[derive(Debug)]
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where the programs of the newest server are that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |entry: &fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
    let newest = versions.filter(|entry| version(entry).is_some()).max_by_key(version);
    let installed = newest.map(|entry| entry.path().join("bin")).into_iter();
    let path = std::env::var_os("PATH").unwrap_or_default();
    installed.chain(std::env::split_paths(&path)).find(|directory| directory.join("initdb").is_file())
}

/// An address of this machine whose port nobody has at this moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

/// Lets the account of the server use a file or a directory, and nobody else.
fn give_away(path: &Path, mode: u32) {
    let number = |option: &str| -> u32 {
        let output = checked(Command::new("id").args([option, ACCOUNT]));
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("`id` prints a number")
    };
    chown(path, Some(number("-u")), Some(number("-g"))).expect("root may give it away");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("root may");
}

fn checked(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    output
}
