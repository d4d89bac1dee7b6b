//! What stands in the columns beside a record: all that lists need. A record can be long; it is not read for them.

use mangrove_domain::{
    ports::RunStoreError,
    run::{RunHeader, RunStatus},
    time::Timestamp,
};

use super::{damaged, record::ParseError};

/// Identifier, name, trigger, status, and the times in milliseconds.
pub(crate) type StoredHeader = (String, String, String, String, i64, Option<i64>);

pub(crate) fn parse(stored: StoredHeader) -> Result<RunHeader, RunStoreError> {
    let (id, name, trigger, status, started_at, finished_at) = stored;
    let Some(status) = RunStatus::parse(&status) else {
        return Err(damaged(&id, &ParseError::Word { what: "status", word: status }));
    };
    let (started_at, finished_at) = (Timestamp::from_millis(started_at), finished_at.map(Timestamp::from_millis));
    Ok(RunHeader { id, name, trigger, status, started_at, finished_at })
}
