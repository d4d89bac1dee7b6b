//! What methods have written, as expressions, methods and people ask for it.

mod equalities;
mod lookups;
mod models;
mod query;
mod record;
mod records;
mod sensitive;
mod sweep;

#[expect(clippy::module_name_repetitions, reason = "other lookups are in sight where this one is")]
pub use self::lookups::DataLookups;
pub use self::{
    models::{Models, document as definition_document},
    query::{QUERY_NAMES, QueryError},
    record::{document, owner, record, tags, text_of},
    records::{Records, RecordsError},
    sweep::{SweepError, Swept, sweep},
};
