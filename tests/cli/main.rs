//! The command line as a black box: a repository in, exit code, text and JSON out. The environment is cleared, so
//! that nothing of the machine that runs the tests takes part.

mod answers;
mod authors;
mod benchmarks;
mod brought;
mod cache;
mod client;
mod commands;
mod configuration;
mod deno;
mod doctor;
mod faults;
mod fence;
mod fixtures;
mod grants;
mod hostile;
mod kinds;
mod links;
mod operations;
mod origins;
mod outage;
mod packages;
mod pressure;
mod rivals;
mod running;
mod runs;
mod sandbox;
mod scan;
mod seals;
mod serve;
mod serve_faults;
mod serve_outage;
mod shipped;
mod special_files;
mod trace;
mod untrusted;
