//! Why no service can be built.

use std::{io, path::PathBuf};

use mangrove_domain::{ports::ObserveError, problem::Problem};

/// Why no service can be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// The repository cannot be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The configuration cannot be used.
    #[error("{}", .0.message)]
    Configuration(Problem),
    /// The state directory cannot be written.
    #[error("the state directory {} cannot be written", directory.display())]
    State {
        /// Which one.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link leads out of the state directory, or this out of the repository: what is written would land elsewhere.
    #[error("{} is a link that leads to {}; nothing is written through it", link.display(), target.display())]
    StateLink {
        /// Which one.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A path cannot be made absolute.
    #[error("{} cannot be found", path.display())]
    Path {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of this program cannot be found.
    #[error("this program's own file cannot be found")]
    Program(#[source] io::Error),
}
