//! The daemon: keeps the catalog of a repository up to date, runs workflows on a schedule, answers over HTTP.
//!
//! It stands on [`Service`](mangrove_app::service::Service) and names no adapter: no database, bundler or engine is in its
//! manifest. [`Daemon::start`] gives a [`Handle`]; everything that happens is one event of one enumeration, and one owner
//! takes one after the other (`design/daemon.md`).

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod answering;
mod checkouts;
mod claims;
mod control;
mod daemon;
mod debounce;
mod ending;
mod event;
pub mod http;
mod kept_texts;
mod log;
mod looking;
pub mod metrics;
mod options;
mod owner;
mod queue_load;
mod read_schedules;
mod readings;
mod scans;
pub mod schedule;
mod schedule_documents;
mod scheduled_runs;
mod status;
mod status_line;
mod triggered_runs;
mod upkeep;
mod watched;
mod watching;
pub mod webhook;

pub use self::{
    control::Control,
    daemon::{Answers, Daemon, Handle, StartError},
    event::{ScanAnswer, ScanFailed, ScanOptions},
    options::Options,
    queue_load::QueueLoad,
    status::{LastLook, Phase, Status},
    watching::Watching,
};
