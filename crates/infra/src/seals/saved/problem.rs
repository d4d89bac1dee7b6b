//! Problems, with what they advise.

use mangrove_domain::{
    advice::{Advice, Phrase, UserAction},
    problem::{Problem, Severity},
};
use serde::{Deserialize, Serialize};

use super::{SavedPosition, load_code, load_position, place_of, save_position};

const SEVERITIES: [Severity; 3] = [Severity::Information, Severity::Warning, Severity::Error];

#[derive(Serialize, Deserialize)]
pub(super) struct SavedProblem {
    code: u16,
    severity: u8,
    subject: String,
    position: SavedPosition,
    message: String,
    advice: Option<Vec<SavedPhrase>>,
}

#[derive(Serialize, Deserialize)]
enum SavedPhrase {
    Words(String),
    Scan,
    ScanAllowingMassRemoval,
    Why(String),
    Explain(u16),
    ListTypes,
    ListWorkflows,
    ValidateWorkflows,
    CreateDefinition(String),
    RebuildCatalog,
    Repair,
    InstallDeno,
    UpdateLocks(bool),
    InstallExtensions,
    ListExtensions,
    PullExtension(String, bool),
    RemoveChangedExtension(String),
}

impl SavedProblem {
    pub(super) fn of(problem: &Problem) -> Self {
        let advice = problem.advice.as_ref().map(|advice| advice.phrases().iter().map(SavedPhrase::of).collect());
        Self {
            code: problem.code.number(),
            severity: place_of(&SEVERITIES, &problem.severity),
            subject: problem.subject.clone(),
            position: save_position(problem.position.as_ref()),
            message: problem.message.clone(),
            advice,
        }
    }

    pub(super) fn load(self) -> Option<Problem> {
        let severity = *SEVERITIES.get(usize::from(self.severity))?;
        let advice = match self.advice {
            Some(phrases) => {
                let mut phrases = phrases.into_iter().map(SavedPhrase::load);
                let first = Advice::new(phrases.next()??);
                Some(phrases.try_fold(first, |advice, phrase| Some(advice.and(phrase?)))?)
            }
            None => None,
        };
        let problem = Problem::new(severity, load_code(self.code)?, self.subject, self.message);
        Some(problem.at_if(load_position(self.position)).advise_if(advice))
    }
}

impl SavedPhrase {
    fn of(phrase: &Phrase) -> Self {
        let action = match phrase {
            Phrase::Words(words) => return Self::Words(words.clone().into_owned()),
            Phrase::Action(action) => action,
        };
        match action {
            UserAction::Scan => Self::Scan,
            UserAction::ScanAllowingMassRemoval => Self::ScanAllowingMassRemoval,
            UserAction::Why { subject } => Self::Why(subject.clone()),
            UserAction::Explain(code) => Self::Explain(code.number()),
            UserAction::ListTypes => Self::ListTypes,
            UserAction::ListWorkflows => Self::ListWorkflows,
            UserAction::ValidateWorkflows => Self::ValidateWorkflows,
            UserAction::CreateDefinition { name } => Self::CreateDefinition(name.clone()),
            UserAction::RebuildCatalog => Self::RebuildCatalog,
            UserAction::Repair => Self::Repair,
            UserAction::InstallDeno => Self::InstallDeno,
            UserAction::UpdateLocks { is_committed } => Self::UpdateLocks(*is_committed),
            UserAction::InstallExtensions => Self::InstallExtensions,
            UserAction::ListExtensions => Self::ListExtensions,
            UserAction::PullExtension { name, is_forced } => Self::PullExtension(name.clone(), *is_forced),
            UserAction::RemoveChangedExtension { name } => Self::RemoveChangedExtension(name.clone()),
        }
    }

    fn load(self) -> Option<Phrase> {
        let action = match self {
            Self::Words(words) => return Some(words.into()),
            Self::Scan => UserAction::Scan,
            Self::ScanAllowingMassRemoval => UserAction::ScanAllowingMassRemoval,
            Self::Why(subject) => UserAction::Why { subject },
            Self::Explain(number) => UserAction::Explain(load_code(number)?),
            Self::ListTypes => UserAction::ListTypes,
            Self::ListWorkflows => UserAction::ListWorkflows,
            Self::ValidateWorkflows => UserAction::ValidateWorkflows,
            Self::CreateDefinition(name) => UserAction::CreateDefinition { name },
            Self::RebuildCatalog => UserAction::RebuildCatalog,
            Self::Repair => UserAction::Repair,
            Self::InstallDeno => UserAction::InstallDeno,
            Self::UpdateLocks(is_committed) => UserAction::UpdateLocks { is_committed },
            Self::InstallExtensions => UserAction::InstallExtensions,
            Self::ListExtensions => UserAction::ListExtensions,
            Self::PullExtension(name, is_forced) => UserAction::PullExtension { name, is_forced },
            Self::RemoveChangedExtension(name) => UserAction::RemoveChangedExtension { name },
        };
        Some(action.into())
    }
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{position::Position, problem::Code};

    use super::*;

    #[test]
    fn every_piece_of_advice_comes_back() {
        let name = || "a".to_owned();
        let actions = [
            UserAction::Scan,
            UserAction::ScanAllowingMassRemoval,
            UserAction::Why { subject: name() },
            UserAction::Explain(Code::SYNTAX),
            UserAction::ListTypes,
            UserAction::ListWorkflows,
            UserAction::ValidateWorkflows,
            UserAction::CreateDefinition { name: name() },
            UserAction::RebuildCatalog,
            UserAction::Repair,
            UserAction::InstallDeno,
            UserAction::UpdateLocks { is_committed: true },
            UserAction::InstallExtensions,
            UserAction::ListExtensions,
            UserAction::PullExtension { name: name(), is_forced: true },
            UserAction::PullExtension { name: name(), is_forced: false },
            UserAction::RemoveChangedExtension { name: name() },
        ];
        for (severity, action) in SEVERITIES.into_iter().cycle().zip(actions) {
            let place = Position { file: "a.ts".to_owned(), line: 1, column: 2 };
            let problem = Problem::new(severity, Code::SYNTAX, "a.ts", "does not parse").at(place);
            let problem = problem.advise(Advice::new("mend it; then ").and(action).and(" helps"));
            assert_eq!(SavedProblem::of(&problem).load(), Some(problem));
        }
    }
}
