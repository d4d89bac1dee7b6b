//! Where a drilled repository has its catalog and its history of runs.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use mangrove_testkit::postgres::PostgresServer;

use crate::{processes, repository::Repository};

/// Longer than a server takes to notice that a client is gone.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// What keeps the catalog.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A database on a server of its own, which ends with the thread that made this value or started it again last.
pub(crate) struct Database {
    server: PostgresServer,
    name: String,
}

impl Engine {
    /// Lets a repository use it. Over SQLite there is nothing to be made.
    pub(crate) fn set_up(self, repository: &mut Repository) -> Option<Database> {
        if self == Self::Sqlite {
            return None;
        }
        let server = PostgresServer::start();
        let name = server.create_database();
        repository.set_environment("MANGROVE_CATALOG", server.url(&name));
        Some(Database { server, name })
    }
}

impl Drop for Database {
    /// A server that stands still would not end.
    fn drop(&mut self) {
        self.answer_again();
    }
}

impl Database {
    /// Runs a statement and gives what it printed.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.server.sql(&self.name, statement)
    }

    /// Ends the server as a crash does.
    pub(crate) fn stop(&mut self) {
        self.signal("CONT");
        self.server.stop();
    }

    /// Lets the server stand still: it takes connections and answers nothing.
    pub(crate) fn fall_silent(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn answer_again(&self) {
        self.signal("CONT");
    }

    /// To all processes of the server that are there.
    fn signal(&self, name: &str) {
        let Some(process) = self.server.process() else { return };
        let all = processes::below(process).unwrap_or_default();
        let all = all.iter().map(|process| process.id).chain([process]);
        let all: Vec<String> = all.map(|id| id.to_string()).collect();
        // Some of them may have ended meanwhile.
        let _ =
            Command::new("sh").args(["-c", &format!("kill -{name} {}", all.join(" "))]).stderr(Stdio::null()).status();
    }

    pub(crate) fn start_again(&mut self) {
        self.server.start_again();
    }

    /// Breaks the connections of everybody; gives how many there were.
    pub(crate) fn break_connections(&self) -> Result<usize> {
        let broken = self.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        Ok(broken.parse()?)
    }

    /// Waits until nobody is connected and no lock is held.
    pub(crate) fn is_left_alone(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let others = self.sql(
                "SELECT pid, state, query FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            );
            if others.is_empty() {
                return Ok(());
            }
            ensure!(start.elapsed() < NOTICED_WITHIN, "connections of processes that are gone: {others}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
