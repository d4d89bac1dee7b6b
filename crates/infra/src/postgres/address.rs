//! Where a database is.

use std::{fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;

/// Why a text is no address. Says nothing of the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another kind of address.
    #[error("it must begin with `postgres://` or `postgresql://`")]
    Scheme,
    /// It cannot be taken apart.
    #[error("it is no address of the form `postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full`")]
    Form,
    /// Nothing says which database.
    #[error("it names no database; the path of the address does, as in `postgres://USER@HOST/DATABASE`")]
    Database,
}

/// The address of a database, with what is needed to get in. What is shown of it never has the password.
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
    shown: String,
}

impl Address {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`. What is not in it comes from the variables of `libpq`
    /// (`PGPASSWORD`, `PGPASSFILE`, `PGSSLROOTCERT` and so on).
    ///
    /// # Errors
    /// [`AddressError`] if it is no such address, or names no database.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(AddressError::Scheme);
        }
        let options = PgConnectOptions::from_str(text).map_err(|_| AddressError::Form)?;
        let database = options.get_database().filter(|database| !database.is_empty()).ok_or(AddressError::Database)?;
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let shown = format!("postgres://{}@{place}/{database}", options.get_username());
        Ok(Self { options, shown })
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Address({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_password() {
        for text in [
            "postgres://ada:s3cret@db.example:5433/mangrove?sslmode=verify-full",
            "postgresql://ada@db.example:5433/mangrove?password=s3cret",
        ] {
            let address = Address::parse(text).expect("an address");
            assert_eq!(address.to_string(), "postgres://ada@db.example:5433/mangrove");
            assert!(!format!("{address:?}").contains("s3cret"), "{address:?}");
        }
        let socket =
            Address::parse("postgres://ada:s3cret@localhost/mangrove?host=/run/postgresql").expect("an address");
        assert_eq!(socket.to_string(), "postgres://ada@/run/postgresql/mangrove");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for (text, expected) in [
            ("mysql://ada:s3cret@db/x", AddressError::Scheme),
            ("postgres://ada:s3cret@db:port/x", AddressError::Form),
            ("postgres://ada:s3cret@db/x?sslmode=s3cret", AddressError::Form),
        ] {
            let error = Address::parse(text).expect_err("no address");
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        if std::env::var_os("PGDATABASE").is_none() {
            assert_eq!(Address::parse("postgres://ada@db").expect_err("no database"), AddressError::Database);
        }
    }
}
