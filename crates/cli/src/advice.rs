//! The words of the command line for what a person can do next: the only place that spells commands for library text.

use mangrove_domain::advice::{Advice, INSTALLABLE, UserAction};

/// The advice as a sentence, with commands for its actions.
pub(crate) fn text(advice: &Advice) -> String {
    advice.to_text(|action| format!("`{}`", command(action)))
}

/// A recorded message, which names no command, with the command that it is about.
pub(crate) fn message(recorded: &str) -> String {
    recorded.replace(INSTALLABLE, &format!("`{}` gets it", command(&UserAction::InstallDeno)))
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
        UserAction::RebuildCatalog => "mangrove catalog rebuild".to_owned(),
        UserAction::Repair => "mangrove doctor --repair --apply".to_owned(),
        UserAction::InstallDeno => "mangrove runtime install deno".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_commands() {
        let advice = Advice::new("mount it; then ").and(UserAction::Scan);
        assert_eq!(text(&advice), "mount it; then `mangrove scan`");
        let recorded = format!("the program `deno` was not found; {INSTALLABLE}");
        assert_eq!(message(&recorded), "the program `deno` was not found; `mangrove runtime install deno` gets it");
    }
}
