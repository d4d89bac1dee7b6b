//! The command line as a black box: a repository in, exit code, text and JSON out. The environment is cleared, so
//! that nothing of the machine that runs the tests takes part.

mod benchmarks;
mod commands;
mod deno;
mod faults;
mod fixtures;
mod hostile;
mod outage;
mod runs;
mod sandbox;
mod scan;
mod trace;
