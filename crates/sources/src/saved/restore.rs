//! From the image of a survey to the survey. `None` wherever an index or a name leads nowhere: then the image is
//! damaged.

use std::{cell::OnceCell, path::PathBuf, sync::Arc};

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
    survey::{Survey, SurveyedEntry},
    type_name::TypeName,
};

use super::{
    Blob, SavedEntry, SavedFault, SavedProblem, SavedRoot, SavedSeverity, SavedShipped, SavedState, SavedSurvey,
};

impl SavedSurvey {
    /// The survey; `None` if an index or a name leads nowhere.
    pub(crate) fn restore(self) -> Option<Survey> {
        let shared = Shared::new(&self.texts, &self.parts);
        let mut disk = DiskView::default();
        let mut entries = Vec::with_capacity(self.entries.len());
        for saved in self.entries {
            let (observation, entry) = shared.entry(saved)?;
            disk.observations.push(observation);
            entries.push(entry);
        }
        for saved in self.roots {
            let (id, view) = shared.root(saved)?;
            disk.roots.insert(id, view);
        }
        for source in &self.helpers {
            disk.helpers.insert(shared.source(source)?);
        }
        for source in &self.unknown_identities {
            disk.unknown_identities.insert(shared.source(source)?);
        }
        disk.lockfile_fault = restore_fault(self.lockfile_fault)?;
        disk.mounts_fault = restore_fault(self.mounts_fault)?;
        disk.mount_patterns = self.mount_patterns.iter().map(|text| Glob::parse(text).ok()).collect::<Option<_>>()?;
        disk.problems = self.problems.into_iter().map(restore_problem).collect::<Option<_>>()?;
        Some(Survey { disk, entries, ..Survey::default() })
    }
}

/// What entries and roots name by its number.
pub(super) struct Shared<'a> {
    texts: Vec<Arc<str>>,
    parts: &'a [([u8; 32], Blob)],
    /// Those of the parts that were asked for: each is one, whoever shares it.
    made: Vec<OnceCell<Part>>,
    /// Packages and bundler are not known to a survey.
    empty: Part,
}

impl<'a> Shared<'a> {
    pub(super) fn new(texts: &[String], parts: &'a [([u8; 32], Blob)]) -> Self {
        Self {
            texts: texts.iter().map(|text| Arc::from(text.as_str())).collect(),
            parts,
            made: vec![OnceCell::new(); parts.len()],
            empty: Part::of([]),
        }
    }

    fn text(&self, index: u32) -> Option<Arc<str>> {
        self.texts.get(index as usize).cloned()
    }

    pub(super) fn part(&self, index: u32) -> Option<Part> {
        let (digest, encoded) = self.parts.get(index as usize)?;
        let slot = self.made.get(index as usize)?;
        let make = || Part::from_stored(Digest::from_bytes(*digest), encoded.0.as_slice().into());
        Some(slot.get_or_init(make).clone())
    }

    pub(super) fn source(&self, (root, path): &(u32, String)) -> Option<SourceId> {
        Some(SourceId { root: RootId::new(self.text(*root)?), path: RelativePath::parse(path).ok()? })
    }

    pub(super) fn entry(&self, saved: SavedEntry) -> Option<(Observation, SurveyedEntry)> {
        let observation = Observation {
            source: SourceId {
                root: RootId::new(self.text(saved.root)?),
                path: RelativePath::parse(&saved.path).ok()?,
            },
            origin: *Origin::ALL.get(usize::from(saved.origin))?,
            extension: Extension { name: self.text(saved.extension.0)?, version: self.text(saved.extension.1)? },
            kind: Kind::new(self.text(saved.kind)?),
            claimed_type: saved.claimed_type.map(TypeName::stored),
            claims_add_on: saved.claims_add_on,
            entry: self.state(saved.state)?,
        };
        let specifiers = saved.specifiers.into_iter().map(|index| self.text(index).map(|text| text.to_string()));
        let entry = SurveyedEntry {
            specifiers: specifiers.collect::<Option<_>>()?,
            lock: match saved.lock {
                Some(index) => Some(PathBuf::from(&*self.text(index)?)),
                None => None,
            },
            shipped: match saved.shipped {
                Some(shipped) => Some(self.shipped(shipped)?),
                None => None,
            },
        };
        Some((observation, entry))
    }

    fn state(&self, saved: SavedState) -> Option<Entry> {
        Some(match saved {
            SavedState::Readable { digest, source, config } => Entry::Readable {
                digest: Digest::from_bytes(digest),
                inputs: Inputs {
                    source: self.part(source)?,
                    config: self.part(config)?,
                    packages: self.empty.clone(),
                    bundler: self.empty.clone(),
                },
            },
            SavedState::Unreadable(fault) => Entry::Unreadable(fault.restore()?),
        })
    }

    fn shipped(&self, saved: SavedShipped) -> Option<Shipped> {
        Some(match saved {
            SavedShipped::Unusable(why) => Shipped::Unusable { why },
            SavedShipped::Bundle { path, digest, pull } => Shipped::Bundle(ShippedBundle {
                path: RelativePath::parse(&path).ok()?,
                digest: Digest::from_bytes(digest),
                pull: self.text(pull)?,
            }),
        })
    }

    fn root(&self, saved: SavedRoot) -> Option<(RootId, RootView)> {
        let missing = saved.missing_directories.into_iter();
        let view = RootView {
            origin: *Origin::ALL.get(usize::from(saved.origin))?,
            access: match saved.unreachable {
                None => RootAccess::Reachable,
                Some(fault) => RootAccess::Unreachable(fault.restore()?),
            },
            incomplete: saved.incomplete.into_iter().collect(),
            missing_directories: missing
                .map(|(kind, directory)| Some((Kind::new(self.text(kind)?), directory)))
                .collect::<Option<_>>()?,
            locked_files: saved
                .locked_files
                .iter()
                .map(|path| RelativePath::parse(path).ok())
                .collect::<Option<_>>()?,
        };
        Some((RootId::new(self.text(saved.id)?), view))
    }
}

fn restore_problem(saved: SavedProblem) -> Option<Problem> {
    let severity = match saved.severity {
        SavedSeverity::Information => Severity::Information,
        SavedSeverity::Warning => Severity::Warning,
        SavedSeverity::Error => Severity::Error,
    };
    let problem = Problem::new(severity, code(saved.code)?, saved.subject, saved.message);
    let position = saved.position.map(|(file, line, column)| Position { file, line, column });
    Some(problem.at_if(position).advise_if(saved.advice))
}

impl SavedFault {
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
