//! Ports that a test does not expect to be asked.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    description::Violation,
    document::Document,
    json::Json,
    ports::{
        DocumentError, Documents, ExpressionError, Expressions, FileList, FileReading, FilesError, KnownFile,
        ParsedExpression, RepositoryFiles, SchemaError, SchemaValidator, Shell, ShellCommand, ShellEnd, ShellListener,
        Vault, VaultError, VaultProviders,
    },
    vault::VaultConfiguration,
};

/// Stands where definitions and workflows are read, in a test that reads none. Whoever asks it panics.
#[derive(Clone, Copy, Debug, Default)]
pub struct NeverAsked;

impl Documents for NeverAsked {
    fn parse(&self, name: &str, _text: &str) -> Result<Document, DocumentError> {
        panic!("no document should be read: {name}")
    }
}

impl Expressions for NeverAsked {
    fn parse(&self, expression: &str) -> Result<Arc<dyn ParsedExpression>, ExpressionError> {
        panic!("no expression should be read: {expression}")
    }
}

impl SchemaValidator for NeverAsked {
    fn validate(&self, schema: &Json, _value: &Json) -> Result<Vec<Violation>, SchemaError> {
        panic!("no schema should be used: {schema}")
    }
}

#[async_trait]
impl RepositoryFiles for NeverAsked {
    async fn list(&self, directories: &[&str], _endings: &[&str]) -> Result<FileList, FilesError> {
        panic!("no directory should be listed: {directories:?}")
    }

    async fn read(&self, path: &str) -> Result<Option<String>, FilesError> {
        panic!("no file should be read: {path}")
    }

    async fn read_changed(&self, files: Vec<KnownFile>) -> Vec<FileReading> {
        panic!("no file should be read: {files:?}")
    }

    async fn is_listed_so(&self, list: &FileList) -> bool {
        panic!("no directory should be listed: {list:?}")
    }
}

#[async_trait]
impl Shell for NeverAsked {
    async fn run(&self, command: ShellCommand, _hear: &mut ShellListener<'_>) -> ShellEnd {
        panic!("no command should be run: {}", command.text)
    }
}

impl VaultProviders for NeverAsked {
    fn types(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    fn open(&self, configuration: &VaultConfiguration) -> Option<Result<Arc<dyn Vault>, VaultError>> {
        panic!("no vault should be opened: {}", configuration.name.value)
    }
}
