//! Network namespaces: machines that have networks of their own, on this one. They need root and `ip`.

use std::{fs::File, os::fd::AsFd as _, panic, path::Path, process::Command, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace that is removed with this value. Its loopback is down at first: no network at all.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// `None` where it cannot be made and this is not continuous integration, which is said.
    ///
    /// # Panics
    /// If it cannot be made in continuous integration.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn create(of: &str) -> Option<Self> {
        let name = format!("mangrove-{of}-{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        if made.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self { name });
        }
        let remedy = "this test needs root and `ip` (Debian: `apt-get install iproute2`)";
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{remedy}: {made:?}");
        eprintln!("SKIPPED: {remedy}");
        None
    }

    /// What `ip` knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes its loopback up or down.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn loopback(&self, state: &str) {
        self.ip(&format!("link set lo {state}"));
    }

    /// Runs `ip` in it with these arguments, which are divided at spaces.
    ///
    /// # Panics
    /// If it fails.
    pub fn ip(&self, arguments: &str) {
        let output = Command::new("ip").args(["-n", &self.name]).args(arguments.split(' ')).output();
        let output = output.unwrap_or_else(|error| panic!("ip does not start: {error}"));
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program in this namespace; its process is that of the command.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Does something on a thread in this namespace. A socket that it makes and gives back stays one of the namespace,
    /// whoever uses it.
    ///
    /// # Panics
    /// If the namespace cannot be entered, or what is done panics.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let place = Path::new("/run/netns").join(&self.name);
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                let file = File::open(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter it");
                act()
            });
            done.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}
