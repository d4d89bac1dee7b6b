//! What is said of a machine that stopped.

use mangrove_domain::{failure::Fault, problem::Code};

use super::{
    machine::{Machine, Nature, Stop, Thrown},
    natives::{Mode, locked},
};

impl Machine {
    /// The fault behind a stop, after the engine was left. `doing` completes "`subject` …".
    pub(super) fn fault(&self, subject: &str, doing: &str, stop: &Stop) -> Fault {
        let is_full = self.is_full();
        let megabytes = self.limits.memory_bytes / (1024 * 1024);
        let memory = |otherwise: &str| {
            Fault::environment(
                Code::MEMORY_LIMIT,
                "limit:memory",
                format!("{subject} needs more than {megabytes} MiB of memory {doing}{otherwise}"),
            )
        };
        match stop {
            Stop::Threw(Thrown { nature: Nature::Memory, .. }) => memory(""),
            Stop::Threw(_) | Stop::Engine(_) if is_full => memory(""),
            Stop::Threw(Thrown { nature: Nature::Null, .. }) => memory(", or throws null"),
            Stop::Cpu => Fault::environment(
                Code::CPU_LIMIT,
                "limit:cpu",
                format!("{subject} used up {:.1} s of processor time {doing}", self.limits.cpu.as_secs_f64()),
            ),
            Stop::Jobs => Fault::deterministic(
                Code::JOB_LIMIT,
                "limit:jobs",
                format!("{subject} ran more than {} promise jobs {doing}", self.limits.pending_jobs),
            ),
            Stop::TooLarge(limit) => Fault::environment(
                Code::MEMORY_LIMIT,
                "limit:export",
                format!(
                    "what {subject} exports {limit}, and so much is not inspected; export less, or build it inside of methods"
                ),
            ),
            Stop::Stuck => Fault::deterministic(
                Code::THREW_WHILE_LOADING,
                "module",
                format!("{subject} waits for a promise that nothing will settle {doing}"),
            ),
            Stop::Threw(thrown) => self.thrown_fault(subject, doing, thrown),
            Stop::Engine(message) => {
                Fault::deterministic(Code::THREW_WHILE_LOADING, "module", format!("{subject} fails {doing}: {message}"))
            }
        }
    }

    fn thrown_fault(&self, subject: &str, doing: &str, thrown: &Thrown) -> Fault {
        let place = thrown.place.as_deref().map(|place| format!(" ({place})")).unwrap_or_default();
        let message = &thrown.message;
        let missing = |names: &str| {
            Fault::environment(
                Code::REQUIREMENT_MISSING,
                format!("engine:{names}"),
                format!(
                    "{subject} fails {doing}, and it uses {names}, which the embedded engine lacks: {message}{place}"
                ),
            )
        };
        match &thrown.nature {
            Nature::Stack => Fault::deterministic(
                Code::STACK_LIMIT,
                "limit:stack",
                format!("{subject} recurses too deep {doing}{place}"),
            ),
            Nature::Requirement(name) => Fault::environment(
                Code::REQUIREMENT_MISSING,
                format!("engine:{name}"),
                format!("{subject} needs {name} {doing}, which the embedded engine lacks{place}"),
            ),
            Nature::Denied(permission, name) => match &self.mode {
                Mode::Run { grantee, .. } => grantee.denied(subject, *permission, name.as_deref()),
                Mode::Inspect => missing("process.env"),
            },
            Nature::Own | Nature::Memory | Nature::Null => {
                let ledger = locked(&self.ledger);
                if ledger.engine_was_opaque {
                    let names: Vec<&str> = ledger.touched.iter().map(String::as_str).collect();
                    return missing(&names.join(", "));
                }
                Fault::deterministic(
                    Code::THREW_WHILE_LOADING,
                    "module",
                    format!("{subject} throws {doing}: {message}{place}"),
                )
            }
        }
    }
}
