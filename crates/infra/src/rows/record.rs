//! The stored form of a row: a format byte and a compact binary record.
//!
//! Every variant and field is written by name of this file's types, in their order. A change of order or
//! meaning is a new format byte; a record of an unknown format is a damaged row, which the next scan writes again.
//! Records of format 1 end where the acceptance of a shipped bundle begins; they are read as rows without one.

use std::{collections::HashMap, sync::Arc};

use mangrove_domain::{
    bundle::{BundleRef, ObjectKey, StoredObject},
    description::Violation,
    digest::Digest,
    failure::Failure,
    fingerprint::{Inputs, Part},
    problem::Code,
    row::Row,
    shipped::Acceptance,
    source::{Extension, Kind, Origin, RelativePath, RootId, SourceId},
    state::{Indexed, State},
    type_name::TypeName,
};
use serde::{Deserialize, Serialize};

use crate::stored::StoredFailure;

/// The format that [`encode`] writes: a [`Record`], and what was accepted of what the extension ships.
const FORMAT: u8 = 2;
/// The format before: a [`Record`] alone.
const FORMAT_WITHOUT_ACCEPTANCE: u8 = 1;

/// Why a row cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// `Bundled` exists in memory only, `Tombstoned` is a deletion.
    #[error("a row in state {0} is never stored")]
    NotStorable(mangrove_domain::state::StateName),
    /// Written by another program, or damaged.
    #[error("its record has the unknown format {0}")]
    UnknownFormat(u8),
    /// The bytes are no record.
    #[error("its record is damaged")]
    Damaged(#[source] postcard::Error),
    /// A value in it is none of ours.
    #[error("its {0} is not understood")]
    Value(&'static str),
    /// A fingerprint part that it names is not stored.
    #[error("the fingerprint part {0} that it names is missing")]
    PartMissing(String),
}

type Bytes = [u8; 32];

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    origin: StoredOrigin,
    #[serde(borrow)]
    extension_name: &'a str,
    extension_version: &'a str,
    kind: &'a str,
    claimed_type: Option<&'a str>,
    claims_add_on: bool,
    entry_digest: Option<Bytes>,
    state: StoredState<'a>,
    built: Option<StoredInputs<'a>>,
    attempted: Option<StoredInputs<'a>>,
    degraded: Option<StoredFailure<u16>>,
    rejected_before: Vec<StoredViolation<'a>>,
    rule_version: u32,
    shadowed_by: Option<(&'a str, &'a str)>,
    shadow_fallback: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum StoredOrigin {
    Local,
    Mounted,
    Pulled,
}

#[derive(Serialize, Deserialize)]
enum StoredState<'a> {
    Indexed {
        #[serde(borrow)]
        type_name: &'a str,
        version: Option<&'a str>,
        is_add_on: bool,
        description: Bytes,
        bundle: StoredBundle,
    },
    BundleBuildFailed {
        failure: StoredFailure<u16>,
        bundle: Option<StoredBundle>,
    },
    ValidationFailed {
        bundle: StoredBundle,
        violations: Vec<StoredViolation<'a>>,
    },
    EntryPointUnreadable {
        failure: StoredFailure<u16>,
        bundle: Option<StoredBundle>,
    },
    OrphanedBundleOnly {
        bundle: StoredBundle,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredInputs<'a> {
    source: Bytes,
    /// Source parts are hardly ever shared, so their lines stand here; the other three are in `parts`.
    #[serde(borrow)]
    source_lines: &'a [u8],
    config: Bytes,
    packages: Bytes,
    bundler: Bytes,
}

#[derive(Serialize, Deserialize)]
struct StoredBundle {
    entry: Object,
    vendors: Vec<Object>,
}

#[derive(Serialize, Deserialize)]
enum Object {
    Extension(Bytes, u64),
    Vendor(Bytes, u64),
}

#[derive(Serialize, Deserialize)]
struct StoredViolation<'a> {
    #[serde(borrow)]
    path: &'a str,
    message: &'a str,
}

#[derive(Serialize, Deserialize)]
struct StoredAcceptance<'a> {
    bundle: Bytes,
    source: Bytes,
    #[serde(borrow)]
    pull: &'a str,
    unmapped: Vec<&'a str>,
}

