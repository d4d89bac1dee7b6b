//! Records of runs as they are stored, whichever engine keeps them: a document of the run, one of each step, and beside them
//! what lists of runs show.

mod advice;
mod header;
mod interrupted;
mod record;
mod written;

use mangrove_domain::{failure::Fault, ports::RunStoreError, problem::Code, run::RunRecord};

pub(crate) use header::{StoredHeader, parse as parse_header};
pub(crate) use interrupted::interrupted;
pub(crate) use record::{ParseError, to_json};
pub(crate) use written::{Changes, Written};

/// A record as it is stored.
pub(crate) struct StoredRecord {
    /// The identifier of the run.
    pub(crate) id: String,
    /// Its document.
    pub(crate) json: String,
    /// The place of the job and the document of each step, in their order.
    pub(crate) steps: Vec<(usize, String)>,
}

impl StoredRecord {
    pub(crate) fn parsed(&self) -> Result<RunRecord, ParseError> {
        record::parse(&self.json, &self.steps)
    }

    pub(crate) fn record(&self) -> Result<RunRecord, RunStoreError> {
        self.parsed().map_err(|problem| damaged(&self.id, &problem))
    }
}

/// A record that cannot be understood.
pub(crate) fn damaged(id: &str, problem: &dyn std::error::Error) -> RunStoreError {
    let message = format!("the record of run {id} cannot be understood: {problem}");
    RunStoreError { operation: "read", fault: Fault::environment(Code::CATALOG_ROW, "runs:record", message) }
}

/// The place of a job or a step as it is stored.
pub(crate) fn stored_place(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// The same back.
pub(crate) fn place(stored: i64) -> usize {
    usize::try_from(stored).unwrap_or(usize::MAX)
}
