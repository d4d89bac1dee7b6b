//! What code asks the machine for.

use std::collections::BTreeSet;

use crate::permission_use::PermissionUse;

/// Reads the text of a bundle.
///
/// Implementations MUST NOT run anything of it, and MUST end for every text, also one that does not parse.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait PermissionUses: Send + Sync {
    /// What the code asks for, as far as its text says so. What it does not say is not there or has no name: an answer is
    /// a hint for people and nothing to grant by.
    fn of(&self, code: &str) -> BTreeSet<PermissionUse>;
}
