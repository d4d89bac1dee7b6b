//! Changes to a text, by place.

use rolldown_sourcemap::SourceMap;
use string_wizard::{Hires, MagicString, SourceMapOptions, UpdateOptions};

/// Changes to a text, collected in any order. What is put at one place stands there in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Edits {
    insertions: Vec<(u32, String)>,
    openings: Vec<(u32, String)>,
    replacements: Vec<(u32, u32, String)>,
}

impl Edits {
    pub(super) fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.insertions.push((at, text.into()));
    }

    /// Inserts what belongs to something that begins there: what comes later belongs to something around it.
    pub(super) fn open(&mut self, at: u32, text: impl Into<String>) {
        self.openings.push((at, text.into()));
    }

    /// Puts `text` in the place of what stands from `start` to `end`. Replaced places must not overlap, and nothing may be
    /// inserted inside of one.
    pub(super) fn replace(&mut self, start: u32, end: u32, text: impl Into<String>) {
        let text = text.into();
        if start == end {
            self.insertions.push((start, text));
        } else {
            self.replacements.push((start, end, text));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.insertions.is_empty() && self.openings.is_empty() && self.replacements.is_empty()
    }

    /// The changed text, and where its parts stood; `None` if the changes contradict each other.
    pub(super) fn apply(self, text: &str) -> Option<(String, SourceMap)> {
        let mut changed = MagicString::new(text);
        for (start, end, with) in self.replacements {
            changed.update_with(start, end, with, UpdateOptions { keep_original: false, overwrite: true }).ok()?;
        }
        for (at, text) in self.insertions.into_iter().chain(self.openings.into_iter().rev()) {
            changed.append_left(at, text).ok()?;
        }
        let options = SourceMapOptions { hires: Hires::Boundary, ..SourceMapOptions::default() };
        let map = changed.source_map(options);
        Some((changed.to_string(), map))
    }
}
