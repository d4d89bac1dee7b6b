//! Why a run or a step did not succeed.

use mangrove_documents::RunProblemDocument;

use crate::parts::address;

/// Why something did not succeed, as `parts/run_problem.html` shows it.
pub(crate) struct ProblemView {
    pub(crate) code: String,
    pub(crate) code_address: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The type that it waits for, and its page.
    pub(crate) blocked_by: Option<(String, String)>,
    /// What is known of the failure of that type, as a sentence.
    pub(crate) failure: Option<String>,
}

impl ProblemView {
    pub(crate) fn new(problem: &RunProblemDocument) -> Self {
        let failure = problem.failure.as_ref();
        let attempts =
            |attempts: u64| if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
        Self {
            code: problem.code.clone(),
            code_address: address::of_code(&problem.code),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            blocked_by: problem.blocked_by.as_ref().map(|name| (name.clone(), address::of_type_name(name))),
            failure: failure.map(|it| format!("{} ({}), {}", it.code, it.class, attempts(it.attempts.into()))),
        }
    }
}
