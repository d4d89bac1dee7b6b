//! The pages over a service of fakes: no socket, no browser.

mod access;
mod overview;
mod runs;
mod types;
mod workflows;
mod world;
