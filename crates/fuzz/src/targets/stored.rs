//! What one process of ours writes for another one.

use std::{collections::BTreeMap, fs, path::Path};

use mangrove_domain::{
    digest::Digest,
    freshness::Fresh,
    ports::Seals as _,
    problem::{Code, Problem},
    seal::{Conclusion, Seal},
    source::{RelativePath, RootId, SourceId},
};
use mangrove_infra::{
    seals::{self, FileSeals},
    worker::wire,
};

use super::{finished, packages::with_file};

/// Both directions of the pipes between a process and its workers.
pub(super) fn wire(bytes: &[u8]) {
    wire::fuzzing::read(bytes);
}

pub(super) fn frames() -> Vec<Vec<u8>> {
    wire::fuzzing::frames()
}

pub(super) fn inspection(bytes: &[u8]) {
    if let Ok(inspection) = wire::decode_inspection(bytes) {
        let encoded = wire::encode_inspection(&inspection).unwrap_or_default();
        assert_eq!(wire::decode_inspection(&encoded).ok(), Some(inspection));
    }
}

pub(super) fn inspections() -> Vec<Vec<u8>> {
    wire::fuzzing::inspections()
}

fn seal_of_everything() -> Seal {
    let digest = Digest::of(b"fuzz");
    let source = RelativePath::parse("extensions/models/a.ts").map(|path| SourceId { root: RootId::local(), path });
    let problem = Problem::warning(Code::UNREADABLE, "a.ts", "cannot be read");
    let answers = source.into_iter().map(|source| (source, Fresh::StillRejected)).collect();
    Seal {
        request: digest,
        survey: digest,
        version: digest,
        mark: Some(digest),
        is_mark_settled: true,
        needs: BTreeMap::new(),
        conclusion: Conclusion { answers, ..Conclusion::default() },
        found: vec![problem.clone()],
        claimed: vec![problem],
    }
}

fn files(directory: &Path) -> Option<FileSeals> {
    let program = directory.join("program");
    if !program.exists() {
        fs::write(&program, "program").ok()?;
    }
    Some(FileSeals::new(&directory.join("state"), program))
}

/// A damaged seal is none; nothing but what was sealed is ever told.
pub(super) fn seal(bytes: &[u8]) {
    let Some(directory) = with_file(&format!("state/{}", seals::FILE_NAME), bytes) else { return };
    let Some(files) = files(directory.path()) else { return };
    if let Some(Some(seal)) = finished(files.load()) {
        assert_eq!(seal, seal_of_everything());
    }
}

pub(super) fn seals() -> Vec<Vec<u8>> {
    let made = || {
        let directory = tempfile::tempdir().ok()?;
        finished(files(directory.path())?.save(&seal_of_everything()))?.ok()?;
        fs::read(directory.path().join("state").join(seals::FILE_NAME)).ok()
    };
    made().into_iter().collect()
}
