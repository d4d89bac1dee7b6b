//! The tables of one schema: found, made when they are first needed, and used.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    Address, PostgresError,
    server::{Link, Server},
    setup::Layout,
};
use crate::persistence::{BusyPolicy, OpenMode};

/// The tables of one schema of one database.
pub(super) struct Tables {
    server: Server,
    layout: Layout,
    /// True once the tables were found to be those of this version.
    are_ready: AtomicBool,
}

impl Tables {
    pub(super) fn new(address: Address, layout: Layout, mode: OpenMode, busy: BusyPolicy) -> Self {
        let server = Server::new(address, layout.schema, mode, busy);
        Self { server, layout, are_ready: AtomicBool::new(false) }
    }

    pub(super) const fn server(&self) -> &Server {
        &self.server
    }

    pub(super) const fn address(&self) -> &Address {
        self.server.address()
    }

    pub(super) const fn mode(&self) -> OpenMode {
        self.server.mode()
    }

    /// Makes the tables or brings them up to date, and lets a role use them.
    pub(super) async fn migrate(&self, reader_and_writer: Option<&str>) -> Result<(), PostgresError> {
        self.server.set_up(self.layout).await?;
        match reader_and_writer {
            Some(role) => self.server.grant(role).await,
            None => Ok(()),
        }
    }

    /// Fails if the tables are not those of this version, or not to be used.
    pub(super) async fn find(&self, operation: &'static str) -> Result<(), PostgresError> {
        self.server
            .run(operation, async |mut link| {
                let found = match self.server.check(operation, &mut link, self.layout).await {
                    Err(PostgresError::Absent(fault)) => match self.server.has_schema(&mut link).await {
                        // What a role may not use, it does not see.
                        Ok(true) => Err(PostgresError::Unprepared(fault)),
                        Ok(false) => Err(PostgresError::Absent(fault)),
                        Err(error) => Err(self.server.error(operation, &error)),
                    },
                    found => found,
                };
                (link, found)
            })
            .await
    }

    /// True if the tables can be used; false if there are none and none are made.
    async fn are_ready(&self, operation: &'static str) -> Result<bool, PostgresError> {
        if self.are_ready.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match (self.find(operation).await, self.mode()) {
            (Err(PostgresError::Absent(_) | PostgresError::Unprepared(_)), OpenMode::ReadWrite) => {
                self.server.set_up(self.layout).await?;
            }
            (Err(PostgresError::Absent(_)), OpenMode::ReadOnly) => return Ok(false),
            (found, _) => found?,
        }
        self.are_ready.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// Does something over tables that are there, and again while the server is not; `T::default()` if there are none.
    pub(super) async fn run<T: Default, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        operation: &'static str,
        attempt: impl FnMut(Link) -> F,
    ) -> Result<T, PostgresError> {
        if self.are_ready(operation).await? { self.server.run(operation, attempt).await } else { Ok(T::default()) }
    }

    /// The same, for what changes something.
    pub(super) async fn change<T: Default, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        operation: &'static str,
        attempt: impl FnMut(Link) -> F,
    ) -> Result<T, PostgresError> {
        match self.mode() {
            OpenMode::ReadWrite => self.run(operation, attempt).await,
            OpenMode::ReadOnly => Err(PostgresError::read_only(self.address())),
        }
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.server, out)
    }
}
