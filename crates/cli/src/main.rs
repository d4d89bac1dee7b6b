//! The binary `mangrove`: the runner with the built-in loaders and the kind `datastore`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mangrove_cli::Runner::new().with_loader(mangrove_loader_datastore::loader()).run()
}
