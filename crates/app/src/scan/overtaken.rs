//! Whether another process made an attempt between our look and our turn.

use std::collections::HashMap;

use mangrove_domain::{digest::Digest, ports::Catalog, row::Row, source::SourceId};
use tokio::sync::Mutex;

/// The rows as the catalog holds them now, read again when somebody commits.
#[derive(Debug, Default)]
pub(super) struct Committed(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    mark: Option<Digest>,
    by_source: HashMap<SourceId, Row>,
}

impl Committed {
    /// True if the row says something else of its source than it did when the attempt was planned on `planned`. False
    /// where nothing can be said of it.
    pub(super) async fn overtakes(&self, catalog: &dyn Catalog, source: &SourceId, planned: Option<&Row>) -> bool {
        let mut rows = self.0.lock().await;
        let mark = catalog.mark().await;
        // A commit that is a moment old has no mark yet.
        if mark.is_none() || rows.mark != mark {
            let Ok(view) = catalog.snapshot().await else { return false };
            // Taken before the rows were read: what is committed in between is read once more.
            rows.mark = mark;
            rows.by_source = view.rows.into_iter().map(|row| (row.source.clone(), row)).collect();
        }
        !says_the_same(rows.by_source.get(source), planned)
    }
}

/// Apart from its revision and from who has its type: these move with other rows. A row that nobody has written since is
/// the same whatever it was planned as: one that has lost its description was planned as one without.
fn says_the_same(now: Option<&Row>, planned: Option<&Row>) -> bool {
    if let (Some(now), Some(planned)) = (now, planned)
        && now.revision == planned.revision
    {
        return true;
    }
    let plain = |row: &Row| Row { revision: 0, shadowed_by: None, shadow_fallback: false, ..row.clone() };
    now.map(plain) == planned.map(plain)
}
