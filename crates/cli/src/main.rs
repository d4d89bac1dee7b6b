//! The binary `mangrove`: the runner with the built-in loaders.

use std::process::ExitCode;

fn main() -> ExitCode {
    mangrove_cli::Runner::new().run()
}
