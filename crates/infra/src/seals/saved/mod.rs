//! A seal in the form in which it is stored. Domain types have no serde; these are their images.

mod problem;

use std::path::PathBuf;

use mangrove_domain::{
    bundle::{ObjectKey, StoredObject},
    digest::Digest,
    failure::{FailureClass, Fault},
    fingerprint::{Inputs, Part},
    freshness::{Fresh, NotLookedAt},
    observation::{Entry, Observation},
    package::PackageRequest,
    position::Position,
    problem::Code,
    seal::{Conclusion, Failing, Seal, SealedRows},
    shipped::{Shipped, ShippedBundle},
    source::{Extension, Kind, Origin, RelativePath, RootId, SourceId},
    type_name::TypeName,
};
use serde::{Deserialize, Serialize};

use self::problem::SavedProblem;

type Bytes = [u8; 32];
type SavedPosition = Option<(String, u32, u32)>;

#[derive(Serialize, Deserialize)]
pub(super) struct SavedSeal {
    request: Bytes,
    survey: Bytes,
    version: Bytes,
    mark: Option<Bytes>,
    is_mark_settled: bool,
    needs: Vec<(SavedRequest, Bytes)>,
    healthy: Vec<(String, u64, u64)>,
    answers: Vec<(SavedSource, SavedFresh)>,
    failing: Vec<SavedFailing>,
    extensions: Vec<SavedObject>,
    vendors: Vec<SavedObject>,
    extended: Vec<(String, String)>,
    found: Vec<SavedProblem>,
    claimed: Vec<SavedProblem>,
}

#[derive(Serialize, Deserialize)]
struct SavedSource {
    root: String,
    path: String,
}

#[derive(Serialize, Deserialize)]
struct SavedRequest {
    specifiers: Vec<String>,
    lock: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
enum SavedFresh {
    Unchanged,
    StillUnreadable(SavedFault),
    StillRejected,
    StillOrphaned,
    OutOfScope,
    NoLoader(String),
    IncompleteListing(String),
    MissingDirectory(String),
    MountsUnreadable(SavedFault),
    LockfileUnreadable(SavedFault),
}

#[derive(Serialize, Deserialize)]
struct SavedFault {
    class: u8,
    code: u16,
    cause: String,
    message: String,
    position: SavedPosition,
}

#[derive(Serialize, Deserialize)]
struct SavedFailing {
    source: SavedSource,
    origin: u8,
    extension: (String, String),
    kind: String,
    claimed_type: Option<String>,
    claims_add_on: bool,
    digest: Bytes,
    files: SavedPart,
    config: SavedPart,
    packages: SavedRequest,
    shipped: Option<SavedShipped>,
}

/// Digest, size in bytes, and how many rows need it.
type SavedObject = (Bytes, u64, u32);
type SavedPart = (Bytes, Vec<u8>);

#[derive(Serialize, Deserialize)]
enum SavedShipped {
    Bundle { path: String, digest: Bytes, pull: String },
    Unusable(String),
}

impl SavedSeal {
    /// The image of a seal; `None` if it has none.
    pub(super) fn of(seal: &Seal) -> Option<Self> {
        let Conclusion { healthy, answers, failing, objects, extended } = &seal.conclusion;
        let keyed = |wanted: fn(&ObjectKey) -> bool| -> Vec<SavedObject> {
            let objects = objects.iter().filter(|(object, _)| wanted(&object.key));
            objects.map(|(object, rows)| (*object.key.digest().as_bytes(), object.size_bytes, *rows)).collect()
        };
        Some(Self {
            request: *seal.request.as_bytes(),
            survey: *seal.survey.as_bytes(),
            version: *seal.version.as_bytes(),
            mark: seal.mark.map(|mark| *mark.as_bytes()),
            is_mark_settled: seal.is_mark_settled,
            needs: seal.needs.iter().map(|(needed, digest)| (SavedRequest::of(needed), *digest.as_bytes())).collect(),
            healthy: healthy.iter().map(|(kind, rows)| (kind.to_string(), rows.indexed, rows.shadowed)).collect(),
            answers: answers.iter().map(|(source, fresh)| (SavedSource::of(source), SavedFresh::of(fresh))).collect(),
            failing: failing.iter().map(SavedFailing::of).collect::<Option<_>>()?,
            extensions: keyed(|key| matches!(key, ObjectKey::Extension(_))),
            vendors: keyed(|key| matches!(key, ObjectKey::Vendor(_))),
            extended: extended.iter().map(|(kind, name)| (kind.to_string(), name.to_string())).collect(),
            found: seal.found.iter().map(SavedProblem::of).collect(),
            claimed: seal.claimed.iter().map(SavedProblem::of).collect(),
        })
    }

