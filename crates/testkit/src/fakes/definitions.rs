//! Definitions in memory.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    ports::{DefinitionFiles, DefinitionText, FilesError},
    problem::Code,
    source::RelativePath,
};

use super::lock;

/// Files by their paths, each kind for itself.
#[derive(Debug, Default)]
pub struct MemoryDefinitionFiles {
    automatic: Mutex<BTreeMap<String, String>>,
    written: Mutex<BTreeMap<String, String>>,
}

impl MemoryDefinitionFiles {
    /// There are none.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

fn checked(path: &str) -> Result<(), FilesError> {
    let refused = |error: mangrove_domain::source::PathError| {
        let fault = Fault::environment(Code::INVALID_DOCUMENT, format!("path:{path}"), error.to_string());
        FilesError { operation: "write", path: path.to_owned(), fault }
    };
    RelativePath::parse(path).map(drop).map_err(refused)
}

fn text(file: String, text: &str) -> DefinitionText {
    DefinitionText { file, text: text.to_owned() }
}

#[async_trait]
impl DefinitionFiles for MemoryDefinitionFiles {
    async fn automatic(&self) -> Result<Vec<DefinitionText>, FilesError> {
        let files = lock(&self.automatic);
        Ok(files.iter().map(|(path, content)| text(format!("automatic/{path}"), content)).collect())
    }

    async fn read_automatic(&self, path: &str) -> Result<Option<DefinitionText>, FilesError> {
        checked(path)?;
        Ok(lock(&self.automatic).get(path).map(|content| text(format!("automatic/{path}"), content)))
    }

    async fn create_automatic(&self, path: &str, content: &str) -> Result<DefinitionText, FilesError> {
        checked(path)?;
        let mut files = lock(&self.automatic);
        let kept = files.entry(path.to_owned()).or_insert_with(|| content.to_owned());
        Ok(text(format!("automatic/{path}"), kept))
    }

    async fn replace_automatic(&self, path: &str, before: &str, content: &str) -> Result<DefinitionText, FilesError> {
        checked(path)?;
        let mut files = lock(&self.automatic);
        let kept = files.entry(path.to_owned()).or_insert_with(|| before.to_owned());
        if kept == before {
            content.clone_into(kept);
        }
        Ok(text(format!("automatic/{path}"), kept))
    }

    async fn create(&self, path: &str, content: &str) -> Result<Option<DefinitionText>, FilesError> {
        checked(path)?;
        let mut files = lock(&self.written);
        if files.contains_key(path) {
            return Ok(None);
        }
        files.insert(path.to_owned(), content.to_owned());
        Ok(Some(text(format!("models/{path}"), content)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        crate::contract::definition_files(&MemoryDefinitionFiles::new()).await;
    }
}
