//! The shell of the system.

use std::time::Duration;

use async_trait::async_trait;

/// Runs commands that people wrote.
///
/// Implementations MUST run the text with the shell of the system, in the environment of this process and the variables of the
/// command, without an input; MUST tell every line when it is there; MUST end the command with everything that it started
/// when its time is up, and when nobody waits for it any longer: asked first, forced later; MUST keep no more of each
/// stream than they are asked to. A command that cannot be started has ended, with the reason as its errors.
/// Contract: `testkit::contract::shell`.
#[async_trait]
pub trait Shell: Send + Sync {
    /// Runs a command to its end. `hear` is told its lines, without their ends.
    async fn run(&self, command: ShellCommand, hear: &mut ShellListener<'_>) -> ShellEnd;
}

/// Is told the lines of a command.
pub type ShellListener<'a> = dyn for<'l> FnMut(ShellStream, &'l str) + Send + 'a;

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellCommand {
    /// The command as the shell reads it.
    pub text: String,
    /// The directory that it works in; that of this process if nothing is said.
    pub directory: Option<String>,
    /// Variables beside those of this process; they win.
    pub variables: Vec<(String, String)>,
    /// How long it may take.
    pub limit: Option<Duration>,
    /// How many bytes of each stream are kept.
    pub kept_bytes: usize,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellStream {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShellEnd {
    /// Its exit code; −1 if it has none: it could not be started, or was ended.
    pub exit_code: i32,
    /// The beginning of its standard output.
    pub output: String,
    /// The beginning of its standard error.
    pub errors: String,
    /// True if there was more of either.
    pub is_cut: bool,
    /// True if it was ended because its time was up.
    pub timed_out: bool,
}
