//! What a person can do next, in the words of the command line: the only place that spells commands for library text. The
//! HTTP API answers in the same words.

use mangrove_domain::{
    advice::{Advice, UserAction},
    problem::Code,
    run::RunProblem,
};

/// The advice as a sentence, with commands for its actions.
#[must_use]
pub fn text(advice: &Advice) -> String {
    advice.to_text(|action| format!("`{}`", command(action)))
}

/// What helps against everything of this code; `None` if nothing does in general.
#[must_use]
pub fn of_code(code: Code) -> Option<String> {
    Advice::for_code(code).as_ref().map(text)
}

/// What helps against what stopped a run or a step: its own advice, else what helps against its code, else against that of the
/// failure of the type that blocked it.
#[must_use]
pub fn of_run_problem(problem: &RunProblem) -> Option<String> {
    let own = problem.advice.as_ref().map(text);
    own.or_else(|| of_code(problem.code)).or_else(|| of_code(problem.failure.as_ref()?.code))
}

fn command(action: &UserAction) -> String {
    match action {
        UserAction::Scan => "mangrove scan".to_owned(),
        UserAction::ScanAllowingMassRemoval => "mangrove scan --allow-mass-removal".to_owned(),
        UserAction::Why { subject } => format!("mangrove why {subject}"),
        UserAction::Explain(code) => format!("mangrove explain {code}"),
        UserAction::ListTypes => "mangrove types".to_owned(),
        UserAction::ListWorkflows => "mangrove workflow list".to_owned(),
        UserAction::ValidateWorkflows => "mangrove workflow validate".to_owned(),
        UserAction::CreateDefinition { name } => format!("mangrove model create TYPE {name}"),
        UserAction::RebuildCatalog => "mangrove catalog rebuild".to_owned(),
        UserAction::Repair => "mangrove doctor --repair --apply".to_owned(),
        UserAction::InstallDeno => "mangrove runtime install deno".to_owned(),
        UserAction::UpdateLocks { is_committed: false } => "mangrove cache update".to_owned(),
        UserAction::UpdateLocks { is_committed: true } => "mangrove cache update --lock".to_owned(),
        UserAction::InstallExtensions => "mangrove extension install".to_owned(),
        UserAction::ListExtensions => "mangrove extension list".to_owned(),
        UserAction::PullExtension { name, is_forced: false } => format!("mangrove extension pull {name}"),
        UserAction::PullExtension { name, is_forced: true } => format!("mangrove extension pull {name} --force"),
        UserAction::RemoveChangedExtension { name } => format!("mangrove extension rm {name} --force"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_commands() {
        let advice = Advice::new("mount it; then ").and(UserAction::Scan);
        assert_eq!(text(&advice), "mount it; then `mangrove scan`");
        let install = "`mangrove runtime install deno` installs it";
        assert_eq!(of_code(Code::RUNTIME_MISSING).as_deref(), Some(install));
    }
}
