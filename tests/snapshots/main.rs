//! What the program prints, word for word, in situations that people meet: each scene is a file in `snapshots/`.
//!
//! With the variable `MANGROVE_TEST_CLOCK` this program is Mangrove on a clock that stands still; without, it tests it.
//! `INSTA_UPDATE=always cargo nextest run -p mangrove-cli --test snapshots` writes the files again.

mod extensions;
mod problems;
mod runs;
mod scene;
mod start;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use mangrove_domain::time::Timestamp;
use mangrove_testkit::fakes::ManualClock;

fn main() -> ExitCode {
    let is_child = matches!(std::env::args().nth(1).as_deref(), Some("worker" | "exit-with-parent"));
    let time = std::env::var(scene::CLOCK).ok().and_then(|text| text.parse().ok());
    if is_child || time.is_some() {
        let clock = ManualClock::new(Timestamp::from_millis(time.unwrap_or_default()));
        return mangrove_cli::Runner::new()
            .with_loader(mangrove_loader_datastore::loader())
            .with_clock(Arc::new(clock))
            .run();
    }
    let tests = start::TESTS.iter().chain(problems::TESTS).chain(runs::TESTS).chain(extensions::TESTS);
    let trials = tests.map(|(name, test)| {
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
