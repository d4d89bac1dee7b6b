//! The bundlers: extension bundles from bytes in memory, vendor bundles from unpacked packages, `deno bundle` for the
//! rest, and the choice between them.
//!
//! The embedded ones run in worker children (`crate::worker`), because hostile input can end the process; the why is in
//! `design/bundling.md`.

#[cfg(feature = "deno")]
pub mod auto;
mod builtin_names;
#[cfg(feature = "deno")]
pub mod deno;
mod diagnostics;
pub mod embedded;
mod fence;
mod links;
mod lowering;
mod options;
pub mod permission_uses;
mod prune;
pub(crate) mod requirements;
mod runtime;
mod source_map;
mod spreads;
pub mod vendor;