/// The bytes of a row, without its key and revision.
pub(crate) fn encode(row: &Row) -> Result<Vec<u8>, RecordError> {
    let record = Record {
        origin: match row.origin {
            Origin::Local => StoredOrigin::Local,
            Origin::Mounted => StoredOrigin::Mounted,
            Origin::Pulled => StoredOrigin::Pulled,
        },
        extension_name: &row.extension.name,
        extension_version: &row.extension.version,
        kind: row.kind.as_str(),
        claimed_type: row.claimed_type.as_ref().map(TypeName::as_str),
        claims_add_on: row.claims_add_on,
        entry_digest: row.entry_digest.map(|digest| *digest.as_bytes()),
        state: store_state(&row.state)?,
        built: row.built.as_ref().map(store_inputs),
        attempted: row.attempted.as_ref().map(store_inputs),
        degraded: row.degraded.as_ref().map(store_failure),
        rejected_before: store_violations(&row.rejected_before),
        rule_version: row.rule_version,
        shadowed_by: row.shadowed_by.as_ref().map(|source| (source.root.as_str(), source.path.as_str())),
        shadow_fallback: row.shadow_fallback,
    };
    let acceptance = row.shipped.as_ref().map(|acceptance| StoredAcceptance {
        bundle: *acceptance.bundle.as_bytes(),
        source: *acceptance.source.as_bytes(),
        pull: &acceptance.pull,
        unmapped: acceptance.unmapped.iter().map(String::as_str).collect(),
    });
    postcard::to_extend(&(record, acceptance), vec![FORMAT]).map_err(RecordError::Damaged)
}

fn store_state(state: &State) -> Result<StoredState<'_>, RecordError> {
    Ok(match state {
        State::Indexed(indexed) => StoredState::Indexed {
            type_name: indexed.type_name.as_str(),
            version: indexed.version.as_deref(),
            is_add_on: indexed.is_add_on,
            description: *indexed.description.as_bytes(),
            bundle: store_bundle(&indexed.bundle),
        },
        State::BundleBuildFailed { failure, bundle } => StoredState::BundleBuildFailed {
            failure: store_failure(failure),
            bundle: bundle.as_ref().map(store_bundle),
        },
        State::ValidationFailed { bundle, violations } => {
            StoredState::ValidationFailed { bundle: store_bundle(bundle), violations: store_violations(violations) }
        }
        State::EntryPointUnreadable { failure, bundle } => StoredState::EntryPointUnreadable {
            failure: store_failure(failure),
            bundle: bundle.as_ref().map(store_bundle),
        },
        State::OrphanedBundleOnly { bundle } => StoredState::OrphanedBundleOnly { bundle: store_bundle(bundle) },
        State::Bundled { .. } | State::Tombstoned { .. } => return Err(RecordError::NotStorable(state.name())),
    })
}

fn store_inputs(inputs: &Inputs) -> StoredInputs<'_> {
    StoredInputs {
        source: *inputs.source.digest().as_bytes(),
        source_lines: inputs.source.encoded(),
        config: *inputs.config.digest().as_bytes(),
        packages: *inputs.packages.digest().as_bytes(),
        bundler: *inputs.bundler.digest().as_bytes(),
    }
}

fn store_bundle(bundle: &BundleRef) -> StoredBundle {
    let store = |object: &StoredObject| match object.key {
        ObjectKey::Extension(digest) => Object::Extension(*digest.as_bytes(), object.size_bytes),
        ObjectKey::Vendor(digest) => Object::Vendor(*digest.as_bytes(), object.size_bytes),
    };
    StoredBundle { entry: store(&bundle.entry), vendors: bundle.vendors.iter().map(store).collect() }
}

fn store_violations(violations: &[Violation]) -> Vec<StoredViolation<'_>> {
    violations.iter().map(|violation| StoredViolation { path: &violation.path, message: &violation.message }).collect()
}

/// Reads rows of one snapshot; texts that many rows share are kept once.
#[derive(Default)]
pub(crate) struct Decoder {
    parts: HashMap<Bytes, Part>,
    texts: HashMap<String, Arc<str>>,
}

impl Decoder {
    /// Makes a shared fingerprint part known.
    pub(crate) fn add_part(&mut self, digest: Bytes, encoded: Arc<[u8]>) {
        self.parts.insert(digest, Part::from_stored(Digest::from_bytes(digest), encoded));
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(text.to_owned(), Arc::clone(&shared));
        shared
    }

    fn source(&mut self, root: &str, path: &str) -> Result<SourceId, RecordError> {
        let path = RelativePath::parse(path).map_err(|_| RecordError::Value("path"))?;
        Ok(SourceId { root: RootId::new(self.text(root)), path })
    }

    fn part(&self, digest: Bytes) -> Result<Part, RecordError> {
        self.parts.get(&digest).cloned().ok_or_else(|| RecordError::PartMissing(Digest::from_bytes(digest).short()))
    }

    fn inputs(&self, stored: Option<StoredInputs<'_>>) -> Result<Option<Inputs>, RecordError> {
        let Some(stored) = stored else { return Ok(None) };
        Ok(Some(Inputs {
            source: Part::from_stored(Digest::from_bytes(stored.source), stored.source_lines.into()),
            config: self.part(stored.config)?,
            packages: self.part(stored.packages)?,
            bundler: self.part(stored.bundler)?,
        }))
    }

