//! Discovery, module graphs and the stat cache, over real directories.

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