    /// The seal; `None` if a value in it is none of ours.
    pub(super) fn load(self) -> Option<Seal> {
        let object = |key: fn(Digest) -> ObjectKey| {
            move |(digest, size_bytes, rows): SavedObject| {
                (StoredObject { key: key(Digest::from_bytes(digest)), size_bytes }, rows)
            }
        };
        let extensions = self.extensions.into_iter().map(object(ObjectKey::Extension));
        let vendors = self.vendors.into_iter().map(object(ObjectKey::Vendor));
        let healthy = self.healthy.into_iter();
        let answers = self.answers.into_iter();
        let needs = self.needs.into_iter();
        let extended = self.extended.into_iter();
        Some(Seal {
            request: Digest::from_bytes(self.request),
            survey: Digest::from_bytes(self.survey),
            version: Digest::from_bytes(self.version),
            mark: self.mark.map(Digest::from_bytes),
            is_mark_settled: self.is_mark_settled,
            needs: needs.map(|(needed, digest)| (needed.load(), Digest::from_bytes(digest))).collect(),
            conclusion: Conclusion {
                healthy: healthy
                    .map(|(kind, indexed, shadowed)| (Kind::new(kind), SealedRows { indexed, shadowed }))
                    .collect(),
                answers: answers.map(|(source, fresh)| Some((source.load()?, fresh.load()?))).collect::<Option<_>>()?,
                failing: self.failing.into_iter().map(SavedFailing::load).collect::<Option<_>>()?,
                objects: extensions.chain(vendors).collect(),
                extended: extended.map(|(kind, name)| (Kind::new(kind), TypeName::stored(name))).collect(),
            },
            found: self.found.into_iter().map(SavedProblem::load).collect::<Option<_>>()?,
            claimed: self.claimed.into_iter().map(SavedProblem::load).collect::<Option<_>>()?,
        })
    }
}

impl SavedSource {
    fn of(source: &SourceId) -> Self {
        Self { root: source.root.to_string(), path: source.path.to_string() }
    }

    fn load(self) -> Option<SourceId> {
        Some(SourceId { root: RootId::new(self.root), path: RelativePath::parse(&self.path).ok()? })
    }
}

impl SavedRequest {
    fn of(request: &PackageRequest) -> Self {
        Self { specifiers: request.specifiers.iter().cloned().collect(), lock: request.lock.clone() }
    }

    fn load(self) -> PackageRequest {
        PackageRequest { specifiers: self.specifiers.into_iter().collect(), lock: self.lock }
    }
}

impl SavedFresh {
    fn of(fresh: &Fresh) -> Self {
        match fresh {
            Fresh::Unchanged => Self::Unchanged,
            Fresh::StillUnreadable { fault } => Self::StillUnreadable(SavedFault::of(fault)),
            Fresh::StillRejected => Self::StillRejected,
            Fresh::StillOrphaned => Self::StillOrphaned,
            Fresh::NotLookedAt(reason) => match reason {
                NotLookedAt::OutOfScope => Self::OutOfScope,
                NotLookedAt::NoLoader(kind) => Self::NoLoader(kind.to_string()),
                NotLookedAt::IncompleteListing { directory } => Self::IncompleteListing(directory.clone()),
                NotLookedAt::MissingDirectory { directory } => Self::MissingDirectory(directory.clone()),
                NotLookedAt::MountsUnreadable { fault } => Self::MountsUnreadable(SavedFault::of(fault)),
                NotLookedAt::LockfileUnreadable { fault } => Self::LockfileUnreadable(SavedFault::of(fault)),
            },
        }
    }

