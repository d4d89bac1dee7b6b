//! Rows that fail for one cause, over injected time: how often that cause is asked, and that all heal.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::time::Duration;

use mangrove_app::scan::{RetryMode, ScanRequest};
use mangrove_domain::{failure::Fault, problem::Code};
use world::{World, model};

/// As often as a daemon looks at most for its timers.
const SHORTEST: Duration = Duration::from_millis(250);

/// The registry answers everything with 503.
fn answers_badly() -> Fault {
    Fault::transient(Code::REGISTRY_FAILED, "registry:localhost:4873", "the registry answers 503 Service Unavailable")
}

/// Lives for this long as a daemon does, which looks when something is due. Gives the number of tries.
async fn live(world: &World, duration: Duration) -> u64 {
    let end = world.now().plus(duration);
    let mut tries = 0;
    loop {
        let wait = world.scanner.next_due().map(|due| due.since(world.now()).max(SHORTEST));
        let Some(wait) = wait.filter(|wait| world.now().plus(*wait) <= end) else { break };
        world.clock.advance(wait);
        let request = ScanRequest { retry: RetryMode::Due, ..ScanRequest::default() };
        tries += world.scan_with(request).await.statistics.built;
    }
    world.clock.advance(end.since(world.now()));
    tries
}

fn failing(world: &World) -> usize {
    world.catalog.rows().iter().filter(|row| row.failure().is_some()).count()
}

#[tokio::test]
async fn fault_37_a_thousand_rows_that_fail_for_one_cause_ask_as_seldom_as_one() {
    let world = World::new();
    for number in 0..1_000 {
        world.tree.write(
            &format!("models/m{number}.ts"),
            &model(&format!("@acme/m{number}"), &format!("import npm:x{number}@1")),
        );
    }
    world.packages.fail(Some(answers_badly()));
    world.scan().await;
    assert_eq!(failing(&world), 1_000);
    let tries = live(&world, Duration::from_mins(1)).await;
    assert!((3..=20).contains(&tries), "{tries} tries in a minute");

    world.packages.fail(None);
    let tries = live(&world, Duration::from_mins(1)).await;
    assert_eq!((failing(&world), tries), (0, 1_000), "all are healed, each by its first try");
}

#[tokio::test]
async fn one_row_that_is_broken_for_ever_keeps_no_other_from_healing() {
    for is_old in [false, true] {
        let world = World::new();
        world.packages.break_package("npm:broken@1", answers_badly());
        world.tree.write("models/broken.ts", &model("@acme/broken", "import npm:broken@1"));
        if is_old {
            world.scan().await;
            live(&world, Duration::from_hours(2)).await;
        }
        for number in 0..99 {
            world.tree.write(
                &format!("models/m{number}.ts"),
                &model(&format!("@acme/m{number}"), &format!("import npm:x{number}@1")),
            );
        }
        world.packages.fail(Some(answers_badly()));
        world.scan().await;
        live(&world, Duration::from_mins(1)).await;
        assert_eq!(failing(&world), 100);
        world.packages.fail(None);
        live(&world, Duration::from_mins(3)).await;
        assert_eq!(failing(&world), 1, "only the broken one");
        let tries = live(&world, Duration::from_mins(10)).await;
        assert!((5..=60).contains(&tries), "it is asked for as seldom as ever: {tries} tries in ten minutes");
    }
}

/// What one row was answered says nothing of a cause that is another one, and the undoing of an edit is no answer.
#[tokio::test]
async fn only_an_answer_lets_all_be_tried() {
    let world = World::new();
    for number in 0..20 {
        world.tree.write(&format!("models/m{number}.ts"), &model(&format!("@acme/m{number}"), ""));
    }
    world.scan().await;
    world.packages.fail(Some(answers_badly()));
    for number in 0..20 {
        world.tree.write(
            &format!("models/m{number}.ts"),
            &model(&format!("@acme/m{number}"), &format!("import npm:x{number}@1")),
        );
    }
    world.scan().await;
    assert_eq!(failing(&world), 20);
    live(&world, Duration::from_mins(1)).await;
    // Somebody undoes one change.
    world.tree.write("models/m7.ts", &model("@acme/m7", ""));
    let request = || ScanRequest { retry: RetryMode::Due, ..ScanRequest::default() };
    let before = world.scan_with(request()).await.statistics.built;
    let after = world.scan_with(request()).await.statistics.built;
    assert!(before <= 1 && after <= 1, "{before} and {after} tries, and nobody has answered");
    assert_eq!(failing(&world), 19);
}
