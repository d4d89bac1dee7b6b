//! Edits of some entries of the image of a survey, without taking the others apart.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mangrove_domain::{
    observation::Observation,
    ports::ObserveRequest,
    source::{RelativePath, SourceId},
    survey::{EditedEntry, Survey},
    type_name::TypeName,
};

use super::{
    SavedEntry, SavedState, SavedSurvey,
    restore::Shared,
    save::{Interner, save_entry},
};

impl SavedSurvey {
    /// The entries that are one of these files or reach one; `None` if an index or a name leads nowhere.
    pub(crate) fn reaching(&self, files: &BTreeSet<SourceId>) -> Option<Vec<EditedEntry>> {
        let mut by_root: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for file in files {
            by_root.entry(file.root.as_str()).or_default().push(file.path.as_str());
        }
        let shared = Shared::new(&self.texts, &self.parts);
        let mut reaching = Vec::new();
        for saved in &self.entries {
            let SavedState::Readable { source, .. } = saved.state else { continue };
            let Some(paths) = by_root.get(self.text(saved.root)?) else { continue };
            // The part of an entry holds all paths that it reaches, its own too.
            let part = shared.part(source)?;
            if paths.iter().any(|path| part.has_key(path)) {
                let (Observation { source, origin, extension, kind, .. }, _) = shared.entry(saved.clone())?;
                reaching.push(EditedEntry { source, origin, extension, kind });
            }
        }
        Some(reaching)
    }

    /// Puts what this survey says of its entries in the place of what is known of them.
    pub(crate) fn replace(&mut self, survey: &Survey) {
        let mut interner = Interner::over(std::mem::take(&mut self.texts), std::mem::take(&mut self.parts));
        let saved = survey.observed().map(|(observation, entry)| save_entry(&mut interner, observation, entry));
        let mut saved: BTreeMap<(u32, String), SavedEntry> =
            saved.map(|entry| ((entry.root, entry.path.clone()), entry)).collect();
        for entry in &mut self.entries {
            if let Some(edited) = saved.remove(&(entry.root, entry.path.clone())) {
                *entry = edited;
            }
        }
        (self.texts, self.parts) = interner.into_parts();
    }

    /// What it says of these entries alone; `None` if an index or a name leads nowhere.
    pub(crate) fn restore_only(&self, sources: &BTreeSet<SourceId>) -> Option<Survey> {
        let wanted: HashSet<(&str, &str)> =
            sources.iter().map(|source| (source.root.as_str(), source.path.as_str())).collect();
        let shared = Shared::new(&self.texts, &self.parts);
        let mut survey = Survey::default();
        for saved in &self.entries {
            if wanted.contains(&(self.text(saved.root)?, saved.path.as_str())) {
                let (observation, entry) = shared.entry(saved.clone())?;
                survey.disk.observations.push(observation);
                survey.entries.push(entry);
            }
        }
        let unknown = self.unknown_identities.iter().map(|source| shared.source(source));
        survey.disk.unknown_identities = unknown.collect::<Option<_>>()?;
        survey.disk.unknown_identities.retain(|source| sources.contains(source));
        Some(survey)
    }

    /// What it says of the sources that are asked for, and of no others; `None` if an index or a name leads nowhere.
    pub(crate) fn restore_for(mut self, request: &ObserveRequest) -> Option<Survey> {
        if !request.is_of_everything() {
            let ObserveRequest { only, named, .. } = request;
            let only: HashSet<(&str, &str)> =
                only.iter().map(|source| (source.root.as_str(), source.path.as_str())).collect();
            let types: HashSet<&str> = named.types.iter().map(TypeName::as_str).collect();
            let paths: HashSet<&str> = named.paths.iter().map(RelativePath::as_str).collect();
            let mut asked = HashSet::new();
            for saved in &self.entries {
                let is_named = saved.claimed_type.as_deref().is_some_and(|name| types.contains(name));
                let path = saved.path.as_str();
                if is_named || paths.contains(path) || only.contains(&(self.text(saved.root)?, path)) {
                    asked.insert((saved.root, path.to_owned()));
                }
            }
            let is_asked = |saved: &SavedEntry| asked.contains(&(saved.root, saved.path.clone()));
            self.entries.retain(is_asked);
        }
        self.restore()
    }

    /// True if most of the parts that are stored belong to no entry any more.
    pub(crate) fn is_worn(&self) -> bool {
        self.parts.len() > 1_000 + 4 * self.entries.len()
    }

    fn text(&self, index: u32) -> Option<&str> {
        self.texts.get(index as usize).map(String::as_str)
    }
}
