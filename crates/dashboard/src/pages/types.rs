//! `/types`: every source with what it is, searched and filtered by the address.

use askama::Template;
use axum::response::Response;
use mangrove_daemon::http::{
    ApiError, Parameters,
    listing::{self, SourceFilter, SourceWords},
};
use mangrove_documents::{BuiltInDocument, TypesDocument};
use mangrove_domain::{row::Row, state::StateName};
use serde::Deserialize;

use crate::{
    frame::{Frame, Section, Visitor, page},
    parts::{address, badge::Badge, names},
};

/// How many sources one page has.
const PAGE: u32 = 100;

/// What is asked for; empty is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    query: String,
    kind: String,
    /// The name of a state, or `unhealthy`.
    state: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "types.html")]
struct Types {
    frame: Frame,
    asked: Asked,
    kinds: Vec<String>,
    states: Vec<Choice>,
    lines: Vec<Line>,
    /// The types that come with the program and fit.
    built_in: Vec<BuiltIn>,
    total: usize,
    next: Option<String>,
}

struct Choice {
    value: &'static str,
    label: &'static str,
}

struct BuiltIn {
    address: String,
    document: BuiltInDocument,
}

struct Line {
    name: String,
    address: String,
    kind: String,
    badge: Badge,
    version: String,
    extension: String,
    source: String,
    source_address: String,
}

/// The page.
pub(crate) async fn show(visitor: Visitor, Parameters(asked): Parameters<Asked>) -> Result<Response, ApiError> {
    let frame = visitor.frame(Section::Types, "Types");
    let filter = SourceFilter::new(&visitor.state, asked.words())?;
    let index = visitor.state.service().published();
    let rows = || index.rows().map(AsRef::as_ref).filter(|row| filter.includes(row));
    let cursor = Some(asked.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let (found, next) = listing::page(rows(), Some(PAGE), cursor)?;
    let lines = found.into_iter().map(Line::of).collect();
    let next = next.map(|cursor| asked.address(&cursor));
    let layouts = visitor.state.service().scanner().loaders().layouts();
    let mut kinds: Vec<String> = layouts.iter().map(|layout| layout.kind.to_string()).collect();
    kinds.sort();
    let total = rows().count();
    let built_in = asked.built_in();
    page(&Types { frame, asked, kinds, states: states(), lines, built_in, total, next })
}

/// What can be chosen as a state. Sources are in the others for moments only.
fn states() -> Vec<Choice> {
    let shown = [
        StateName::Indexed,
        StateName::BundleBuildFailed,
        StateName::ValidationFailed,
        StateName::EntryPointUnreadable,
        StateName::OrphanedBundleOnly,
    ];
    let states = shown.map(|state| Choice { value: state.as_str(), label: Badge::word(state) });
    [Choice { value: UNHEALTHY, label: "unhealthy" }].into_iter().chain(states).collect()
}

/// The choice of everything that is unhealthy.
const UNHEALTHY: &str = "unhealthy";

impl Asked {
    fn words(&self) -> SourceWords {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let is_unhealthy = self.state == UNHEALTHY;
        SourceWords {
            state: given(&self.state).filter(|_| !is_unhealthy),
            kind: given(&self.kind),
            query: given(&self.query),
            unhealthy: is_unhealthy,
            ..SourceWords::default()
        }
    }

    /// The types that come with the program, on the first page.
    fn built_in(&self) -> Vec<BuiltIn> {
        if !self.state.is_empty() || !self.cursor.is_empty() {
            return Vec::new();
        }
        let given = |text: &'_ String| Some(text.clone()).filter(|text| !text.is_empty());
        let (kind, query) = (given(&self.kind), given(&self.query));
        let fitting = TypesDocument::new([]).with_built_in(kind.as_deref(), query.as_deref()).built_in;
        let lines = fitting.into_iter();
        lines.map(|document| BuiltIn { address: address::of_type_name(&document.type_name), document }).collect()
    }

    fn is_filtered(&self) -> bool {
        [&self.query, &self.kind, &self.state].iter().any(|text| !text.is_empty())
    }

    /// The address of the page with this cursor.
    fn address(&self, cursor: &str) -> String {
        let parameters =
            [("query", self.query.as_str()), ("kind", &self.kind), ("state", &self.state), ("cursor", cursor)];
        address::with("/types", &parameters)
    }
}

impl Line {
    fn of(row: &Row) -> Self {
        let source_address = address::of_source(&row.source);
        let type_name = row.type_name();
        let version = row.state.indexed().and_then(|indexed| indexed.version.as_deref()).unwrap_or_default();
        Self {
            name: type_name.map_or_else(|| "no type".to_owned(), ToString::to_string),
            address: type_name
                .map_or_else(|| source_address.clone(), |name| address::of_type(&row.kind, name.as_str())),
            kind: row.kind.to_string(),
            badge: Badge::of_row(row),
            version: version.to_owned(),
            extension: names::extension(row),
            source: row.source.to_string(),
            source_address,
        }
    }
}
