//! Sources: scanning, explaining, trying again, bundling one file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    bundle::Bundle,
    index::TypeIndex,
    ports::NumberedRecord,
    row::Row,
    settle::AuditRecord,
    source::{Kind, SourceId},
    type_name::TypeName,
};

use super::{base::Service, error::ServiceError};
use crate::{
    catalogue::{self, Lookup},
    retry::{self, Retried},
    scan::{self, Report, ScanRequest},
    single::{self, BundleError, Form},
    source_query::SourceQuery,
    types::{NotReady, ReadyType, Types as _},
    why::{self, Answer},
};
/// What a person asks for: a type, or a path as it is written in some directory.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// As it is written.
    pub text: &'a str,
    /// Where relative paths begin, absolute, beside the repository itself; `None` if only there.
    pub current_directory: Option<&'a Path>,
}

impl Service {
    /// Brings the catalog up to date.
    ///
    /// # Errors
    /// Sources, catalog or bundle store cannot be used.
    pub async fn scan(&self, request: &ScanRequest) -> Result<Report, ServiceError> {
        Ok(self.scanner.scan(request).await?)
    }

    /// The types as the catalog has them now, without a look at the sources.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn types(&self) -> Result<Arc<TypeIndex>, ServiceError> {
        Ok(self.scanner.load().await?)
    }

    /// The rows as the catalog has them now, sorted by source, without a look at the sources: what a list of types is made of.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn rows(&self) -> Result<Vec<Row>, ServiceError> {
        let view = self.scanner.ports().catalog.snapshot().await.map_err(scan::Error::reading_catalog)?;
        let mut rows = view.rows;
        rows.sort_by(|left, right| left.source.cmp(&right.source));
        Ok(rows)
    }

    /// The type that a text names: of this kind, or of whatever kind has one. Nothing is built.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn describe(&self, text: &str, kind: Option<&Kind>) -> Result<Lookup, ServiceError> {
        Ok(catalogue::find(&self.scanner, text, kind).await?)
    }

    /// As [`describe`](Self::describe), by the types as they were published last.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn describe_published(&self, text: &str, kind: Option<&Kind>) -> Result<Lookup, ServiceError> {
        Ok(catalogue::find_in(&self.scanner, &self.scanner.index(), text, kind).await?)
    }

    /// The transitions of all sources, newest first: at most `limit`, of those with a number below `before` if that is
    /// given.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn history(&self, before: Option<u64>, limit: u32) -> Result<Vec<NumberedRecord>, ServiceError> {
        Ok(self.scanner.ports().catalog.history(before, limit).await?)
    }

    /// The transitions of one source, oldest first.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn history_of(&self, source: &SourceId) -> Result<Vec<AuditRecord>, ServiceError> {
        Ok(self.scanner.ports().catalog.transitions(source).await?)
    }

    /// A type that is ready to run, built now if it has to be.
    ///
    /// # Errors
    /// [`NotReady`] says why there is none.
    pub async fn ready(&self, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady> {
        self.types.ready(kind, type_name).await
    }

    /// Why sources are in the state they are in, and what the next scan would do. Changes nothing.
    ///
    /// # Errors
    /// Sources or catalog cannot be looked at.
    pub async fn why(&self, query: Query<'_>) -> Result<Answer, ServiceError> {
        let query = self.source_query(query).await?;
        Ok(why::explain(&self.scanner, &query).await?)
    }

    /// Tries failed and degraded sources now, whatever their timers say: those that are meant, or all of them.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    pub async fn retry(&self, query: Option<Query<'_>>, request: &ScanRequest) -> Result<Retried, ServiceError> {
        let query = match query {
            Some(query) => Some(self.source_query(query).await?),
            None => None,
        };
        Ok(retry::retry(&self.scanner, query.as_ref(), request).await?)
    }

    /// The source that a file is, by its absolute path; `None` if it lies in no root.
    ///
    /// # Errors
    /// The sources cannot be looked at.
    pub async fn source_of(&self, file: &Path) -> Result<Option<SourceId>, ServiceError> {
        Ok(self.scanner.ports().tree.source_of(file).await?)
    }

    /// Bundles one source, outside of the catalog.
    ///
    /// # Errors
    /// It cannot be read or built.
    pub async fn bundle(&self, source: &SourceId, form: Form) -> Result<Bundle, BundleError> {
        single::bundle(self.scanner.ports(), source, form).await
    }

    /// What a query means: a type, a path below a root, one relative to the current directory or to the repository, or
    /// an absolute one.
    async fn source_query(&self, query: Query<'_>) -> Result<SourceQuery, ServiceError> {
        let repository = &self.repository.directory;
        let here = query.current_directory.map(|directory| directory.join(query.text));
        let below = |path: &PathBuf| Some(path.strip_prefix(repository).ok()?.to_str()?.replace('\\', "/"));
        let mut meant = SourceQuery::new(query.text, here.as_ref().and_then(below));
        for path in here.into_iter().chain([repository.join(query.text)]) {
            if let Some(source) = self.source_of(&path).await? {
                meant = meant.with_file(source);
            }
        }
        Ok(meant)
    }
}
