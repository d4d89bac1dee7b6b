//! The command line as a black box: a repository in, exit code, text and JSON out. The environment is cleared, so
//! that nothing of the machine that runs the tests takes part.

mod authors;
mod benchmarks;
mod commands;
mod configuration;
mod faults;
mod fixtures;
mod hostile;
mod operations;
mod outage;
mod runs;
mod sandbox;
mod scan;
mod trace;
