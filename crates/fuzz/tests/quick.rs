//! The quick form: the corpus and the same damaged copies of it every time.

use std::time::{Duration, Instant};

use mangrove_fuzz::{TARGETS, damaged};

/// No input of this size takes so long, also unoptimised and on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn is_read(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    let corpus = target.corpus().expect("the corpus");
    assert!(!corpus.is_empty(), "{name} has no corpus");
    let mut random = fastrand::Rng::with_seed(1);
    let copies = (0..target.quick_rounds).map(|_| damaged(&corpus, &mut random));
    for bytes in corpus.iter().cloned().chain(copies) {
        let begun = Instant::now();
        let read = std::panic::catch_unwind(|| (target.read)(&bytes));
        assert!(read.is_ok(), "{name} panicked of {:?}", String::from_utf8_lossy(&bytes));
        assert!(
            begun.elapsed() < LONGEST,
            "{name} took {:?} for {:?}",
            begun.elapsed(),
            String::from_utf8_lossy(&bytes)
        );
    }
}

macro_rules! quick {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { is_read(stringify!($name)); })*

        #[test]
        fn each_target_is_tried() {
            let tried = [$(stringify!($name)),*];
            assert!(TARGETS.iter().all(|target| tried.contains(&target.name)));
        }
    };
}

quick!(
    archive,
    deno_lock,
    document,
    expression,
    extension_lockfile,
    inspection,
    manifest,
    module,
    npm_settings,
    package_lock,
    package_metadata,
    schedule,
    seal,
    stat_cache,
    vault,
    webhook,
    definition,
    wire,
    workflow,
);
