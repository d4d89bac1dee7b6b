//! Which roots there are: the repository, its source mounts, its pulled extensions (`design/origins.md`).
//!
//! What is looked at for this goes through views too, so that a warm survey notices when the answer would change.

pub(crate) mod drift;
mod mounts;
mod pulled;
mod spec;

use std::collections::BTreeSet;

use mangrove_domain::{
    observation::RootAccess,
    source::{Origin, RootId},
};

pub(crate) use spec::{RootInputs, RootSpec, Roots, distrust, names};

/// Finds the roots.
pub(crate) fn find(mut inputs: RootInputs<'_>) -> Roots {
    let code = inputs.code.as_ref().map_or(&inputs.base.root, |code| &code.root);
    let local = RootSpec {
        id: RootId::local(),
        origin: Origin::Local,
        directory: code.directory.clone(),
        access: RootAccess::Reachable,
        extension: inputs.layout.own_extension(),
        is_recursive: false,
        only: None,
        locked_files: BTreeSet::new(),
        pull: None,
    };
    let mut roots = Roots { specs: vec![local], ..Roots::default() };
    mounts::find(&mut inputs, &mut roots);
    pulled::find(&mut inputs, &mut roots);
    roots
}