    fn load(self) -> Option<Fresh> {
        let reason = match self {
            Self::Unchanged => return Some(Fresh::Unchanged),
            Self::StillUnreadable(fault) => return Some(Fresh::StillUnreadable { fault: fault.load()? }),
            Self::StillRejected => return Some(Fresh::StillRejected),
            Self::StillOrphaned => return Some(Fresh::StillOrphaned),
            Self::OutOfScope => NotLookedAt::OutOfScope,
            Self::NoLoader(kind) => NotLookedAt::NoLoader(Kind::new(kind)),
            Self::IncompleteListing(directory) => NotLookedAt::IncompleteListing { directory },
            Self::MissingDirectory(directory) => NotLookedAt::MissingDirectory { directory },
            Self::MountsUnreadable(fault) => NotLookedAt::MountsUnreadable { fault: fault.load()? },
            Self::LockfileUnreadable(fault) => NotLookedAt::LockfileUnreadable { fault: fault.load()? },
        };
        Some(Fresh::NotLookedAt(reason))
    }
}

impl SavedFault {
    fn of(fault: &Fault) -> Self {
        Self {
            class: place_of(&FailureClass::ALL, &fault.class),
            code: fault.code.number(),
            cause: fault.cause.0.to_string(),
            message: fault.message.clone(),
            position: save_position(fault.position.as_ref()),
        }
    }

    fn load(self) -> Option<Fault> {
        let class = *FailureClass::ALL.get(usize::from(self.class))?;
        let fault = Fault::new(class, load_code(self.code)?, self.cause, self.message);
        Some(Fault { position: load_position(self.position), ..fault })
    }
}

impl SavedFailing {
    /// `None` of a source that cannot be read: such a build did not fail.
    fn of(failing: &Failing) -> Option<Self> {
        let Failing { observation, packages, shipped } = failing;
        let Entry::Readable { digest, inputs } = &observation.entry else { return None };
        let part = |part: &Part| (*part.digest().as_bytes(), part.encoded().to_vec());
        Some(Self {
            source: SavedSource::of(&observation.source),
            origin: place_of(&Origin::ALL, &observation.origin),
            extension: (observation.extension.name.to_string(), observation.extension.version.to_string()),
            kind: observation.kind.to_string(),
            claimed_type: observation.claimed_type.as_ref().map(ToString::to_string),
            claims_add_on: observation.claims_add_on,
            digest: *digest.as_bytes(),
            files: part(&inputs.source),
            config: part(&inputs.config),
            packages: SavedRequest::of(packages),
            shipped: shipped.as_ref().map(SavedShipped::of),
        })
    }

    fn load(self) -> Option<Failing> {
        let part = |(digest, encoded): SavedPart| Part::from_stored(Digest::from_bytes(digest), encoded.into());
        let inputs = Inputs {
            source: part(self.files),
            config: part(self.config),
            packages: Part::of([]),
            bundler: Part::of([]),
        };
        let (name, version) = self.extension;
        let observation = Observation {
            source: self.source.load()?,
            origin: *Origin::ALL.get(usize::from(self.origin))?,
            extension: Extension { name: name.into(), version: version.into() },
            kind: Kind::new(self.kind),
            claimed_type: self.claimed_type.map(TypeName::stored),
            claims_add_on: self.claims_add_on,
            entry: Entry::Readable { digest: Digest::from_bytes(self.digest), inputs },
        };
        let shipped = match self.shipped {
            Some(shipped) => Some(shipped.load()?),
            None => None,
        };
        Some(Failing { observation, packages: self.packages.load(), shipped })
    }
}

impl SavedShipped {
    fn of(shipped: &Shipped) -> Self {
        match shipped {
            Shipped::Bundle(ShippedBundle { path, digest, pull }) => {
                Self::Bundle { path: path.to_string(), digest: *digest.as_bytes(), pull: pull.to_string() }
            }
            Shipped::Unusable { why } => Self::Unusable(why.clone()),
        }
    }

    fn load(self) -> Option<Shipped> {
        Some(match self {
            Self::Bundle { path, digest, pull } => Shipped::Bundle(ShippedBundle {
                path: RelativePath::parse(&path).ok()?,
                digest: Digest::from_bytes(digest),
                pull: pull.into(),
            }),
            Self::Unusable(why) => Shipped::Unusable { why },
        })
    }
}

/// Where a value stands among all; one that stands nowhere cannot be loaded.
fn place_of<T: PartialEq>(all: &[T], value: &T) -> u8 {
    all.iter().position(|other| other == value).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn load_code(number: u16) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.number() == number)
}

fn save_position(position: Option<&Position>) -> SavedPosition {
    position.map(|place| (place.file.clone(), place.line, place.column))
}

fn load_position(saved: SavedPosition) -> Option<Position> {
    saved.map(|(file, line, column)| Position { file, line, column })
}
