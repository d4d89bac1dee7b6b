//! A checkout, and the program used in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use mangrove_testkit::namespaces::Namespace;
use serde_json::Value;

use crate::PASSWORD;

/// A checkout, and what its commands are given.
pub(crate) struct Checkout<'a> {
    pub(crate) directory: PathBuf,
    pub(crate) catalog: String,
    /// Further variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// The network that its commands have, if it is not that of the test.
    pub(crate) namespace: Option<&'a Namespace>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Checkout<'_> {
    /// A repository as `init` makes it, with a catalog at this address.
    pub(crate) fn new(directory: PathBuf, catalog: &str) -> Self {
        let made = Self::at(directory.parent().expect("a parent"));
        let name = directory.file_name().expect("a name").to_str().expect("UTF-8");
        made.succeed(&["init", name]);
        Self { directory, catalog: catalog.to_owned(), variables: BTreeMap::new(), namespace: None }
    }

    /// What commands are run with that need no catalog.
    pub(crate) fn at(directory: &Path) -> Self {
        let (catalog, variables) = (String::new(), BTreeMap::new());
        Self { directory: directory.to_owned(), catalog, variables, namespace: None }
    }

    /// Another checkout of the same commit.
    pub(crate) fn cloned(&self, directory: PathBuf) -> Self {
        copy(&self.directory, &directory);
        let (catalog, variables) = (self.catalog.clone(), self.variables.clone());
        Self { directory, catalog, variables, namespace: self.namespace }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_mangrove"));
        let mut command = self.namespace.map_or_else(|| Command::new(program), |namespace| namespace.command(program));
        command.env_clear().current_dir(&self.directory).args(arguments).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if !self.catalog.is_empty() {
            command.env("MANGROVE_CATALOG", &self.catalog);
        }
        command.envs(&self.variables);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let output = Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!format!("{output:?}").contains(PASSWORD), "a password is shown: {output:?}");
        output
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
        output.stdout
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(&[arguments, &["--json"]].concat())).expect("a document")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            // What git does not keep.
            if entry.file_name() != ".mangrove" {
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
