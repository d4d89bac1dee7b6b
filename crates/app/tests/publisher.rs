//! What is published, and who hears of it.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::{sync::Arc, time::Duration};

use mangrove_app::scan::{Publication, ScanRequest};
use mangrove_domain::{plan::Scope, source::Kind, type_name::TypeName};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use world::{World, model, network_down};

fn write(world: &World, name: &str, line: &str) {
    world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), line));
}

/// The publications that came, a line each.
fn lines(received: &mut Receiver<Arc<Publication>>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(publication) = received.try_recv() {
        let changed: Vec<String> = publication.changed.iter().map(ToString::to_string).collect();
        let transitions = publication.transitions.iter().map(|record| {
            let transition = &record.transition;
            let from = transition.from.map_or("none".to_owned(), |from| from.to_string());
            format!("{} {from} to {}", record.source, transition.to)
        });
        let transitions: Vec<String> = transitions.collect();
        lines.push(format!("{}: {} | {}", publication.edition, changed.join(", "), transitions.join(", ")));
    }
    lines
}

#[tokio::test]
async fn subscribers_get_every_batch_with_its_transitions() {
    let world = World::new();
    write(&world, "a", "");
    let mut publications = world.scanner.publisher().publications();
    let mut snapshots = world.scanner.publisher().snapshots();
    world.scan().await;
    assert_eq!(lines(&mut publications), ["1: models/a.ts | models/a.ts none to Indexed"]);
    assert!(snapshots.has_changed().expect("the publisher is there"));
    assert_eq!(snapshots.borrow_and_update().rows().len(), 1);
    world.scan().await;
    assert_eq!(lines(&mut publications), [""; 0], "nothing changed");
    assert!(!snapshots.has_changed().expect("the publisher is there"));
    world.tree.remove("models/a.ts");
    world.scan().await;
    assert_eq!(lines(&mut publications), ["2: models/a.ts | models/a.ts Indexed to Tombstoned"]);
    assert_eq!(snapshots.borrow_and_update().rows().len(), 0);
}

#[tokio::test]
async fn what_another_process_commits_is_noticed_once() {
    let world = World::new();
    write(&world, "a", "");
    world.scan().await;
    let noticed = async || world.scanner.publish_foreign_commits().await.expect("a fake");
    world.catalog.take_reads();
    assert!(!noticed().await, "there is nothing but our own");
    assert!(!world.catalog.take_reads().contains(&None), "and no row is read to see that");
    let mut publications = world.scanner.publisher().publications();

    write(&world, "b", "");
    world.tree.remove("models/a.ts");
    let other = world.another_process();
    other.scan(&ScanRequest::default()).await.expect("a scan over fakes cannot fail");
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/b"));
    assert!(world.scanner.index().resolve(&kind, &name).is_none());
    assert!(noticed().await);
    assert!(world.scanner.index().resolve(&kind, &name).is_some());
    let told = "2: models/a.ts, models/b.ts | models/a.ts Indexed to Tombstoned, models/b.ts none to Indexed";
    assert_eq!(lines(&mut publications), [told]);
    assert!(!noticed().await);
    assert_eq!(lines(&mut publications), [""; 0]);
}

/// The first look of a process is no event in the life of a row.
#[tokio::test]
async fn a_new_process_publishes_what_there_is_without_transitions() {
    let mut world = World::new();
    write(&world, "a", "");
    world.scan().await;
    world.restart();
    let mut publications = world.scanner.publisher().publications();
    world.scanner.load().await.expect("a fake");
    assert_eq!(lines(&mut publications), ["1: models/a.ts | "]);
    world.scan().await;
    assert_eq!(lines(&mut publications), [""; 0]);
}

