//! The vendor files that a child holds, seen from the parent: what is the same for many entries is sent once.

use std::{collections::HashMap, sync::Arc};

use mangrove_domain::bundle::BundleFile;

use super::wire::{self, Request, WireError};

/// The most text that a child holds, in bytes. The files of one bundle may be more.
const MOST_BYTES: usize = 32 << 20;

/// Files by their paths, with the text that was sent.
#[derive(Debug, Default)]
pub(super) struct HeldFiles {
    texts: HashMap<String, Arc<str>>,
    bytes: usize,
}

impl HeldFiles {
    /// The messages after which the child holds these files, and notes that it does.
    ///
    /// # Errors
    /// [`WireError::Malformed`] if a file is too large for a message.
    pub(super) fn frames(&mut self, files: &[BundleFile]) -> Result<Vec<Vec<u8>>, WireError> {
        let mut frames = Vec::new();
        let missing: usize = files.iter().filter(|file| !self.holds(file)).map(|file| file.code.len()).sum();
        if missing > 0 && self.bytes + missing > MOST_BYTES && !self.texts.is_empty() {
            frames.push(wire::frame(&Request::LetGo)?);
            self.texts.clear();
            self.bytes = 0;
        }
        for file in files {
            if self.holds(file) {
                continue;
            }
            frames.push(wire::frame(&Request::Hold { path: &file.path, code: &file.code })?);
            let before = self.texts.insert(file.path.clone(), Arc::clone(&file.code));
            self.bytes += file.code.len();
            self.bytes -= before.map_or(0, |text| text.len());
        }
        Ok(frames)
    }

    fn holds(&self, file: &BundleFile) -> bool {
        self.texts.get(&file.path).is_some_and(|text| *text == file.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, code: &str) -> BundleFile {
        BundleFile { path: path.to_owned(), code: code.into() }
    }

    #[test]
    fn a_file_is_sent_once_and_again_when_its_text_is_another() {
        let mut held = HeldFiles::default();
        let mut sent = |files: &[BundleFile]| held.frames(files).expect("frames").len();
        assert_eq!(sent(&[file("a", "1"), file("b", "1")]), 2);
        assert_eq!(sent(&[file("a", "1"), file("b", "1"), file("c", "1")]), 1);
        assert_eq!(sent(&[file("b", "2")]), 1);
        assert_eq!(sent(&[file("b", "2"), file("a", "1")]), 0);
    }

    #[test]
    fn what_would_be_too_much_makes_room_first() {
        let large = "x".repeat(MOST_BYTES / 2);
        let mut held = HeldFiles::default();
        for name in ["a", "b"] {
            assert_eq!(held.frames(&[file(name, &large)]).expect("frames").len(), 1);
        }
        let frames = held.frames(&[file("c", "1"), file("a", &large)]).expect("frames");
        assert_eq!(frames.len(), 3, "all is let go of, then both are sent");
        assert!(held.bytes <= MOST_BYTES);
        assert_eq!(held.frames(&[file("b", "1")]).expect("frames").len(), 1);
    }

    #[test]
    fn one_bundle_may_have_more_than_that() {
        let large = "x".repeat(MOST_BYTES);
        let mut held = HeldFiles::default();
        assert_eq!(held.frames(&[file("a", &large), file("b", &large)]).expect("frames").len(), 2);
        assert_eq!(held.frames(&[file("a", &large), file("b", &large)]).expect("frames").len(), 0);
    }
}
