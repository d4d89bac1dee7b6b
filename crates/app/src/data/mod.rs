//! What methods have written, as methods and people ask for it.

mod models;
mod record;
mod sweep;

pub use self::{
    models::{Models, document as definition_document},
    record::{document, owner, record, tags, text_of},
    sweep::{SweepError, Swept, sweep},
};
