//! When an expression is evaluated, and what stays as it is written until later (`design/workflows.md`).

use mangrove_domain::ports::ParsedExpression;

/// A moment at which a document is rendered.
///
/// *Run-time* expressions read `env` or a vault; they are evaluated when arguments are handed over and never before, so that
/// nothing that is stored contains what they give. *Step-output* expressions read what earlier steps have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    run_time: RunTime,
    /// What reads `self` or the run, which are not there yet, stays.
    keeps_step: bool,
    keeps_step_output: bool,
    keeps_invalid: bool,
    keeps_failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunTime {
    Evaluated,
    /// It stays, and is evaluated when it is handed over.
    Kept,
    /// The same, and it must not read anything else: where it is evaluated, those names mean something else.
    KeptAlone,
}

impl Stage {
    /// Everything has a value, or it is an error.
    pub const EVERYTHING: Self = Self {
        run_time: RunTime::Evaluated,
        keeps_step: false,
        keeps_step_output: false,
        keeps_invalid: false,
        keeps_failed: false,
    };
    /// A workflow, once for each run, before anything runs.
    pub const BODY: Self = Self { run_time: RunTime::Kept, keeps_step: true, ..Self::EVERYTHING };
    /// In a workflow, what its steps give to what they call (`task.inputs`, `task.message`).
    pub const BODY_INPUTS: Self = Self { keeps_step_output: true, ..Self::BODY };
    /// What a step says of itself and of its task: whatever has no value yet stays.
    pub const TASK: Self = Self {
        run_time: RunTime::Kept,
        keeps_step: false,
        keeps_step_output: true,
        keeps_invalid: true,
        keeps_failed: true,
    };
    /// What a step gives to a method.
    pub const INPUTS: Self = Self { run_time: RunTime::Kept, keeps_invalid: true, ..Self::EVERYTHING };
    /// What a step gives to another workflow.
    pub const NESTED_INPUTS: Self = Self { run_time: RunTime::KeptAlone, ..Self::INPUTS };
    /// A definition as it is recorded: what has no value stays.
    pub const DEFINITION: Self = Self { keeps_failed: true, ..Self::INPUTS };
    /// What a method is called with: prose that only looks like an expression stays, everything else has a value.
    pub const HAND_OVER: Self = Self { keeps_invalid: true, ..Self::EVERYTHING };

    pub(super) const fn keeps_invalid(self) -> bool {
        self.keeps_invalid
    }

    pub(super) const fn keeps_failed(self) -> bool {
        self.keeps_failed
    }

    /// What becomes of an expression, `asks_vaults` if it names secrets.
    pub(super) fn of(self, parsed: &dyn ParsedExpression, asks_vaults: bool) -> Verdict {
        let reads = |roots: &[&str]| parsed.references().iter().any(|path| roots.contains(&path[0].as_str()));
        if asks_vaults || reads(&["env"]) {
            let is_alone =
                parsed.functions().is_empty() && parsed.references().iter().all(|path| path[0].as_str() == "env");
            return match self.run_time {
                RunTime::Evaluated => Verdict::Evaluate,
                RunTime::KeptAlone if !is_alone => Verdict::Mixed,
                RunTime::Kept | RunTime::KeptAlone => Verdict::Keep,
            };
        }
        let waits = self.keeps_step && reads(&["self", "run", "workflowRunId"])
            || self.keeps_step_output && is_step_output(parsed);
        if waits { Verdict::Keep } else { Verdict::Evaluate }
    }
}

/// What becomes of an expression at a stage.
pub(super) enum Verdict {
    Evaluate,
    Keep,
    Mixed,
}

/// Whether an expression reads what steps make.
fn is_step_output(parsed: &dyn ParsedExpression) -> bool {
    let asks = parsed.functions().iter().any(|name| name.starts_with("data.") || name == "file.contents");
    // Which member of a model is read may be known only when it is.
    asks || parsed.references().iter().any(|path| {
        let member = path.get(2).map(String::as_str);
        path[0].as_str() == "model" && member.is_none_or(|it| matches!(it, "resource" | "file" | "execution"))
    })
}
