//! Rows and batches for tests: valid ones in one word, to be changed where a test is about something else.

use std::sync::Arc;

use mangrove_domain::{
    bundle::{BundleRef, ObjectKey, StoredObject},
    description::{Description, MethodDescription, Violation},
    digest::Digest,
    failure::{CauseKey, Failure, FailureClass},
    fingerprint::{Inputs, Line, Part},
    json::Json,
    ports::{Change, Commit, Write},
    problem::Code,
    row::Row,
    settle::Transition,
    source::{Extension, Kind, Origin, RelativePath, RootId, SourceId},
    state::{Indexed, State, StateName},
    time::Timestamp,
    type_name::TypeName,
};

/// The source of this path in the local root.
///
/// # Panics
/// If the path is none.
#[must_use]
pub fn source(path: &str) -> SourceId {
    source_in("local", path)
}

/// The source of this path in the root of this name.
///
/// # Panics
/// If the path is none.
#[must_use]
pub fn source_in(root: &str, path: &str) -> SourceId {
    SourceId { root: RootId::new(root), path: RelativePath::parse(path).expect("a path below a root") }
}

/// Inputs that depend on `seed` in their source part only.
#[must_use]
pub fn inputs(seed: &str) -> Inputs {
    Inputs {
        source: Part::of([Line::new("entry", seed)]),
        config: Part::of([Line::new("imports", "{}")]),
        packages: Part::of([Line::new("zod@4.0.0", "sha512-x")]),
        bundler: Part::of([Line::new("adapter", "fake 1")]),
    }
}

/// The code that [`bundle`] of the same seed names.
#[must_use]
pub fn bundle_code(seed: &str) -> String {
    format!("export const model = {{ seed: {seed:?} }};\n")
}

/// The bundle of [`bundle_code`], without vendors.
#[must_use]
pub fn bundle(seed: &str) -> BundleRef {
    let code = bundle_code(seed);
    let key = ObjectKey::Extension(Digest::of(code.as_bytes()));
    BundleRef { entry: StoredObject { key, size_bytes: code.len() as u64 }, vendors: Vec::new() }
}

/// A description with one method, `run`.
#[must_use]
pub fn description(type_name: &str) -> Description {
    Description {
        type_name: TypeName::stored(type_name),
        version: Some(Arc::from("2026.01.01.1")),
        is_add_on: false,
        methods: vec![MethodDescription {
            name: "run".to_owned(),
            description: "Runs".to_owned(),
            kind: Some("action".to_owned()),
            arguments: Json::object([("type", Json::from("object"))]),
        }],
        details: Json::object::<&str>([]),
        requirements: Vec::new(),
        notes: Vec::new(),
    }
}

/// A transient failure that was seen once at time 1,000 and is due at 2,000.
#[must_use]
pub fn failure(message: &str) -> Failure {
    Failure {
        class: FailureClass::Transient,
        code: Code::REGISTRY_UNREACHABLE,
        cause: CauseKey(Arc::from("registry:localhost:4873")),
        first_message: message.to_owned(),
        latest_message: message.to_owned(),
        first_seen: Timestamp::from_millis(1_000),
        last_seen: Timestamp::from_millis(1_000),
        attempts: 1,
        next_retry: Some(Timestamp::from_millis(2_000)),
    }
}

/// A local model row in this state; its claimed type is `type_name`.
#[must_use]
pub fn row(path: &str, type_name: &str, state: State) -> Row {
    Row {
        source: source(path),
        origin: Origin::Local,
        extension: Extension { name: Arc::from("@local/test"), version: Arc::from("0.0.0") },
        kind: Kind::new("model"),
        claimed_type: Some(TypeName::stored(type_name)),
        claims_add_on: false,
        entry_digest: Some(Digest::of(path.as_bytes())),
        state,
        built: None,
        attempted: None,
        degraded: None,
        rejected_before: Vec::new(),
        rule_version: 1,
        shadowed_by: None,
        shadow_fallback: false,
        shipped: None,
        revision: 0,
    }
}

