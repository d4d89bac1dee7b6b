//! Types on demand in a process that runs for weeks (fault 55).

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mangrove_app::{on_demand::OnDemand, types::Types as _};
use mangrove_domain::{
    failure::Fault,
    ports::{CatalogError, Event, Progress},
    problem::Code,
    source::Kind,
    type_name::TypeName,
};
use world::{World, model, network_down};

fn model_kind() -> Kind {
    Kind::new("model")
}

/// Lets other tasks work until no attempt is under way.
async fn all_ended(types: &OnDemand) {
    while types.under_way() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn fault_55_all_who_asked_go_away_and_somebody_asks_an_hour_later() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "import npm:undici@7"));
    let types = world.types();
    let (kind, name) = (model_kind(), TypeName::stored("@acme/a"));
    let held = world.bundler.hold_next("models/a.ts", Some(network_down()));
    {
        let mut asked = Box::pin(types.ready(&kind, &name));
        assert!(futures::poll!(&mut asked).is_pending());
        held.arrived().await;
    }
    held.release();
    all_ended(&types).await;
    let row = &world.catalog.rows()[0];
    assert!(row.failure().is_some(), "the attempt went on to its end");

    world.clock.advance(Duration::from_hours(1));
    world.tree.take_surveys();
    types.ready(&kind, &name).await.expect("the network is back");
    assert_eq!(world.tree.take_surveys(), 1, "a fresh look");
    assert_eq!(types.under_way(), 0);
}

/// The base and its add-on each lose their description, before the first look and right after it.
#[tokio::test]
async fn a_lost_description_is_made_again_from_the_bundle_by_whoever_asks_for_the_type() {
    for (lost, method) in [("models/a.ts", "run"), ("models/more.ts", "added")] {
        for is_recent in [false, true] {
            let world = World::new();
            world.tree.write("models/a.ts", &model("@acme/a", ""));
            world.tree.write("models/more.ts", "type @acme/a\nexport extension\nmethod added");
            world.scan().await;
            let types = world.types();
            let (kind, name) = (model_kind(), TypeName::stored("@acme/a"));
            if is_recent {
                types.ready(&kind, &name).await.expect("it is in order");
            }
            world.bundler.take_calls();
            let row = world.catalog.rows().into_iter().find(|row| row.source.path.as_str() == lost).expect("a row");
            world.catalog.lose_description(&row.source);
            let ready = types.ready(&kind, &name).await.unwrap_or_else(|not_ready| panic!("{lost}: {not_ready:?}"));
            assert!(ready.description.method(method).is_some(), "{lost} {is_recent}: {:?}", ready.description.methods);
            assert_eq!(ready.left_out, Vec::<String>::new());
            assert_eq!(world.bundler.take_calls(), Vec::<String>::new(), "the bundle is looked at, and not built");
        }
    }
}

/// Panics once.
#[derive(Default)]
struct Panics(AtomicBool);

impl Progress for Panics {
    fn event(&self, _event: &Event<'_>) {
        assert!(self.0.swap(true, Ordering::SeqCst), "the bar is broken");
    }
}

#[tokio::test]
async fn fault_55_the_attempt_panics_and_the_next_one_works() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let types = world.types().with_progress(Arc::new(Panics::default()));
    let (kind, name) = (model_kind(), TypeName::stored("@acme/a"));
    let (first, second) = futures::join!(types.ready(&kind, &name), types.ready(&kind, &name));
    for refused in [first, second] {
        let remark = refused.expect_err("both waited for the attempt").remark.expect("it is reported");
        assert_eq!(remark, "bringing the type up to date did not finish: the attempt panicked: the bar is broken");
    }
    assert_eq!(types.under_way(), 0);
    types.ready(&kind, &name).await.expect("the next one works");
}

#[tokio::test]
async fn fault_55_a_thousand_unknown_names_leave_nothing() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let (types, kind) = (world.types(), model_kind());
    for number in 0..1_000 {
        types
            .ready(&kind, &TypeName::stored(format!("@acme/unknown{number}")))
            .await
            .expect_err("nothing has the name");
    }
    assert_eq!(types.under_way(), 0);
    assert!(types.remembered() <= 256, "{} looks of this second", types.remembered());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(types.remembered(), 0);
}

