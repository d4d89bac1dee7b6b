//! What could not be looked into.

use crate::{
    failure::Fault,
    observation::{DiskView, RootAccess},
    problem::{Problem, Severity},
    source::Origin,
};

/// What could not be looked into: roots that are configured and cannot be reached, lists that cannot be read. Whatever
/// lies there is not known to be gone, and a type that nobody claims may be there.
#[must_use]
pub fn unobservable(disk: &DiskView) -> Vec<Problem> {
    let mut problems: Vec<Problem> = disk
        .roots
        .iter()
        .filter_map(|(root, view)| match &view.access {
            RootAccess::Reachable => None,
            RootAccess::Unreachable(fault) => {
                Some(problem_of(fault, root_severity(view.origin), root.to_string(), root_hint(view.origin)))
            }
        })
        .collect();
    let reported = [
        (&disk.lockfile_fault, "lockfile", "correct the lockfile; until then no pulled extension is added or removed"),
        (&disk.mounts_fault, "source mounts", "correct .swamp-sources.yaml; until then no mount is added or removed"),
    ];
    problems.extend(reported.into_iter().filter_map(|(fault, subject, hint)| {
        fault.as_ref().map(|fault| problem_of(fault, Severity::Error, subject.to_owned(), hint))
    }));
    problems
}

/// Mounts come and go; a missing one is only a warning. What was locked, or is the repository itself, should be there.
const fn root_severity(origin: Origin) -> Severity {
    match origin {
        Origin::Mounted => Severity::Warning,
        Origin::Local | Origin::Pulled => Severity::Error,
    }
}

const fn root_hint(origin: Origin) -> &'static str {
    match origin {
        Origin::Mounted => {
            "mount it or check it out again, or take it out of .swamp-sources.yaml; then `mangrove scan`"
        }
        Origin::Pulled => "pull the extension again, or take it out of the lockfile; then `mangrove scan`",
        Origin::Local => "check that the directory is there and can be read; then `mangrove scan`",
    }
}

fn problem_of(fault: &Fault, severity: Severity, subject: String, hint: &str) -> Problem {
    Problem {
        code: fault.code,
        severity,
        subject,
        position: fault.position.clone(),
        message: fault.message.clone(),
        hint: Some(hint.to_owned()),
    }
}
