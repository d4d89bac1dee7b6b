//! What is read, as it is shown.

use std::borrow::Cow;

use mangrove_domain::{
    description::Description,
    digest::Digest,
    observation::CatalogView,
    problem::{Code, Problem},
    settle::Transition,
    source::{RelativePath, RootId, SourceId},
    state::StateName,
    time::Timestamp,
};

use super::record;

/// One row as it is stored.
pub(crate) struct Stored<'a> {
    pub(crate) root: Cow<'a, str>,
    pub(crate) path: Cow<'a, str>,
    pub(crate) revision: u64,
    /// As [`record`] encodes it.
    pub(crate) record: &'a [u8],
}

/// Adds one row, or what is wrong with it.
pub(crate) fn add_row(view: &mut CatalogView, decoder: &mut record::Decoder, stored: &Stored<'_>, is_described: bool) {
    match decoder.row(&stored.root, &stored.path, stored.revision, stored.record) {
        Ok(row) if is_described => view.rows.push(row),
        Ok(row) => {
            view.damaged.push(row.undescribed());
            view.rows.push(row.without_description());
        }
        Err(error) => {
            view.damaged.push(damaged_row(&stored.root, &stored.path, &error));
            let path = RelativePath::parse(&stored.path).ok();
            view.unreadable.extend(path.map(|path| SourceId { root: RootId::new(&*stored.root), path }));
        }
    }
}

fn damaged_row(root: &str, path: &str, error: &record::RecordError) -> Problem {
    let subject = RelativePath::parse(path)
        .map_or_else(|_| format!("{root}/{path}"), |path| SourceId { root: RootId::new(root), path }.to_string());
    let message = format!("the catalog row of {subject} cannot be read: {error}");
    Problem::warning(Code::CATALOG_ROW, subject, message).advise("the next scan creates it again")
}

/// The description of this digest; `None` if the stored text is not that.
pub(crate) fn description(digest: Digest, json: &[u8]) -> Option<Description> {
    let described = || {
        let json = mangrove_fs::json_text::parse(std::str::from_utf8(json).ok()?).ok()?;
        Description::from_json(&json)
    };
    let description = if Digest::of(json) == digest { described() } else { None };
    if description.is_none() {
        tracing::warn!(digest = %digest.short(), "a stored description is damaged");
    }
    description
}

/// The columns of a line of the audit; `None` if a state is none of ours.
pub(crate) fn transition(
    from: Option<&str>,
    to: &str,
    reason: &str,
    entry_digest: Option<&[u8]>,
    at_millis: i64,
) -> Option<Transition> {
    let from = from.map(StateName::parse);
    let digest = entry_digest.map(|bytes| bytes.try_into().map(Digest::from_bytes));
    let (Some(to), false, Ok(entry_digest)) = (StateName::parse(to), from == Some(None), digest.transpose()) else {
        return None;
    };
    Some(Transition {
        from: from.flatten(),
        to,
        reason: reason.to_owned(),
        entry_digest,
        at: Timestamp::from_millis(at_millis),
    })
}