#[tokio::test]
async fn fault_55_a_hundred_at_once_share_one_attempt() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let (types, kind, name) = (world.types(), model_kind(), TypeName::stored("@acme/a"));
    world.tree.take_surveys();
    let answers = futures::future::join_all((0..100).map(|_| types.ready(&kind, &name))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.tree.take_surveys(), 1);
    assert_eq!(world.bundler.take_calls(), ["models/a.ts"]);
}

fn busy() -> CatalogError {
    CatalogError::Busy { fault: Fault::transient(Code::CATALOG_BUSY, "sqlite:5", "another process is writing it") }
}

/// A world with a type that was built, and whose source was edited since.
async fn edited() -> World {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.scan().await;
    world.tree.write("models/a.ts", &model("@acme/a", "edited"));
    world
}

#[tokio::test]
async fn f05_a_type_with_a_good_bundle_runs_while_the_catalog_is_busy() {
    let world = edited().await;
    let built = world.catalog.rows()[0].bundle().cloned();
    let types = OnDemand::new(world.another_process());
    let (kind, name) = (model_kind(), TypeName::stored("@acme/a"));
    for _ in 0..2 {
        world.catalog.fail_next_commit(busy());
        let ready = types.ready(&kind, &name).await.expect("the bundle that was built last");
        assert_eq!(ready.row.bundle().cloned(), built);
        let behind = ready.behind.expect("it is said");
        assert!(behind.contains("another process is writing it") && behind.contains("@acme/a"), "{behind}");
    }
    let ready = types.ready(&kind, &name).await.expect("nobody holds it any more");
    assert_eq!(ready.behind, None);
    assert!(ready.row.bundle().cloned() != built, "it is brought up to date");
}

#[tokio::test]
async fn f05_a_type_without_a_row_is_not_called_unknown_while_the_catalog_is_busy() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let types = world.types();
    let (kind, name) = (model_kind(), TypeName::stored("@acme/a"));
    for _ in 0..2 {
        world.catalog.fail_next_commit(busy());
        let refused = types.ready(&kind, &name).await.expect_err("nothing was built before");
        assert_eq!(refused.code(), Code::CATALOG_BUSY);
        let told = format!("{}; {}", refused.headline(), refused.reason());
        assert!(!told.contains("unknown") && !told.contains("nothing claims it"), "{told}");
    }
    types.ready(&kind, &name).await.expect("a request a moment later does not repeat the answer");
}

#[tokio::test]
async fn f05_f06_what_else_keeps_the_catalog_from_being_written_is_called_by_its_name() {
    let access = |code, message: &str| CatalogError::Access {
        operation: "write",
        fault: Fault::environment(code, "sqlite", message),
    };
    let newer = CatalogError::Newer { fault: Fault::environment(Code::CATALOG_NEWER, "catalog:newer", "layout 99") };
    for (error, code) in [
        (newer, Code::CATALOG_NEWER),
        (access(Code::DISK_FULL, "the disk is full"), Code::DISK_FULL),
        (access(Code::UNREADABLE, "unable to open"), Code::UNREADABLE),
    ] {
        let world = edited().await;
        let types = OnDemand::new(world.another_process());
        world.catalog.fail_next_commit(error);
        let refused =
            types.ready(&model_kind(), &TypeName::stored("@acme/a")).await.expect_err("it cannot be recorded");
        assert_eq!(refused.code(), code, "{}", refused.headline());
        assert_eq!(refused.fault.as_ref().map(|fault| fault.code), Some(code));
    }
}

#[tokio::test]
async fn a_type_whose_source_is_empty_for_a_moment_runs_as_it_was() {
    let world = World::new();
    world.scanner.doubt_removals();
    let (types, kind, name) = (world.types(), model_kind(), TypeName::stored("@acme/a"));
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    types.ready(&kind, &name).await.expect("it is built");
    // A slow writer has truncated it.
    world.tree.write("models/a.ts", "");
    world.clock.advance(Duration::from_secs(2));
    types.ready(&kind, &name).await.expect("it runs as it was");
    world.tree.write("models/a.ts", &model("@acme/a", "second"));
    world.clock.advance(Duration::from_secs(2));
    types.ready(&kind, &name).await.expect("and then as it is");
    // Somebody emptied it, and it stays like this.
    world.tree.write("models/a.ts", "");
    for is_ready in [true, false] {
        world.clock.advance(Duration::from_secs(2));
        assert_eq!(types.ready(&kind, &name).await.is_ok(), is_ready);
    }
}
