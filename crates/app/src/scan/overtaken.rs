//! Whether another process made an attempt between our look and our turn.

use std::collections::BTreeSet;

use mangrove_domain::{ports::Catalog, row::Row, source::SourceId};

/// True if the row says something else of its source than it did when the attempt was planned on `planned`. False where
/// nothing can be said of it.
pub(super) async fn is_overtaken(catalog: &dyn Catalog, source: &SourceId, planned: Option<&Row>) -> bool {
    let Ok(view) = catalog.rows(&BTreeSet::from([source.clone()])).await else { return false };
    !says_the_same(view.rows.iter().find(|row| row.source == *source), planned)
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
