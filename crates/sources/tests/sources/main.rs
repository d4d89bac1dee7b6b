//! Discovery, module graphs and the stat cache, over real directories.

mod addresses;
mod bounds;
mod discovery;
mod graph;
mod manifests;
mod mounts;
mod pulled;
mod random;
mod shipped;
mod support;
mod warm;
