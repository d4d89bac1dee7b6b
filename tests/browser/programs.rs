//! The programs that these tests need beside the one that they test, and what happens where one is missing: in continuous
//! integration the test fails, elsewhere it says loudly that it did nothing.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What drives the browser, while this lives.
pub(crate) struct Chromedriver {
    child: Child,
    pub(crate) url: String,
}

/// What is needed.
pub(crate) struct Programs {
    pub(crate) chromium: PathBuf,
    chromedriver: PathBuf,
    /// The text of axe-core, which looks for what keeps people out.
    pub(crate) axe: String,
}

impl Programs {
    /// The programs; `None` if one is missing and that is no failure.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) fn find() -> Option<Self> {
        let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/axe-core/axe.min.js");
        let missing = match (on_path("chromium"), on_path("chromedriver"), fs::read_to_string(&axe)) {
            (Some(chromium), Some(chromedriver), Ok(axe)) => return Some(Self { chromium, chromedriver, axe }),
            (None, ..) => "`chromium`; install the package `chromium`".to_owned(),
            (_, None, _) => "`chromedriver`; install the package `chromium-driver`".to_owned(),
            (.., Err(error)) => format!("axe-core: {}: {error}; `.ci/run` puts it there", axe.display()),
        };
        assert!(env::var_os("CI").is_none(), "the tests in a browser need {missing}");
        eprintln!("SKIPPED: the tests in a browser need {missing}");
        None
    }

    /// Starts what drives the browser, on a free port.
    pub(crate) fn start(&self) -> Chromedriver {
        let mut child = Command::new(&self.chromedriver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let rest = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        // Somebody has to read the rest.
        std::thread::spawn(move || lines.for_each(drop));
        Chromedriver { child, url: format!("http://127.0.0.1:{}", port.expect("chromedriver names its port")) }
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|directory| directory.join(program)).find(|path| path.is_file())
}
