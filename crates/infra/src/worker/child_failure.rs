//! How a child can fail its parent, and what that means for the job in flight.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};

/// The cause key of everything that is the workers' own trouble.
const CAUSE: &str = "worker";

/// What became of a child.
#[derive(Debug)]
pub(crate) enum ChildFailure {
    /// It ended by itself or by somebody else's signal.
    Gone {
        /// How it ended, if that could be found out.
        status: Option<ExitStatus>,
        /// The last it wrote to standard error.
        stderr_tail: String,
        /// True if it had begun with the job.
        accepted: bool,
    },
    /// It was killed for taking too long: as much wall time.
    TimedOut(Duration),
    /// It was killed for growing too large.
    TooLarge { used_bytes: u64, limit_bytes: u64 },
    /// The job panicked.
    Panicked(String),
    /// It said what cannot be understood.
    Confused(String),
}

impl ChildFailure {
    /// True if the job cannot be to blame, because the child had not begun with it.
    pub(super) const fn is_stale(&self) -> bool {
        matches!(self, ChildFailure::Gone { accepted: false, .. })
    }

    /// True if somebody else killed the child while it worked: the job can go well in another one.
    pub(super) fn is_foreign_kill(&self) -> bool {
        matches!(self, ChildFailure::Gone { accepted: true, status, .. } if is_foreign_signal(*status))
    }

    /// What the failure means for the job, which is called `task` ("parsing `a.ts`").
    pub(crate) fn fault(self, task: &str) -> Fault {
        match self {
            ChildFailure::Gone { accepted: false, status, stderr_tail } => Fault::environment(
                Code::WORKER_UNAVAILABLE,
                CAUSE,
                format!("the worker for {task} {} before it began{}", ending(status), quoted(&stderr_tail)),
            ),
            ChildFailure::Gone { accepted: true, status, stderr_tail } => Fault::new(
                class_of(status),
                Code::WORKER_CRASHED,
                CAUSE,
                format!("the worker {} while {task}{}", ending(status), quoted(&stderr_tail)),
            ),
            ChildFailure::TimedOut(elapsed) => Fault::environment(
                Code::WORKER_TIMED_OUT,
                CAUSE,
                format!("the worker was killed after {:.1} s while {task}", elapsed.as_secs_f64()),
            ),
            ChildFailure::TooLarge { used_bytes, limit_bytes } => Fault::environment(
                Code::MEMORY_LIMIT,
                CAUSE,
                format!(
                    "the worker was killed while {task}: it used {} MB of at most {} MB",
                    used_bytes >> 20,
                    limit_bytes >> 20
                ),
            ),
            ChildFailure::Panicked(message) => Fault::deterministic(
                Code::WORKER_CRASHED,
                CAUSE,
                format!("the worker panicked while {task}: {message}"),
            ),
            ChildFailure::Confused(message) => Fault::environment(
                Code::WORKER_UNAVAILABLE,
                CAUSE,
                format!("the worker sent a malformed answer while {task}: {message}"),
            ),
        }
    }
}

/// The program could not be started.
pub(crate) fn spawn_failure(program: &std::path::Path, error: &std::io::Error) -> Fault {
    Fault::environment(Code::WORKER_UNAVAILABLE, CAUSE, format!("cannot start {}: {error}", program.display()))
}

fn class_of(status: Option<ExitStatus>) -> FailureClass {
    if is_foreign_signal(status) { FailureClass::Environment } else { FailureClass::Deterministic }
}

/// An input cannot make its child end by these signals; somebody outside (the out-of-memory killer, an operator)
/// sent them, and the next try may go well.
fn is_foreign_signal(status: Option<ExitStatus>) -> bool {
    matches!(status.and_then(|status| status.signal()), Some(1 | 2 | 9 | 15))
}

fn ending(status: Option<ExitStatus>) -> String {
    match status {
        None => "went away".to_owned(),
        Some(status) => match (status.signal(), status.code()) {
            (Some(number), _) => format!("died of {}", signal_name(number)),
            (None, Some(code)) => format!("exited with {code}"),
            (None, None) => format!("ended ({status})"),
        },
    }
}

fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

fn quoted(stderr_tail: &str) -> String {
    let stderr_tail = stderr_tail.trim();
    if stderr_tail.is_empty() { String::new() } else { format!(": {stderr_tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(raw: i32, accepted: bool) -> Fault {
        let status = Some(ExitStatus::from_raw(raw));
        ChildFailure::Gone { status, stderr_tail: "bye\n".to_owned(), accepted }.fault("parsing `a.ts`")
    }

    #[test]
    fn a_crash_is_the_inputs_doing_and_a_kill_from_outside_is_not() {
        let crash = gone(11, true);
        assert_eq!((crash.class, crash.code), (FailureClass::Deterministic, Code::WORKER_CRASHED));
        assert_eq!(crash.message, "the worker died of SIGSEGV while parsing `a.ts`: bye");
        let killed = gone(9, true);
        assert_eq!((killed.class, killed.code), (FailureClass::Environment, Code::WORKER_CRASHED));
        let early = gone(11, false);
        assert_eq!((early.class, early.code), (FailureClass::Environment, Code::WORKER_UNAVAILABLE));
    }

    #[test]
    fn limits_are_the_environments_doing() {
        let slow = ChildFailure::TimedOut(Duration::from_secs(5)).fault("bundling `a.ts`");
        assert_eq!((slow.class, slow.code), (FailureClass::Environment, Code::WORKER_TIMED_OUT));
        assert_eq!(slow.message, "the worker was killed after 5.0 s while bundling `a.ts`");
        let large = ChildFailure::TooLarge { used_bytes: 600 << 20, limit_bytes: 512 << 20 }.fault("x");
        assert_eq!((large.class, large.code), (FailureClass::Environment, Code::MEMORY_LIMIT));
    }
}
