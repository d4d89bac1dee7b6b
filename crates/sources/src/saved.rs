//! A survey in the form in which it is stored. Domain types have no serde; these are their images.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use mangrove_domain::{
    digest::Digest,
    failure::{FailureClass, Fault},
    fingerprint::{Inputs, Part},
    glob::Glob,
    observation::{DiskView, Entry, Observation, RootAccess, RootView},
    position::Position,
    problem::{Code, Problem, Severity},
    shipped::{Shipped, ShippedBundle},
    source::{Extension, Kind, Origin, RelativePath, RootId, SourceId},
    survey::{Survey, SurveyStatistics, SurveyedEntry},
    type_name::TypeName,
};
use serde::{Deserialize, Serialize};

use super::stat_cache::Blob;

#[derive(Serialize, Deserialize)]
pub(super) struct SavedSurvey {
    /// Texts that repeat: roots, kinds, names and versions of extensions, specifiers.
    texts: Vec<String>,
    parts: Vec<([u8; 32], Blob)>,
    entries: Vec<SavedEntry>,
    roots: Vec<SavedRoot>,
    helpers: Vec<(u32, String)>,
    problems: Vec<SavedProblem>,
    lockfile_fault: Option<SavedFault>,
    mounts_fault: Option<SavedFault>,
    mount_patterns: Vec<String>,
    unknown_identities: Vec<(u32, String)>,
}

#[derive(Serialize, Deserialize)]
struct SavedEntry {
    root: u32,
    path: String,
    origin: u8,
    extension: (u32, u32),
    kind: u32,
    claimed_type: Option<String>,
    claims_add_on: bool,
    state: SavedState,
    specifiers: Vec<u32>,
    lock: Option<u32>,
    shipped: Option<SavedShipped>,
}

#[derive(Serialize, Deserialize)]
enum SavedShipped {
    Bundle { path: String, digest: [u8; 32], pull: u32 },
    Unusable(String),
}

#[derive(Serialize, Deserialize)]
enum SavedState {
    Readable { digest: [u8; 32], source: u32, config: u32 },
    Unreadable(SavedFault),
}

#[derive(Serialize, Deserialize)]
struct SavedFault {
    class: u8,
    code: u16,
    cause: String,
    message: String,
    position: Option<(String, u32, u32)>,
}

#[derive(Serialize, Deserialize)]
struct SavedRoot {
    id: u32,
    origin: u8,
    unreachable: Option<SavedFault>,
    incomplete: Vec<String>,
    locked_files: Vec<String>,
    missing_directories: Vec<(u32, String)>,
}

#[derive(Serialize, Deserialize)]
struct SavedProblem {
    code: u16,
    is_error: bool,
    subject: String,
    position: Option<(String, u32, u32)>,
    message: String,
    /// As words: actions, which no survey advises today, come back as their neutral names.
    advice: Option<String>,
}

#[derive(Default)]
struct Interner {
    texts: Vec<String>,
    by_text: HashMap<String, u32>,
    parts: Vec<([u8; 32], Blob)>,
    by_digest: HashMap<Digest, u32>,
}

