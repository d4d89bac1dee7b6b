//! From a survey to its image.

use std::collections::HashMap;

use mangrove_domain::{
    digest::Digest,
    failure::{FailureClass, Fault},
    fingerprint::Part,
    observation::{Entry, Observation, RootAccess, RootView},
    problem::{Problem, Severity},
    shipped::Shipped,
    source::{Origin, RootId, SourceId},
    survey::{Survey, SurveyedEntry},
};

use super::{
    Blob, SavedEntry, SavedFault, SavedProblem, SavedRoot, SavedSeverity, SavedShipped, SavedState, SavedSurvey,
};

impl SavedSurvey {
    /// The image of a survey. Bundle presence is no part of it: it is not stat-cached.
    pub(crate) fn of(survey: &Survey) -> Self {
        let mut interner = Interner::default();
        let disk = &survey.disk;
        let entries = survey.observed().map(|(observation, entry)| save_entry(&mut interner, observation, entry));
        Self {
            entries: entries.collect(),
            roots: disk.roots.iter().map(|(id, view)| save_root(&mut interner, id, view)).collect(),
            helpers: disk.helpers.iter().map(|source| save_source(&mut interner, source)).collect(),
            unknown_identities: disk
                .unknown_identities
                .iter()
                .map(|source| save_source(&mut interner, source))
                .collect(),
            problems: disk.problems.iter().map(save_problem).collect(),
            lockfile_fault: disk.lockfile_fault.as_ref().map(SavedFault::of),
            mounts_fault: disk.mounts_fault.as_ref().map(SavedFault::of),
            mount_patterns: disk.mount_patterns.iter().map(|glob| glob.as_str().to_owned()).collect(),
            texts: interner.texts,
            parts: interner.parts,
        }
    }
}

/// Gives each text and each part a number.
#[derive(Default)]
pub(super) struct Interner {
    texts: Vec<String>,
    by_text: HashMap<String, u32>,
    parts: Vec<([u8; 32], Blob)>,
    by_digest: HashMap<Digest, u32>,
}

impl Interner {
    /// Goes on where these were given their numbers.
    pub(super) fn over(texts: Vec<String>, parts: Vec<([u8; 32], Blob)>) -> Self {
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let by_text = texts.iter().enumerate().map(|(index, text)| (text.clone(), number(index))).collect();
        let digests = parts.iter().enumerate();
        let by_digest = digests.map(|(index, (digest, _))| (Digest::from_bytes(*digest), number(index))).collect();
        Self { texts, by_text, parts, by_digest }
    }

    /// The texts and the parts, in the order of their numbers.
    pub(super) fn into_parts(self) -> (Vec<String>, Vec<([u8; 32], Blob)>) {
        (self.texts, self.parts)
    }

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

pub(super) fn save_entry(interner: &mut Interner, observation: &Observation, entry: &SurveyedEntry) -> SavedEntry {
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

fn save_root(interner: &mut Interner, id: &RootId, view: &RootView) -> SavedRoot {
    SavedRoot {
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
    }
}

fn save_source(interner: &mut Interner, source: &SourceId) -> (u32, String) {
    (interner.text(source.root.as_str()), source.path.as_str().to_owned())
}

fn save_problem(problem: &Problem) -> SavedProblem {
    SavedProblem {
        code: problem.code.number(),
        severity: match problem.severity {
            Severity::Information => SavedSeverity::Information,
            Severity::Warning => SavedSeverity::Warning,
            Severity::Error => SavedSeverity::Error,
        },
        subject: problem.subject.clone(),
        position: problem.position.as_ref().map(|place| (place.file.clone(), place.line, place.column)),
        message: problem.message.clone(),
        advice: problem.advice.as_ref().map(ToString::to_string),
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
}

pub(crate) const fn save_origin(origin: Origin) -> u8 {
    match origin {
        Origin::Local => 0,
        Origin::Mounted => 1,
        Origin::Pulled => 2,
    }
}
