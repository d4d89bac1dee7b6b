//! What methods have written, as expressions, methods and people ask for it.

mod equalities;
mod lookups;
mod models;
mod query;
mod record;
mod records;
mod sensitive;
mod sweep;

pub use self::{
    lookups::DataLookups,
    models::{Models, document as definition_document},
    query::{QUERY_NAMES, QueryError},
    record::{document, owner, record, tags, text_of},
    records::{Records, RecordsError},
    sweep::{SweepError, Swept, sweep},
};
