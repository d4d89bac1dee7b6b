//! Starting an outside program so that it does not outlive us.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Becomes a program that is killed when the process that started this one ends, in whatever way: also by a signal that
/// cannot be caught. A program that calculates without end would go on for ever otherwise.
///
/// `parent` is the number of that process, `program` the program's file and its arguments. Returns only if the program
/// cannot be started, or the parent is gone already.
#[must_use]
pub fn become_program(parent: u32, program: &[OsString]) -> ExitCode {
    let [file, arguments @ ..] = program else { return failed("there is no program to start") };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return failed(&error.to_string());
    }
    // It may have ended before it could be watched.
    let expected = i32::try_from(parent).ok().and_then(Pid::from_raw);
    if getppid() != expected {
        return failed("the process that asked for it is gone");
    }
    let error = Command::new(file).args(arguments).exec();
    failed(&error.to_string())
}

fn failed(why: &str) -> ExitCode {
    // Whoever started this process keeps its last words; if nobody does there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "the program cannot be started: {why}");
    ExitCode::from(127)
}
