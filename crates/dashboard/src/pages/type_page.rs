//! `/types/{type}`: what a type offers, what it may reach, where it comes from and what became of it.

use std::{collections::BTreeSet, sync::Arc};

use askama::Template;
use axum::response::Response;
use mangrove_app::{attachment::Composed, catalogue::Lookup, health, types::NotReady};
use mangrove_daemon::http::{ApiError, InPath, Parameters, listing};
use mangrove_documents::{DescribeDocument, ErrorReport, MethodDocument};
use mangrove_domain::{
    index::TypeIndex,
    permission::{Grant, Permission, Permissions},
    row::Row,
    source::Kind,
    type_name::TypeName,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    failures::{Group, groups_of},
    frame::{Frame, Section, Visitor, page},
    parts::{
        address,
        badge::{Badge, Tone},
        names,
        schema::{Property, properties},
        timeline::{self, Entry},
    },
};

/// Which of several types of one name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    kind: String,
}

#[derive(Template)]
#[template(path = "type.html")]
struct TypePage {
    frame: Frame,
    name: String,
    kind: String,
    badge: Badge,
    /// What is wrong with its sources.
    groups: Vec<Group>,
    /// Why it cannot be used, beyond what is wrong with its sources.
    reasons: Vec<String>,
    described: Option<Described>,
    sources: Vec<Source>,
    timeline: Vec<Entry>,
    further: usize,
}

