//! The page that is opened first.

use std::time::Duration;

use axum::http::{StatusCode, header};
use mangrove_daemon::{LastLook, Phase};
use mangrove_documents::{Moment, ScheduleDocument, UpcomingDocument};
use mangrove_domain::{failure::Fault, problem::Code, watch::Coverage};

use crate::world::{NOW, World};

const REFUSED: &str = "npm registry unreachable: connection refused";

fn unreachable() -> Fault {
    Fault::environment(Code::REGISTRY_UNREACHABLE, "registry:npm:443", REFUSED)
}

#[tokio::test]
async fn what_is_healthy_is_said_in_a_line() {
    let world = World::new().await;
    let page = world.look("/").await;
    assert_eq!(page.status, StatusCode::OK);
    page.assert_tells("Everything is healthy");
    page.assert_tells("model 1 usable");
    page.assert_tells("Nothing has run yet.");
    assert!(page.body.contains("aria-current=\"page\">Overview"), "{page:?}");
}

#[tokio::test]
async fn failures_of_one_cause_are_told_once_with_their_number_and_the_next_try() {
    let world = World::new().await;
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        let path = format!("models/{name}.ts");
        world.sources.write(&path, &format!("type @acme/{name}\nexport model\n"));
        world.bundler.fail(&path, unreachable());
    }
    world.scan().await;
    let page = world.look("/").await;
    page.assert_tells("7 sources are unhealthy, for 1 cause");
    page.assert_tells(REFUSED);
    page.assert_tells("next try in 30 s");
    page.assert_tells("They cannot be used: there is no earlier good code.");
    page.assert_tells("2 more");
    page.assert_tells("Problems 7 unhealthy");
    assert!(page.body.contains("href=\"/problems/MG0301\""), "{page:?}");
    world.clock.advance(Duration::from_secs(31));
    world.look("/").await.assert_tells("next try now");
    // A clock that was set back makes nobody wait for a day.
    world.clock.set(NOW.minus(Duration::from_hours(24)));
    world.look("/").await.assert_tells("next try now");
}

#[tokio::test]
async fn a_type_that_runs_on_its_last_good_code_says_so() {
    let world = World::new().await;
    world.bundler.fail("models/thing.ts", unreachable());
    world.sources.write("models/thing.ts", "type @acme/thing\nexport model\nmethod work\nmethod more\n");
    world.scan().await;
    let page = world.look("/").await;
    page.assert_tells("The last good code is in use.");
    page.assert_tells("last good code @acme/thing");
    page.assert_tells("model 1 usable, 1 unhealthy");
}

#[tokio::test]
async fn the_state_of_the_daemon_is_told() {
    let world = World::new().await;
    world.set_status(|status| {
        status.phase = Phase::Starting;
        status.failing = Some("the catalog is locked".to_owned());
        status.coverage = Some(Coverage {
            watched: 12,
            unwatched: ["/repository/deep".into()].into(),
            reason: Some("the limit of the system is reached".to_owned()),
        });
        let duration = Duration::from_millis(120);
        status.last_look = Some(LastLook { at: NOW, duration, problems: [].into(), has_failed: true });
    });
    let page = world.look("/").await;
    page.assert_tells("The daemon is starting");
    page.assert_tells("Cannot work the catalog is locked");
    page.assert_tells("12 watched directories; 1 are not: the limit of the system is reached");
    page.assert_tells("Last look failed just now took 120 ms");
}

#[tokio::test]
async fn buttons_do_what_they_say_and_lead_back() {
    let world = World::new().await;
    world.sources.write("models/more.ts", "type @acme/more\nexport model\n");
    let answer = world.press("/scan", "back=%2Ftypes%3Fkind%3Dmodel").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header(header::LOCATION), "/types?kind=model&notice=scanned");
    let page = world.look("/?notice=scanned").await;
    page.assert_tells("model 2 usable");
    page.assert_tells("The scan is done.");

    world.bundler.fail("models/more.ts", unreachable());
    world.sources.write("models/more.ts", "type @acme/more\nexport model\nmethod work\n");
    world.scan().await;
    world.look("/").await.assert_tells("1 source is unhealthy, for 1 cause");
    world.bundler.heal();
    let answer = world.press("/retry", "back=//evil.example/&query=").await;
    assert_eq!(answer.header(header::LOCATION), "/?notice=retried");
    world.look("/").await.assert_tells("Everything is healthy");
    let unknown = world.press("/retry", "query=@acme/nothing").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    unknown.assert_tells("No source has the path or type @acme/nothing");
}

#[tokio::test]
async fn strange_names_are_harmless() {
    let world = World::new().await;
    let strange = ["models/<script>alert(1)<", "models/\u{202e}txt.", "models/a\nb\"'&", "models/{{ frame }}"];
    for (number, path) in strange.iter().enumerate() {
        let path = format!("{path}{number}.ts");
        world.sources.write(&path, &format!("type @acme/x{number}\nexport model\n"));
        world.bundler.fail(&path, Fault::deterministic(Code::SYNTAX, format!("<b>{number}"), "<img src=x onerror=1>"));
    }
    let long = format!("models/{}.ts", "x".repeat(200));
    world.sources.write(&long, "type @acme/long\nexport model\nbroken\n");
    world.scan().await;
    let page = world.look("/").await;
    assert!(!page.body.contains("<script>alert") && !page.body.contains("<img"), "{page:?}");
    assert!(page.body.contains("&#60;script&#62;alert(1)") || page.body.contains("&lt;script&gt;alert(1)"), "{page:?}");
    assert!(page.body.contains("%E2%80%AEtxt.") && page.body.contains("a%0Ab%22%27%26"), "{page:?}");
    assert!(page.body.contains("<bdi>models/\u{202e}txt."), "text of another direction turns nothing else around");
}

#[tokio::test]
async fn schedules_are_told_in_the_order_in_which_they_come() {
    let world = World::new().await;
    let schedule = |name: &str, seconds: Option<u64>, waiting| ScheduleDocument {
        name: name.to_owned(),
        id: "00000000-0000-4000-8000-000000000003".to_owned(),
        path: "workflows/w.yaml".to_owned(),
        origin: "local".to_owned(),
        schedule: "0 3 * * *".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        overlap: "skip".to_owned(),
        misfire: "skip".to_owned(),
        next_run: seconds.map(|seconds| Moment(NOW.plus(Duration::from_secs(seconds)))),
        upcoming: seconds
            .map(|_| UpcomingDocument { at: Moment(NOW), wall_clock: "2026-01-01 03:00:00".to_owned() })
            .into_iter()
            .collect(),
        running: Vec::new(),
        waiting,
        last: None,
        left_out: None,
        problem: None,
    };
    let late = schedule("late", Some(3_000), 0);
    world.set_schedules(vec![schedule("never", None, 0), late, schedule("soon", Some(12), 2)]);
    let page = world.look("/").await;
    page.assert_tells("soon 2 waiting in 12 s 2026-01-01 03:00:00 Europe/Berlin late in 50 min");
    page.assert_tells("never none");
}
