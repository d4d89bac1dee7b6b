//! The lockfile as it is now, and changing it together with the extensions.

use mangrove_domain::{
    failure::Fault,
    ports::{LockfileText, Update, UpdateError},
    problem::Code,
    pulled::Lockfile,
};

use super::{Extensions, error::ExtensionError};

/// How often a change is made again because somebody else has changed the lockfile meanwhile. Each time somebody else was
/// done, so only a crowd makes many of them.
pub(super) const TRIES: usize = 100;

/// The lockfile as it was read.
pub(super) struct Locked {
    /// Its text; `None` if there is none.
    pub(super) text: Option<String>,
    pub(super) lockfile: Lockfile,
}

/// What became of a change.
pub(super) enum Changed {
    Done,
    /// Somebody else was faster.
    Moved,
}

impl Extensions {
    pub(super) async fn locked(&self) -> Result<Locked, Fault> {
        let LockfileText { name, text } = self.ports.pulled.lockfile().await?;
        let Some(content) = &text else { return Ok(Locked { text, lockfile: Lockfile::default() }) };
        let document = self.documents.parse(&name, content).map_err(|error| {
            Fault::deterministic(Code::MALFORMED_DOCUMENT, "lockfile", error.message).at(error.position)
        })?;
        let lockfile = Lockfile::read(&document).map_err(|(node, message)| {
            Fault::deterministic(Code::INVALID_DOCUMENT, "lockfile", message).at(node.position(&name))
        })?;
        Ok(Locked { text, lockfile })
    }

    pub(super) async fn change(&self, update: Update) -> Result<Changed, ExtensionError> {
        match self.ports.pulled.update(update).await {
            Ok(()) => Ok(Changed::Done),
            Err(UpdateError::Moved) => Ok(Changed::Moved),
            Err(UpdateError::Failed(fault)) => Err(fault.into()),
        }
    }
}

/// The fault of a lockfile that others change all the time.
pub(super) fn never_at_rest() -> ExtensionError {
    let message = "other processes change the lockfile of pulled extensions again and again";
    Fault::transient(Code::SOURCE_MOVING, "lockfile", message).into()
}