/// A healthy row. Its bundle is [`bundle`] of the path, its description [`description`] of the type.
#[must_use]
pub fn indexed(path: &str, type_name: &str) -> Row {
    let state = State::Indexed(Indexed {
        type_name: TypeName::stored(type_name),
        version: Some(Arc::from("2026.01.01.1")),
        is_add_on: false,
        description: description(type_name).digest(),
        bundle: bundle(path),
    });
    Row { built: Some(inputs(path)), ..row(path, type_name, state) }
}

/// A row whose rebuild failed and that keeps its bundle.
#[must_use]
pub fn degraded(path: &str, type_name: &str) -> Row {
    Row {
        attempted: Some(inputs(&format!("{path} edited"))),
        degraded: Some(failure("registry unreachable")),
        ..indexed(path, type_name)
    }
}

/// A row whose build failed.
#[must_use]
pub fn failed(path: &str, type_name: &str) -> Row {
    let state = State::BundleBuildFailed { failure: failure("registry unreachable"), bundle: None };
    Row { attempted: Some(inputs(path)), ..row(path, type_name, state) }
}

/// A row whose export was rejected.
#[must_use]
pub fn rejected(path: &str, type_name: &str) -> Row {
    let violations = vec![Violation {
        path: "methods.run.arguments".to_owned(),
        message: "expected a schema, found string".to_owned(),
    }];
    let state = State::ValidationFailed { bundle: bundle(path), violations };
    Row { built: Some(inputs(path)), ..row(path, type_name, state) }
}

/// A row whose entry cannot be read.
#[must_use]
pub fn unreadable(path: &str) -> Row {
    Row {
        claimed_type: None,
        ..row(path, "@acme/unknown", State::EntryPointUnreadable { failure: failure("EACCES"), bundle: None })
    }
}

/// A row whose source is gone and whose bundle is left.
#[must_use]
pub fn orphaned(path: &str, type_name: &str) -> Row {
    Row { built: Some(inputs(path)), ..row(path, type_name, State::OrphanedBundleOnly { bundle: bundle(path) }) }
}

/// The same row, shadowed by another source.
#[must_use]
pub fn shadowed(row: Row, by: &SourceId) -> Row {
    Row { shadowed_by: Some(by.clone()), ..row }
}

/// An audit line.
#[must_use]
pub fn transition(from: Option<StateName>, to: StateName, reason: &str) -> Transition {
    Transition { from, to, reason: reason.to_owned(), entry_digest: None, at: Timestamp::from_millis(1_000) }
}

/// Writes this row over the revision that it carries, without an audit line.
#[must_use]
pub fn put(row: &Row) -> Change {
    Change {
        source: row.source.clone(),
        expected_revision: row.revision,
        write: Write::Put(Box::new(row.clone())),
        transition: None,
    }
}

/// Deletes this row at the revision that it carries, with an audit line.
#[must_use]
pub fn delete(row: &Row) -> Change {
    Change {
        source: row.source.clone(),
        expected_revision: row.revision,
        write: Write::Delete,
        transition: Some(transition(Some(row.state.name()), StateName::Tombstoned, "source-deleted")),
    }
}

/// A batch of these changes with a [`description`] for each `Indexed` row of the usual making.
#[must_use]
pub fn batch(changes: impl IntoIterator<Item = Change>) -> Commit {
    let changes: Vec<Change> = changes.into_iter().collect();
    let mut descriptions: Vec<Description> = Vec::new();
    for change in &changes {
        let Write::Put(row) = &change.write else { continue };
        let State::Indexed(indexed) = &row.state else { continue };
        let description = description(indexed.type_name.as_str());
        if description.digest() == indexed.description && !descriptions.contains(&description) {
            descriptions.push(description);
        }
    }
    Commit { changes, descriptions }
}

/// A batch that puts these rows.
#[must_use]
pub fn put_all<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Commit {
    batch(rows.into_iter().map(put))
}
