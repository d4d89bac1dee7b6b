//! The HTTP API over a service of fakes: no socket, no database, no bundler.

mod access;
mod answers;
mod events;
mod metrics;
mod openapi;
mod runs;
mod server;
mod upkeep;
mod world;
