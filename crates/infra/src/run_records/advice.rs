//! The stored form of what a person can do about a run that did not succeed.

use mangrove_domain::{
    advice::{Advice, Phrase, UserAction},
    problem::Code,
};
use serde::{Deserialize, Serialize};

/// A piece of the sentence: words, or the name of what Mangrove can do.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum StoredPhrase {
    Words(String),
    Action {
        name: String,
        /// What it is done with, if it is done with something.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    },
}

pub(super) fn store_advice(advice: &Advice) -> Vec<StoredPhrase> {
    let store = |phrase: &Phrase| match phrase {
        Phrase::Words(words) => StoredPhrase::Words(words.clone().into_owned()),
        Phrase::Action(action) => {
            let (name, subject) = stored_action(action);
            StoredPhrase::Action { name: name.to_owned(), subject }
        }
    };
    advice.phrases().iter().map(store).collect()
}

/// The sentence; `None` if there is none, or if it names something that only a newer version can do.
pub(super) fn load_advice(stored: Vec<StoredPhrase>) -> Option<Advice> {
    let mut phrases = stored.into_iter().map(|phrase| match phrase {
        StoredPhrase::Words(words) => Some(Phrase::from(words)),
        StoredPhrase::Action { name, subject } => Some(Phrase::Action(loaded_action(&name, subject)?)),
    });
    let first = Advice::new(phrases.next()??);
    phrases.try_fold(first, |advice, phrase| Some(advice.and(phrase?)))
}

fn stored_action(action: &UserAction) -> (&'static str, Option<String>) {
    match action {
        UserAction::Scan => ("scan", None),
        UserAction::ScanAllowingMassRemoval => ("scan-allowing-mass-removal", None),
        UserAction::Why { subject } => ("why", Some(subject.clone())),
        UserAction::Explain(code) => ("explain", Some(code.to_string())),
        UserAction::ListTypes => ("list-types", None),
        UserAction::ListWorkflows => ("list-workflows", None),
        UserAction::ValidateWorkflows => ("validate-workflows", None),
        UserAction::CreateDefinition { name } => ("create-definition", Some(name.clone())),
        UserAction::RebuildCatalog => ("rebuild-catalog", None),
        UserAction::Repair => ("repair", None),
        UserAction::InstallDeno => ("install-deno", None),
        UserAction::UpdateLocks { is_committed: false } => ("update-locks", None),
        UserAction::UpdateLocks { is_committed: true } => ("update-committed-lock", None),
        UserAction::InstallExtensions => ("install-extensions", None),
        UserAction::ListExtensions => ("list-extensions", None),
        UserAction::PullExtension { name, is_forced: false } => ("pull-extension", Some(name.clone())),
        UserAction::PullExtension { name, is_forced: true } => ("pull-extension-forced", Some(name.clone())),
        UserAction::RemoveChangedExtension { name } => ("remove-changed-extension", Some(name.clone())),
    }
}

fn loaded_action(word: &str, subject: Option<String>) -> Option<UserAction> {
    Some(match (word, subject) {
        ("scan", _) => UserAction::Scan,
        ("scan-allowing-mass-removal", _) => UserAction::ScanAllowingMassRemoval,
        ("why", Some(subject)) => UserAction::Why { subject },
        ("explain", Some(code)) => UserAction::Explain(Code::parse(&code)?),
        ("list-types", _) => UserAction::ListTypes,
        ("list-workflows", _) => UserAction::ListWorkflows,
        ("validate-workflows", _) => UserAction::ValidateWorkflows,
        ("create-definition", Some(name)) => UserAction::CreateDefinition { name },
        ("rebuild-catalog", _) => UserAction::RebuildCatalog,
        ("repair", _) => UserAction::Repair,
        ("install-deno", _) => UserAction::InstallDeno,
        ("update-locks", _) => UserAction::UpdateLocks { is_committed: false },
        ("update-committed-lock", _) => UserAction::UpdateLocks { is_committed: true },
        ("install-extensions", _) => UserAction::InstallExtensions,
        ("list-extensions", _) => UserAction::ListExtensions,
        ("pull-extension", Some(name)) => UserAction::PullExtension { name, is_forced: false },
        ("pull-extension-forced", Some(name)) => UserAction::PullExtension { name, is_forced: true },
        ("remove-changed-extension", Some(name)) => UserAction::RemoveChangedExtension { name },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_newer_version_can_do_is_not_told() {
        let stored = |name: &str| {
            let action = StoredPhrase::Action { name: name.to_owned(), subject: None };
            load_advice(vec![StoredPhrase::Words("try ".to_owned()), action])
        };
        assert_eq!(stored("scan"), Some(Advice::new("try ").and(UserAction::Scan)));
        assert_eq!(stored("travel-in-time"), None);
        assert_eq!(stored("why"), None, "it lacks what it is about");
        assert_eq!(load_advice(Vec::new()), None);
    }
}
