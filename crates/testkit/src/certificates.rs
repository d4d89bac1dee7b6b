//! Certificates for servers of tests, made by the program `openssl`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A server's certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Somebody who certifies servers, and whom nobody trusts who is not told to.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
}

impl Authority {
    /// Makes one whose files lie in this directory.
    ///
    /// # Panics
    /// If `openssl` is missing or fails.
    #[must_use]
    pub fn create(directory: &Path) -> Self {
        let authority = Self { directory: directory.to_owned() };
        let name = "/CN=An authority of tests";
        authority.request("authority", &["-subj", name, "-addext", "basicConstraints=critical,CA:TRUE"]);
        authority
    }

    /// What whoever trusts it is given.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// Certifies a server that is called `host`.
    ///
    /// # Panics
    /// If `openssl` fails.
    #[must_use]
    pub fn certify(&self, host: &str) -> Certificate {
        let (authority, key) = (self.certificate(), self.file("authority.key"));
        let signed = ["-CA", &*authority.to_string_lossy(), "-CAkey", &*key.to_string_lossy()].map(str::to_owned);
        let (subject, name) = (format!("/CN={host}"), format!("subjectAltName=DNS:{host}"));
        let about = ["-subj", &subject, "-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"];
        let arguments: Vec<&str> = signed.iter().map(String::as_str).chain(about).collect();
        self.request(host, &arguments);
        Certificate { certificate: self.file(&format!("{host}.pem")), key: self.file(&format!("{host}.key")) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn request(&self, name: &str, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-out"]).arg(self.file(&format!("{name}.pem")));
        command.arg("-keyout").arg(self.file(&format!("{name}.key"))).args(arguments);
        let output = command.output().unwrap_or_else(|error| panic!("the test needs the program `openssl`: {error}"));
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }
}
