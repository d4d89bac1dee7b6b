//! The extension point: one loader per kind.

use crate::{
    description::{Description, Violation},
    kind_layout::KindLayout,
    shape::{Shape, Site},
};

/// What one kind of extension is: where it lies, how it is recognised, what it must look like.
///
/// Implementations MUST be pure; MUST report all violations at once, each with its path; MUST raise
/// [`rule_version`](Self::rule_version) whenever the same shape may be judged differently.
/// The built-in ones are held to it by `crates/app/tests`.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Loader: Send + Sync {
    /// Kind, directory, export names and type-name rule.
    fn layout(&self) -> KindLayout;

    /// The version of this loader's rules.
    fn rule_version(&self) -> u32;

    /// Judges an export.
    ///
    /// # Errors
    /// Every violation, never an empty list.
    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>>;
}
