//! The pool of workers against real children. With the argument `worker` this program is such a child; its jobs
//! are the product's, except for inputs whose names ask for trouble.
#![expect(clippy::unwrap_used, reason = "tests")]

mod child;
mod contracts;
mod fetch;
mod pool;
mod session;
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return mangrove_infra::worker::child::run_with(child::jobs());
    }
    if std::env::args().nth(1).as_deref() == Some("spin") {
        child::hang();
    }
    let tests = pool::tests().into_iter().chain(session::tests()).chain(contracts::tests()).chain(fetch::tests());
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