/// What others committed is published as soon as a scan has read it, not when the scan ends.
#[tokio::test]
async fn a_scan_publishes_what_it_read_before_it_builds() {
    let world = World::new();
    write(&world, "a", "");
    world.scan().await;
    write(&world, "b", "");
    world.another_process().scan(&ScanRequest::default()).await.expect("a scan over fakes cannot fail");
    write(&world, "c", "");
    let held = world.bundler.hold_next("models/c.ts", None);
    let scan = tokio::spawn({
        let scanner = Arc::clone(&world.scanner);
        async move { scanner.scan(&ScanRequest::default()).await }
    });
    held.arrived().await;
    assert_eq!(world.scanner.index().rows().len(), 2);
    held.release();
    scan.await.expect("it ends").expect("a scan over fakes cannot fail");
    assert_eq!(world.scanner.index().rows().len(), 3);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_many_it_missed() {
    let world = World::new();
    let mut publications = world.scanner.publisher().publications();
    for round in 0..300 {
        write(&world, "a", &format!("round {round}"));
        world.scan().await;
    }
    assert!(matches!(publications.try_recv(), Err(TryRecvError::Lagged(44))));
    let first = publications.try_recv().expect("the oldest that is kept");
    assert_eq!(first.edition, 45);
    assert_eq!(world.scanner.publisher().current().rows().len(), 1);
}

#[tokio::test]
async fn the_next_retry_is_told_and_then_tries_something() {
    let world = World::new();
    write(&world, "a", "import npm:undici@7");
    assert_eq!(world.scanner.next_due(), None);
    world.packages.fail(Some(network_down()));
    world.scan().await;
    let due = world.scanner.next_due().expect("a timer runs");
    world.packages.fail(None);
    world.clock.advance(due.since(world.now()) + Duration::from_millis(1));
    let request = ScanRequest { retry: mangrove_app::scan::RetryMode::Due, ..ScanRequest::default() };
    assert_eq!(world.scan_with(request).await.statistics.built, 1);
    assert_eq!(world.scanner.next_due(), None);
}

/// Two scans of one process that commit in turn publish all that both achieved.
#[tokio::test]
async fn two_scans_at_once_publish_what_both_achieved() {
    let world = World::new();
    for name in ["a", "b"] {
        write(&world, name, "");
    }
    let scan = async |path: &str| {
        let source = world.scanner.look(&ScanRequest::default()).await.expect("a fake").disk.observations;
        let source = source.into_iter().map(|seen| seen.source).find(|source| source.path.as_str() == path);
        let scope = Scope::Sources(source.into_iter().collect());
        world.scan_with(ScanRequest { scope, ..ScanRequest::default() }).await
    };
    futures::join!(scan("models/a.ts"), scan("models/b.ts"));
    assert_eq!(world.scanner.index().rows().len(), 2);
    assert_eq!(world.catalog.rows().len(), 2);
}

/// A batch resolves only the claims of types that it touches; together they are those of all rows.
#[tokio::test]
async fn claims_are_settled_although_rivals_come_and_go_in_other_batches() {
    let world = World::with_jobs(4);
    let type_of = |round: usize, number: usize| match round {
        // The winner of each pair leaves, and its rival is not built again.
        1 if number.is_multiple_of(2) => 1_000 + number / 2,
        0 | 1 => number / 2,
        2 => number % 200,
        _ => (number * 7) % 311,
    };
    for round in 0_usize..5 {
        for number in 0_usize..600 {
            let path = format!("models/m{number:03}.ts");
            if round > 0 && (number + round).is_multiple_of(5) {
                world.tree.remove(&path);
                continue;
            }
            let line = if (number + round).is_multiple_of(11) { "broken" } else { "" };
            world.tree.write(&path, &model(&format!("@acme/t{}", type_of(round, number)), line));
        }
        world.scan().await;
        let rows = world.catalog.rows();
        let claims = mangrove_domain::claims::resolve(&rows);
        for row in &rows {
            let mut marked = row.clone();
            assert!(!claims.mark(&mut marked), "round {round}: {} should be {marked:?}", row.source);
        }
        let published: Vec<_> = world.scanner.index().rows().map(|row| (**row).clone()).collect();
        assert_eq!(published, rows, "round {round}");
    }
}

/// What the catalog refused did not happen; what is there instead did, in another process.
#[tokio::test]
async fn a_refused_row_is_published_as_what_others_made_of_it() {
    let world = World::new();
    for name in ["x", "y"] {
        write(&world, name, "one");
    }
    world.scan().await;
    let mut publications = world.scanner.publisher().publications();
    world.tree.remove("models/x.ts");
    write(&world, "y", "two");
    let held = world.bundler.hold_next("models/y.ts", None);
    let scan = tokio::spawn({
        let scanner = Arc::clone(&world.scanner);
        async move { scanner.scan(&ScanRequest::default()).await }
    });
    // By now it is settled that `x` leaves, and not committed.
    held.arrived().await;
    write(&world, "x", "reject");
    let other = world.another_process();
    let source = world.catalog.rows()[0].source.clone();
    let request = ScanRequest { scope: Scope::Sources([source].into()), ..ScanRequest::default() };
    other.scan(&request).await.expect("a scan over fakes cannot fail");
    held.release();
    scan.await.expect("it ends").expect("a scan over fakes cannot fail");
    let told = lines(&mut publications).join("\n");
    assert!(!told.contains("Tombstoned"), "{told}");
    assert!(told.contains("models/x.ts Indexed to ValidationFailed"), "{told}");
}