impl Interner {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(known) = self.by_text.get(text) {
            return *known;
        }
        let index = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.by_text.insert(text.to_owned(), index);
        index
    }

    fn part(&mut self, part: &Part) -> u32 {
        *self.by_digest.entry(part.digest()).or_insert_with(|| {
            self.parts.push((*part.digest().as_bytes(), Blob(part.encoded().to_vec())));
            u32::try_from(self.parts.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

impl SavedSurvey {
    /// The image of a survey. Bundle presence is no part of it: it is not stat-cached.
    pub(super) fn of(survey: &Survey) -> Self {
        let mut interner = Interner::default();
        let entries = survey.observed().map(|(observation, entry)| save_entry(&mut interner, observation, entry));
        let entries = entries.collect();
        let roots = survey.disk.roots.iter().map(|(id, view)| SavedRoot {
            id: interner.text(id.as_str()),
            origin: save_origin(view.origin),
            unreachable: match &view.access {
                RootAccess::Reachable => None,
                RootAccess::Unreachable(fault) => Some(SavedFault::of(fault)),
            },
            incomplete: view.incomplete.iter().cloned().collect(),
            locked_files: view.locked_files.iter().map(ToString::to_string).collect(),
            missing_directories: view
                .missing_directories
                .iter()
                .map(|(kind, directory)| (interner.text(kind.as_str()), directory.clone()))
                .collect(),
        });
        let roots = roots.collect();
        let helpers = survey
            .disk
            .helpers
            .iter()
            .map(|source| (interner.text(source.root.as_str()), source.path.as_str().to_owned()));
        let helpers = helpers.collect();
        let unknown_identities = survey
            .disk
            .unknown_identities
            .iter()
            .map(|source| (interner.text(source.root.as_str()), source.path.as_str().to_owned()));
        let unknown_identities = unknown_identities.collect();
        let problems = survey.disk.problems.iter().map(|problem| SavedProblem {
            code: problem.code.number(),
            is_error: problem.severity == Severity::Error,
            subject: problem.subject.clone(),
            position: problem.position.as_ref().map(|place| (place.file.clone(), place.line, place.column)),
            message: problem.message.clone(),
            advice: problem.advice.as_ref().map(ToString::to_string),
        });
        Self {
            entries,
            roots,
            helpers,
            problems: problems.collect(),
            lockfile_fault: survey.disk.lockfile_fault.as_ref().map(SavedFault::of),
            mounts_fault: survey.disk.mounts_fault.as_ref().map(SavedFault::of),
            mount_patterns: survey.disk.mount_patterns.iter().map(|glob| glob.as_str().to_owned()).collect(),
            unknown_identities,
            texts: interner.texts,
            parts: interner.parts,
        }
    }

    /// The survey; `None` if an index or a name leads nowhere.
    pub(super) fn restore(self) -> Option<Survey> {
        let texts: Vec<Arc<str>> = self.texts.into_iter().map(Arc::from).collect();
        let text = |index: u32| texts.get(index as usize).cloned();
        let parts: Vec<Part> = self
            .parts
            .into_iter()
            .map(|(digest, encoded)| Part::from_stored(Digest::from_bytes(digest), encoded.0.into()))
            .collect();
        let part = |index: u32| parts.get(index as usize).cloned();
        let empty = Part::of([]);
        let mut disk = DiskView::default();
        let mut entries = Vec::with_capacity(self.entries.len());
        for saved in self.entries {
            let entry = match saved.state {
                SavedState::Readable { digest, source, config } => Entry::Readable {
                    digest: Digest::from_bytes(digest),
                    inputs: Inputs {
                        source: part(source)?,
                        config: part(config)?,
                        packages: empty.clone(),
                        bundler: empty.clone(),
                    },
                },
                SavedState::Unreadable(fault) => Entry::Unreadable(fault.restore()?),
            };
            disk.observations.push(Observation {
                source: SourceId { root: RootId::new(text(saved.root)?), path: RelativePath::parse(&saved.path).ok()? },
                origin: *Origin::ALL.get(usize::from(saved.origin))?,
                extension: Extension { name: text(saved.extension.0)?, version: text(saved.extension.1)? },
                kind: Kind::new(text(saved.kind)?),
                claimed_type: saved.claimed_type.map(TypeName::stored),
                claims_add_on: saved.claims_add_on,
                entry,
            });
            let specifiers: Option<_> =
                saved.specifiers.into_iter().map(|index| text(index).map(|text| text.to_string())).collect();
            let lock = match saved.lock {
                Some(index) => Some(PathBuf::from(&*text(index)?)),
                None => None,
            };
            let shipped = match saved.shipped {
                None => None,
                Some(SavedShipped::Unusable(why)) => Some(Shipped::Unusable { why }),
                Some(SavedShipped::Bundle { path, digest, pull }) => Some(Shipped::Bundle(ShippedBundle {
                    path: RelativePath::parse(&path).ok()?,
                    digest: Digest::from_bytes(digest),
                    pull: text(pull)?,
                })),
            };
            entries.push(SurveyedEntry { specifiers: specifiers?, lock, shipped });
        }
        for saved in self.roots {
            let view = RootView {
                origin: *Origin::ALL.get(usize::from(saved.origin))?,
                access: match saved.unreachable {
                    None => RootAccess::Reachable,
                    Some(fault) => RootAccess::Unreachable(fault.restore()?),
                },
                incomplete: saved.incomplete.into_iter().collect(),
                missing_directories: saved
                    .missing_directories
                    .into_iter()
                    .map(|(kind, directory)| Some((Kind::new(text(kind)?), directory)))
                    .collect::<Option<_>>()?,
                locked_files: saved
                    .locked_files
                    .iter()
                    .map(|path| RelativePath::parse(path).ok())
                    .collect::<Option<_>>()?,
            };
            disk.roots.insert(RootId::new(text(saved.id)?), view);
        }
        for (root, path) in self.helpers {
            disk.helpers.insert(SourceId { root: RootId::new(text(root)?), path: RelativePath::parse(&path).ok()? });
        }
        for (root, path) in self.unknown_identities {
            let source = SourceId { root: RootId::new(text(root)?), path: RelativePath::parse(&path).ok()? };
            disk.unknown_identities.insert(source);
        }
        disk.lockfile_fault = restore_fault(self.lockfile_fault)?;
        disk.mounts_fault = restore_fault(self.mounts_fault)?;
        disk.mount_patterns = self.mount_patterns.iter().map(|text| Glob::parse(text).ok()).collect::<Option<_>>()?;
        for saved in self.problems {
            disk.problems.push(
                Problem::new(
                    if saved.is_error { Severity::Error } else { Severity::Warning },
                    code(saved.code)?,
                    saved.subject,
                    saved.message,
                )
                .at_if(saved.position.map(|(file, line, column)| Position { file, line, column }))
                .advise_if(saved.advice),
            );
        }
        Some(Survey { disk, entries, statistics: SurveyStatistics::default(), mark: None })
    }
}

fn save_entry(interner: &mut Interner, observation: &Observation, entry: &SurveyedEntry) -> SavedEntry {
    SavedEntry {
        root: interner.text(observation.source.root.as_str()),
        path: observation.source.path.as_str().to_owned(),
        origin: save_origin(observation.origin),
        extension: (interner.text(&observation.extension.name), interner.text(&observation.extension.version)),
        kind: interner.text(observation.kind.as_str()),
        claimed_type: observation.claimed_type.as_ref().map(|name| name.as_str().to_owned()),
        claims_add_on: observation.claims_add_on,
        state: match &observation.entry {
            Entry::Readable { digest, inputs } => SavedState::Readable {
                digest: *digest.as_bytes(),
                source: interner.part(&inputs.source),
                config: interner.part(&inputs.config),
            },
            Entry::Unreadable(fault) => SavedState::Unreadable(SavedFault::of(fault)),
        },
        specifiers: entry.specifiers.iter().map(|specifier| interner.text(specifier)).collect(),
        lock: entry.lock.as_ref().and_then(|lock| lock.to_str()).map(|lock| interner.text(lock)),
        shipped: entry.shipped.as_ref().map(|shipped| match shipped {
            Shipped::Bundle(bundle) => SavedShipped::Bundle {
                path: bundle.path.to_string(),
                digest: *bundle.digest.as_bytes(),
                pull: interner.text(&bundle.pull),
            },
            Shipped::Unusable { why } => SavedShipped::Unusable(why.clone()),
        }),
    }
}

impl SavedFault {
    fn of(fault: &Fault) -> Self {
        Self {
            class: FailureClass::ALL
                .iter()
                .position(|class| *class == fault.class)
                .and_then(|index| u8::try_from(index).ok())
                .unwrap_or(u8::MAX),
            code: fault.code.number(),
            cause: fault.cause.0.to_string(),
            message: fault.message.clone(),
            position: fault.position.as_ref().map(|place| (place.file.clone(), place.line, place.column)),
        }
    }

    fn restore(self) -> Option<Fault> {
        let class = *FailureClass::ALL.get(usize::from(self.class))?;
        let fault = Fault::new(class, code(self.code)?, self.cause, self.message);
        Some(match self.position {
            Some((file, line, column)) => fault.at(Position { file, line, column }),
            None => fault,
        })
    }
}

/// The outer `None` is a fault that cannot be understood.
#[expect(clippy::option_option, reason = "no fault and an unreadable one are different answers")]
fn restore_fault(saved: Option<SavedFault>) -> Option<Option<Fault>> {
    match saved {
        Some(fault) => fault.restore().map(Some),
        None => Some(None),
    }
}

fn code(number: u16) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.number() == number)
}

pub(super) const fn save_origin(origin: Origin) -> u8 {
    match origin {
        Origin::Local => 0,
        Origin::Mounted => 1,
        Origin::Pulled => 2,
    }
}