    /// The row of these columns.
    pub(crate) fn row(&mut self, root: &str, path: &str, revision: u64, bytes: &[u8]) -> Result<Row, RecordError> {
        let (record, acceptance) = parse(bytes)?;
        let shadowed_by = match record.shadowed_by {
            Some((root, path)) => Some(self.source(root, path)?),
            None => None,
        };
        Ok(Row {
            source: self.source(root, path)?,
            origin: match record.origin {
                StoredOrigin::Local => Origin::Local,
                StoredOrigin::Mounted => Origin::Mounted,
                StoredOrigin::Pulled => Origin::Pulled,
            },
            extension: Extension {
                name: self.text(record.extension_name),
                version: self.text(record.extension_version),
            },
            kind: Kind::new(self.text(record.kind)),
            claimed_type: record.claimed_type.map(TypeName::stored),
            claims_add_on: record.claims_add_on,
            entry_digest: record.entry_digest.map(Digest::from_bytes),
            state: load_state(record.state)?,
            built: self.inputs(record.built)?,
            attempted: self.inputs(record.attempted)?,
            degraded: record.degraded.map(load_failure).transpose()?,
            rejected_before: load_violations(record.rejected_before),
            rule_version: record.rule_version,
            shadowed_by,
            shadow_fallback: record.shadow_fallback,
            shipped: acceptance.map(|acceptance| Acceptance {
                bundle: Digest::from_bytes(acceptance.bundle),
                source: Digest::from_bytes(acceptance.source),
                pull: self.text(acceptance.pull),
                unmapped: acceptance.unmapped.into_iter().map(str::to_owned).collect(),
            }),
            revision,
        })
    }
}

fn parse(bytes: &[u8]) -> Result<(Record<'_>, Option<StoredAcceptance<'_>>), RecordError> {
    let (format, rest) = bytes.split_first().ok_or(RecordError::UnknownFormat(0))?;
    let (record, rest) = match *format {
        FORMAT | FORMAT_WITHOUT_ACCEPTANCE => postcard::take_from_bytes(rest).map_err(RecordError::Damaged)?,
        unknown => return Err(RecordError::UnknownFormat(unknown)),
    };
    let (acceptance, left) = match *format {
        FORMAT => postcard::take_from_bytes(rest).map_err(RecordError::Damaged)?,
        _ => (None, rest),
    };
    if left.is_empty() { Ok((record, acceptance)) } else { Err(RecordError::Value("length")) }
}

/// The shared parts that a stored row names.
pub(crate) fn part_names(bytes: &[u8]) -> Result<Vec<Bytes>, RecordError> {
    let (record, _) = parse(bytes)?;
    let inputs = record.built.iter().chain(&record.attempted);
    Ok(inputs.flat_map(|inputs| [inputs.config, inputs.packages, inputs.bundler]).collect())
}

fn load_state(stored: StoredState<'_>) -> Result<State, RecordError> {
    Ok(match stored {
        StoredState::Indexed { type_name, version, is_add_on, description, bundle } => State::Indexed(Indexed {
            type_name: TypeName::stored(type_name),
            version: version.map(Arc::from),
            is_add_on,
            description: Digest::from_bytes(description),
            bundle: load_bundle(&bundle),
        }),
        StoredState::BundleBuildFailed { failure, bundle } => {
            State::BundleBuildFailed { failure: load_failure(failure)?, bundle: bundle.as_ref().map(load_bundle) }
        }
        StoredState::ValidationFailed { bundle, violations } => {
            State::ValidationFailed { bundle: load_bundle(&bundle), violations: load_violations(violations) }
        }
        StoredState::EntryPointUnreadable { failure, bundle } => {
            State::EntryPointUnreadable { failure: load_failure(failure)?, bundle: bundle.as_ref().map(load_bundle) }
        }
        StoredState::OrphanedBundleOnly { bundle } => State::OrphanedBundleOnly { bundle: load_bundle(&bundle) },
    })
}

fn load_bundle(stored: &StoredBundle) -> BundleRef {
    let load = |object: &Object| match object {
        Object::Extension(digest, size_bytes) => {
            StoredObject { key: ObjectKey::Extension(Digest::from_bytes(*digest)), size_bytes: *size_bytes }
        }
        Object::Vendor(digest, size_bytes) => {
            StoredObject { key: ObjectKey::Vendor(Digest::from_bytes(*digest)), size_bytes: *size_bytes }
        }
    };
    BundleRef { entry: load(&stored.entry), vendors: stored.vendors.iter().map(load).collect() }
}

fn store_failure(failure: &Failure) -> StoredFailure<u16> {
    StoredFailure::of(failure, failure.code.number())
}

fn load_failure(stored: StoredFailure<u16>) -> Result<Failure, RecordError> {
    let code = Code::ALL.iter().copied().find(|code| code.number() == stored.code);
    Ok(stored.load(code.ok_or(RecordError::Value("problem code"))?))
}

fn load_violations(stored: Vec<StoredViolation<'_>>) -> Vec<Violation> {
    stored
        .into_iter()
        .map(|violation| Violation { path: violation.path.to_owned(), message: violation.message.to_owned() })
        .collect()
}
