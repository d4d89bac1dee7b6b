//! What could not be looked into.

use crate::{
    advice::{Advice, UserAction},
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
                Some(problem_of(fault, root_severity(view.origin), root.to_string(), root_advice(view.origin)))
            }
        })
        .collect();
    let reported = [
        (&disk.lockfile_fault, "lockfile", "correct the lockfile; until then no pulled extension is added or removed"),
        (&disk.mounts_fault, "source mounts", "correct .swamp-sources.yaml; until then no mount is added or removed"),
    ];
    problems.extend(reported.into_iter().filter_map(|(fault, subject, advice)| {
        fault.as_ref().map(|fault| problem_of(fault, Severity::Error, subject.to_owned(), advice.into()))
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

fn root_advice(origin: Origin) -> Advice {
    let first = match origin {
        Origin::Mounted => {
            Advice::new("mount it or check it out again, or remove it from .swamp-sources.yaml; then run ")
        }
        Origin::Pulled => {
            Advice::new(UserAction::InstallExtensions).and(" pulls it again; or remove it from the lockfile; then run ")
        }
        Origin::Local => Advice::new("check that the directory exists and can be read; then run "),
    };
    first.and(UserAction::Scan)
}

fn problem_of(fault: &Fault, severity: Severity, subject: String, advice: Advice) -> Problem {
    Problem::new(severity, fault.code, subject, fault.message.clone()).at_if(fault.position.clone()).advise(advice)
}