/// What is known of a type that can be used.
struct Described {
    document: DescribeDocument,
    /// Name, description, scope, labels.
    facts: Vec<(&'static str, String)>,
    methods: Vec<Method>,
    /// Arguments of the type as a whole, and what its configuration may have.
    schemas: Vec<(&'static str, Vec<Property>)>,
    /// What it makes: resources, files, checks; each with its members and what they are.
    sections: Vec<(&'static str, Vec<(String, String)>)>,
    permissions: Vec<Reach>,
    is_shipped: Option<String>,
}

struct Method {
    /// Where it is on the page.
    anchor: String,
    document: MethodDocument,
    arguments: Vec<Property>,
}

/// One permission: whether the code needs it and whether it is granted.
struct Reach {
    name: &'static str,
    is_needed: bool,
    /// True if the code needs it and nothing of it is granted.
    is_lacking: bool,
    granted: String,
    badge: Badge,
}

struct Source {
    name: String,
    address: String,
    badge: Badge,
    /// The extension that it belongs to, and how that came here.
    extension: String,
    /// Its part in the type: `resolves it`, `adds to it`, `hidden by …`.
    part: String,
    /// The digest of its code, in short.
    digest: String,
}

#[derive(Template)]
#[template(path = "type_choice.html")]
struct Choices {
    frame: Frame,
    name: String,
    /// Kinds and where their types are.
    of_kinds: Vec<(String, String)>,
}

/// The page.
pub(crate) async fn show(
    visitor: Visitor,
    InPath(name): InPath<String>,
    Parameters(Asked { kind }): Parameters<Asked>,
) -> Result<Response, ApiError> {
    let state = &visitor.state;
    let kind = Some(kind).filter(|kind| !kind.is_empty());
    let kind = kind.map(|kind| listing::kind_of(state, &kind)).transpose()?;
    // What nobody knows is looked for on the disk.
    match state.look(state.service().describe_published(&name, kind.as_ref())).await? {
        Lookup::Found(composed) => found(&visitor, &composed).await,
        Lookup::BuiltIn(description) => built_in(&visitor, DescribeDocument::built_in(description)),
        Lookup::Unknown(not_ready) => unusable(&visitor, &name, kind, &not_ready).await,
        Lookup::Ambiguous(kinds) => {
            let frame = visitor.frame(Section::Types, name.as_str());
            let of_kinds = kinds.iter().map(|kind| (kind.to_string(), address::of_type(kind, &name))).collect();
            page(&Choices { frame, name, of_kinds })
        }
        Lookup::NoName(nearest) => Err(ApiError::not_found(ErrorReport::no_type_name(&name, &nearest))),
    }
}

async fn found(visitor: &Visitor, composed: &Composed) -> Result<Response, ApiError> {
    let index = visitor.state.service().published();
    let document = DescribeDocument::from(composed);
    let name = composed.attachment.description.type_name.clone();
    let rows = rows_of(&index, &composed.row.kind, &name);
    let shipped = health::shipped(&composed.row).map(|remark| remark.message);
    let described = Described::new(document, shipped, &visitor.state.service().permissions());
    send(visitor, &name, &composed.row.kind, &rows, Some(described), Vec::new()).await
}

/// A type that comes with the program.
fn built_in(visitor: &Visitor, document: DescribeDocument) -> Result<Response, ApiError> {
    let (name, kind) = (document.type_name.clone(), document.kind.clone());
    page(&TypePage {
        frame: visitor.frame(Section::Types, name.as_str()),
        name,
        kind,
        badge: Badge::new(Tone::Good, "built in"),
        groups: Vec::new(),
        reasons: Vec::new(),
        described: Some(Described::new(document, None, &visitor.state.service().permissions())),
        sources: Vec::new(),
        timeline: Vec::new(),
        further: 0,
    })
}

/// A type that sources claim and none resolves.
async fn unusable(
    visitor: &Visitor,
    text: &str,
    kind: Option<Kind>,
    not_ready: &NotReady,
) -> Result<Response, ApiError> {
    let index = visitor.state.service().published();
    let name = TypeName::stored(text);
    let kind = kind.or_else(|| index.kinds_of(&name).into_iter().next());
    let Some(kind) = kind else { return Err(ApiError::not_ready(not_ready)) };
    let rows = rows_of(&index, &kind, &name);
    if rows.is_empty() {
        return Err(ApiError::not_ready(not_ready));
    }
    let reasons = [not_ready.headline()].into_iter().chain(not_ready.reasons()).collect();
    send(visitor, &name, &kind, &rows, None, reasons).await
}

/// Every source that takes part in a type, or would.
fn rows_of(index: &TypeIndex, kind: &Kind, name: &TypeName) -> Vec<Arc<Row>> {
    let lists = [index.claimants(kind, name), index.add_ons(kind, name), index.broken_add_ons(kind, name)];
    lists.into_iter().flatten().collect()
}

async fn send(
    visitor: &Visitor,
    name: &TypeName,
    kind: &Kind,
    rows: &[Arc<Row>],
    described: Option<Described>,
    reasons: Vec<String>,
) -> Result<Response, ApiError> {
    let service = visitor.state.service();
    let mut records = Vec::new();
    for row in rows {
        records.extend(service.history_of(&row.source).await?);
    }
    let (timeline, further) = timeline::entries(records, visitor.now);
    let resolving = rows.iter().find(|row| row.is_resolvable());
    let first = resolving.or_else(|| rows.first());
    let template = TypePage {
        frame: visitor.frame(Section::Types, name.as_str()),
        name: name.to_string(),
        kind: kind.to_string(),
        badge: first.map_or_else(|| Badge::new(Tone::Bad, "unknown"), |row| Badge::of_row(row)),
        groups: groups_of(rows.iter().map(AsRef::as_ref), visitor.now),
        reasons,
        described,
        sources: rows.iter().map(|row| Source::of(row)).collect(),
        timeline,
        further,
    };
    page(&template)
}

impl Source {
    fn of(row: &Row) -> Self {
        let part = match (&row.shadowed_by, row.is_add_on(), row.is_resolvable()) {
            (Some(other), ..) => format!("hidden by {other}"),
            (None, true, _) => "adds to it".to_owned(),
            (None, false, true) if row.shadow_fallback => "stands in for one that failed".to_owned(),
            (None, false, true) => "resolves it".to_owned(),
            (None, false, false) => "claims it".to_owned(),
        };
        Self {
            name: row.source.to_string(),
            address: address::of_source(&row.source),
            badge: Badge::of_row(row),
            extension: names::extension(row),
            part,
            digest: row.bundle().map(|bundle| bundle.entry.key.digest().short()).unwrap_or_default(),
        }
    }
}

impl Described {
    fn lacks_permissions(&self) -> bool {
        self.permissions.iter().any(|line| line.is_lacking)
    }

    fn new(document: DescribeDocument, is_shipped: Option<String>, permissions: &Permissions) -> Self {
        let details = &document.details;
        let text = |key: &str| details.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        let labels = details
            .get("labels")
            .and_then(Value::as_array)
            .map(|labels| labels.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
        let facts =
            [("Name", text("name")), ("About", text("description")), ("Scope", text("scope")), ("Labels", labels)];
        let schemas = [("globalArguments", "Arguments of the type"), ("configSchema", "Configuration")];
        let schemas = schemas.into_iter().filter_map(|(key, title)| Some((title, properties(details.get(key)?))));
        let sections = [("resources", "Resources"), ("files", "Files"), ("checks", "Checks")];
        let sections = sections.into_iter().filter_map(|(key, title)| Some((title, members(details.get(key)?))));
        let methods = document.methods.iter().enumerate();
        let methods = methods.map(|(number, method)| Method {
            anchor: format!("method-{number}"),
            arguments: properties(&method.arguments),
            document: method.clone(),
        });
        Self {
            facts: facts.into_iter().filter_map(|(title, text)| Some((title, text?))).collect(),
            methods: methods.collect(),
            schemas: schemas.filter(|(_, lines)| !lines.is_empty()).collect(),
            sections: sections.filter(|(_, members)| !members.is_empty()).collect(),
            permissions: reach(&document, permissions),
            is_shipped,
            document,
        }
    }
}

/// The members of a section of the description, with what their author says of them.
fn members(section: &Value) -> Vec<(String, String)> {
    let members = section.as_object().into_iter().flatten();
    let text = |member: &Value| member.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    members.map(|(name, member)| (name.clone(), text(member))).collect()
}

/// What the code needs and what it is granted.
fn reach(document: &DescribeDocument, permissions: &Permissions) -> Vec<Reach> {
    let needed: BTreeSet<Permission> = Permission::needed(&document.requirements);
    let granted = permissions.of(&document.type_name, &document.extension);
    let shown = Permission::ALL.into_iter().filter_map(|permission| {
        let grant = granted.and_then(|granted| granted.get(&permission));
        let is_needed = needed.contains(&permission);
        let allows = grant.is_some_and(Grant::allows_anything);
        if !is_needed && !allows {
            return None;
        }
        let granted = match grant {
            Some(Grant::All) => "everything".to_owned(),
            Some(Grant::Only(names)) if !names.is_empty() => names.join(", "),
            Some(Grant::Only(_)) | None => "nothing".to_owned(),
        };
        let badge = match (is_needed, allows) {
            (true, true) => Badge::new(Tone::Good, "granted"),
            (true, false) => Badge::new(Tone::Bad, "not granted"),
            (false, _) => Badge::new(Tone::Idle, "granted"),
        };
        Some(Reach { name: permission.as_str(), is_needed, is_lacking: is_needed && !allows, granted, badge })
    });
    shown.collect()
}
