//! What a person can do next, without the words of one face of the program.
//!
//! An advice is a sentence in which everything that Mangrove itself can do stands as a [`UserAction`]. A command line
//! writes its command there, a web page a link: nothing below a face knows how its commands are spelt.

use std::{borrow::Cow, fmt};

use crate::problem::Code;

/// Something that Mangrove does when it is asked to. Stands in a sentence as its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserAction {
    /// A scan.
    Scan,
    /// A scan that accepts that most sources of a root are gone.
    ScanAllowingMassRemoval,
    /// Telling why a type or a source is in its state.
    Why {
        /// A type's name, or a source as people name it.
        subject: String,
    },
    /// Showing the page of a problem code.
    Explain(Code),
    /// Listing the types that there are.
    ListTypes,
    /// Listing the workflows, with what is wrong with the files of those that other roots bring.
    ListWorkflows,
    /// Checking the repository's definitions and workflows.
    ValidateWorkflows,
    /// Making a definition.
    CreateDefinition {
        /// Its name.
        name: String,
    },
    /// Making the catalog again from the sources.
    RebuildCatalog,
    /// Repairing whatever can be repaired.
    Repair,
    /// Downloading the version of Deno that this version of Mangrove works with.
    InstallDeno,
    /// Resolving again what the locks of packages hold; a damaged one is set aside.
    UpdateLocks {
        /// Also the lock that is committed, which receives everything.
        is_committed: bool,
    },
    /// Pulling what the lockfile names and is not there.
    InstallExtensions,
    /// Listing the extensions that were pulled.
    ListExtensions,
    /// Pulling an extension.
    PullExtension {
        /// Its name, or where it lies.
        name: String,
        /// Also where files were changed.
        is_forced: bool,
    },
    /// Removing an extension although its files were changed.
    RemoveChangedExtension {
        /// Its name.
        name: String,
    },
}

/// A piece of an [`Advice`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phrase {
    /// Words. They name no command.
    Words(Cow<'static, str>),
    /// The name of what is to be done.
    Action(UserAction),
}

/// What a person can do next: one sentence, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Advice {
    phrases: Vec<Phrase>,
}

impl Advice {
    /// A sentence that begins with this.
    pub fn new(phrase: impl Into<Phrase>) -> Self {
        Self { phrases: vec![phrase.into()] }
    }

    /// What helps against every problem, fault and failure of this code, where nothing more specific is known.
    #[must_use]
    pub fn for_code(code: Code) -> Option<Self> {
        let advice = match code {
            Code::UNREADABLE => Self::new("check that it exists and that the user who runs Mangrove may read it"),
            Code::NOT_A_FILE => Self::new("put a regular file in its place, or remove it"),
            Code::FILE_TOO_LARGE => Self::new("split it, or take out what does not belong there"),
            Code::LINK_OUTSIDE_ROOT => Self::new("replace the link by what it leads to"),
            Code::ROOT_UNREACHABLE => {
                Self::new("restore it, or remove it from the list; sources that have a bundle keep working until then")
            }
            Code::MALFORMED_DOCUMENT | Code::INVALID_DOCUMENT => {
                Self::new("correct the file; the next command reads it again")
            }
            Code::RUNTIME_MISSING => Self::new(UserAction::InstallDeno).and(" installs it"),
            // Deno has it; whether there is one is not known here.
            Code::REQUIREMENT_MISSING => {
                Self::new("if Deno is not installed, ").and(UserAction::InstallDeno).and(" installs it")
            }
            _ => return None,
        };
        Some(advice)
    }

    /// The same sentence with this after it. Spaces between words and actions belong to the words.
    #[must_use]
    pub fn and(mut self, phrase: impl Into<Phrase>) -> Self {
        self.phrases.push(phrase.into());
        self
    }

    /// The phrases in their order, at least one.
    #[must_use]
    pub fn phrases(&self) -> &[Phrase] {
        &self.phrases
    }

    /// The sentence, with each action named by `name`.
    #[must_use]
    pub fn to_text(&self, name: impl Fn(&UserAction) -> String) -> String {
        let mut text = String::new();
        for phrase in &self.phrases {
            match phrase {
                Phrase::Words(words) => text.push_str(words),
                Phrase::Action(action) => text.push_str(&name(action)),
            }
        }
        text
    }
}

/// For people where no face is there to name actions: in records and in tests.
impl fmt::Display for Advice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_text(ToString::to_string))
    }
}

/// The action as a noun, without the name of any command.
impl fmt::Display for UserAction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserAction::Scan => out.write_str("a scan"),
            UserAction::ScanAllowingMassRemoval => out.write_str("a scan that allows mass removal"),
            UserAction::Why { subject } => write!(out, "the explanation of `{subject}`"),
            UserAction::Explain(code) => write!(out, "the page of {code}"),
            UserAction::ListTypes => out.write_str("the catalog"),
            UserAction::ListWorkflows => out.write_str("the list of workflows"),
            UserAction::ValidateWorkflows => out.write_str("the validation of workflows"),
            UserAction::CreateDefinition { name } => write!(out, "the creation of a definition `{name}`"),
            UserAction::RebuildCatalog => out.write_str("a rebuild of the catalog"),
            UserAction::Repair => out.write_str("a repair"),
            UserAction::InstallDeno => out.write_str("an installation of Deno"),
            UserAction::UpdateLocks { is_committed: false } => out.write_str("an update of the locks"),
            UserAction::UpdateLocks { is_committed: true } => {
                out.write_str("an update of the locks that writes the committed one")
            }
            UserAction::InstallExtensions => out.write_str("an installation of the locked extensions"),
            UserAction::ListExtensions => out.write_str("the list of pulled extensions"),
            UserAction::PullExtension { name, is_forced: false } => write!(out, "a pull of `{name}`"),
            UserAction::PullExtension { name, is_forced: true } => {
                write!(out, "a pull of `{name}` that replaces what was changed")
            }
            UserAction::RemoveChangedExtension { name } => write!(out, "the removal of `{name}` with what was changed"),
        }
    }
}

impl From<&'static str> for Phrase {
    fn from(words: &'static str) -> Self {
        Phrase::Words(Cow::Borrowed(words))
    }
}

impl From<String> for Phrase {
    fn from(words: String) -> Self {
        Phrase::Words(Cow::Owned(words))
    }
}

impl From<UserAction> for Phrase {
    fn from(action: UserAction) -> Self {
        Phrase::Action(action)
    }
}

impl<P: Into<Phrase>> From<P> for Advice {
    fn from(phrase: P) -> Self {
        Advice::new(phrase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_stand_in_the_sentence_by_the_name_that_a_face_gives_them() {
        let advice =
            Advice::new("mount it; then ").and(UserAction::Scan).and(", or ").and(UserAction::Explain(Code::SYNTAX));
        let text = advice.to_text(|action| match action {
            UserAction::Scan => "<scan>".to_owned(),
            other => format!("{other:?}"),
        });
        assert_eq!(text, "mount it; then <scan>, or Explain(MG0201)");
        assert_eq!(Advice::from("wait".to_owned()), Advice::from("wait"));
    }
}
