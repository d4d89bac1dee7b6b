//! Why no service can be built.

use std::{io, path::PathBuf};

use mangrove_domain::{ports::ObserveError, problem::Problem};
use mangrove_infra::state_directory::StateDirectoryError;

/// Why no service can be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// The repository cannot be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The configuration cannot be used.
    #[error("{}", .0.message)]
    Configuration(Problem),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateDirectoryError),
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
