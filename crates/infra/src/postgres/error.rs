//! What errors of the server, and of the way to it, mean.

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};

use super::Address;

/// Why the database could not be used.
#[derive(Debug)]
pub(crate) enum PostgresError {
    /// The server does not answer, ends, or gives the connection up. Another attempt may find it, or its successor.
    Unreachable(Fault),
    /// Others were in the way. Another attempt may get through.
    Busy(Fault),
    /// A newer version made the tables.
    Newer(Fault),
    /// There are no tables, as far as this role sees.
    Absent(Fault),
    /// The tables have an earlier layout, or may not be used by this role.
    Unprepared(Fault),
    /// Anything else.
    Other(Fault),
}

impl PostgresError {
    /// What an error means. The codes are those of the SQL standard and of the server's manual, appendix A.
    pub(super) fn of(operation: &str, address: &Address, error: &sqlx::Error) -> Self {
        let fault = |class, code, cause: &str, what: &dyn std::fmt::Display| {
            Fault::new(class, code, cause.to_owned(), format!("cannot {operation} {address}: {what}"))
        };
        let unreachable = |cause: &str, what: &dyn std::fmt::Display| {
            PostgresError::Unreachable(fault(FailureClass::Transient, Code::DATABASE_UNREACHABLE, cause, what))
        };
        let busy = |cause: &str, what: &dyn std::fmt::Display| {
            PostgresError::Busy(fault(FailureClass::Transient, Code::CATALOG_BUSY, cause, what))
        };
        let other = |code, cause: &str, what: &dyn std::fmt::Display| {
            PostgresError::Other(fault(FailureClass::Environment, code, cause, what))
        };
        match error {
            sqlx::Error::Database(database) => {
                let state = database.code().unwrap_or_default();
                let (cause, what) = (format!("postgres:{state}"), database.message());
                // The class of everything that is wrong with a connection.
                if state.starts_with("08") {
                    return unreachable(&cause, &what);
                }
                match &*state {
                    // The server ends, or starts; the last one is said by one that is only read, to which a fail-over led.
                    "57P01" | "57P02" | "57P03" | "25006" => unreachable(&cause, &what),
                    "53300" | "40001" | "40P01" | "55P03" | "57014" | "25P03" | "25P04" | "53200" => {
                        busy(&cause, &what)
                    }
                    "42P01" | "3F000" => {
                        PostgresError::Absent(unprepared(operation, address, "it has no tables for this"))
                    }
                    "53100" => other(Code::DISK_FULL, &cause, &what),
                    "42501" => other(Code::NOT_WRITABLE, &cause, &what),
                    "XX001" | "XX002" => other(Code::CATALOG_CORRUPT, &cause, &what),
                    _ => other(Code::CATALOG_FAILED, &cause, &what),
                }
            }
            // What rustls refuses: trying again changes nothing, somebody has to change the setting or the certificate.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => other(
                Code::CATALOG_FAILED,
                "postgres:untrusted",
                &format_args!("the connection is not trusted: {error}"),
            ),
            sqlx::Error::Io(error) => unreachable(&format!("io:{:?}", error.kind()), error),
            sqlx::Error::PoolTimedOut => {
                unreachable("postgres:connections", &"no connection could be made, and none became free in time")
            }
            // A connection that ends in the middle of an answer.
            sqlx::Error::Protocol(_) => unreachable("postgres:protocol", error),
            _ => other(Code::CATALOG_FAILED, "postgres:client", error),
        }
    }

    /// A command that only looks does not write.
    pub(super) fn read_only(address: &Address) -> Self {
        let message = format!("{address} is opened read-only");
        PostgresError::Other(Fault::environment(Code::NOT_WRITABLE, "catalog:read-only", message))
    }

    /// Nothing came back in time.
    pub(super) fn silent(operation: &str, address: &Address) -> Self {
        let message = format!("cannot {operation} {address}: it does not answer");
        PostgresError::Unreachable(Fault::transient(Code::DATABASE_UNREACHABLE, "postgres:silent", message))
    }

    /// A row was changed by somebody who does not keep to the rules of commits.
    pub(super) fn moved(operation: &str, address: &Address) -> Self {
        let message = format!("cannot {operation} {address}: a row changed meanwhile");
        PostgresError::Busy(Fault::transient(Code::CATALOG_BUSY, "postgres:moved", message))
    }

    /// The tables were made by a newer version.
    pub(super) fn newer(address: &Address, found: i64, known: i64) -> Self {
        let message = format!(
            "{address} was prepared by a newer version (layout {found}, this version knows {known}); it was not changed"
        );
        PostgresError::Newer(Fault::environment(Code::CATALOG_NEWER, "catalog:newer", message))
    }

    /// The fault in it.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            PostgresError::Unreachable(fault)
            | PostgresError::Busy(fault)
            | PostgresError::Newer(fault)
            | PostgresError::Absent(fault)
            | PostgresError::Unprepared(fault)
            | PostgresError::Other(fault) => fault,
        }
    }

    /// True if another attempt may have a better end.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, PostgresError::Unreachable(_) | PostgresError::Busy(_))
    }
}

/// The tables are missing or old, and this role or command does not make them.
pub(super) fn unprepared(operation: &str, address: &Address, what: &str) -> Fault {
    let message = format!("cannot {operation} {address}: {what}");
    Fault::environment(Code::DATABASE_UNPREPARED, "postgres:unprepared", message)
}
