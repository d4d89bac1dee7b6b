//! `/source`: one source, whether it became a type or not.

use askama::Template;
use axum::response::Response;
use mangrove_app::service::Query;
use mangrove_daemon::http::{ApiError, Parameters};
use mangrove_documents::{ErrorReport, ExplainedDocument, SourceDocument};
use mangrove_domain::source::{RelativePath, RootId, SourceId};
use serde::Deserialize;

use crate::{
    failures::{Group, groups_of},
    frame::{Frame, Section, Visitor, page},
    parts::{
        address,
        badge::Badge,
        names,
        timeline::{self, Entry},
    },
};

/// Which source.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    root: String,
    path: String,
    /// Not empty: it is compared with the disk.
    compare: String,
}

#[derive(Template)]
#[template(path = "source.html")]
struct Source {
    frame: Frame,
    name: String,
    document: SourceDocument,
    type_address: Option<String>,
    badge: Badge,
    digest: String,
    /// Where it comes from.
    extension: String,
    groups: Vec<Group>,
    compare_address: String,
    /// What a scan would do.
    explained: Option<ExplainedDocument>,
    timeline: Vec<Entry>,
    further: usize,
}

/// The page.
pub(crate) async fn show(visitor: Visitor, Parameters(asked): Parameters<Asked>) -> Result<Response, ApiError> {
    let service = visitor.state.service();
    let source = RelativePath::parse(&asked.path).ok().map(|path| SourceId { root: RootId::new(asked.root), path });
    let index = service.published();
    let row = source.as_ref().and_then(|source| index.row(source));
    let Some(row) = row else {
        return Err(ApiError::not_found(ErrorReport::unknown_source(&asked.path, None, &[])));
    };
    let name = row.source.to_string();
    let explained = if asked.compare.is_empty() {
        None
    } else {
        let answer = visitor.state.look(service.why(Query { text: &name, current_directory: None })).await?;
        answer.explanations.iter().find(|one| one.source == row.source).map(ExplainedDocument::from)
    };
    let (timeline, further) = timeline::entries(service.history_of(&row.source).await?, visitor.now);
    page(&Source {
        frame: visitor.frame(Section::Types, name.as_str()),
        document: SourceDocument::of_row(row),
        type_address: row.type_name().map(|name| address::of_type(&row.kind, name.as_str())),
        badge: Badge::of_row(row),
        digest: row.bundle().map(|bundle| bundle.entry.key.digest().short()).unwrap_or_default(),
        extension: names::extension(row),
        groups: groups_of([row.as_ref()], visitor.now),
        compare_address: format!("{}&compare=1#compared", address::of_source(&row.source)),
        name,
        explained,
        timeline,
        further,
    })
}
