//! What a daemon counts and measures.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{World, within};

/// The series of a text: names with their labels, and values.
async fn series(world: &World) -> BTreeMap<String, f64> {
    let answer = world.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.body).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (normal(name), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

/// A series with its labels in the order of the alphabet.
fn normal(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else { return series.to_owned() };
    let labels: BTreeSet<&str> = labels.trim_end_matches('}').split(',').collect();
    format!("{name}{{{}}}", labels.into_iter().collect::<Vec<_>>().join(","))
}

async fn run(world: &World, workflow: &str) {
    let answer = world.post(&format!("/api/v1/workflows/{workflow}/runs"), "{}").await;
    assert!(answer.status.is_success(), "{answer:?}");
}

/// What follows runs is a task of its own.
async fn until(world: &World, name: &str, value: f64) -> BTreeMap<String, f64> {
    within(async {
        loop {
            let series = series(world).await;
            if series.get(name) == Some(&value) {
                return series;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn rows_attempts_and_runs_are_counted() {
    let world = World::new().await;
    run(&world, "deploy").await;
    run(&world, "stuck").await;
    let blocked = r#"mangrove_runs_total{status="blocked",trigger="http"}"#;
    let seen = until(&world, blocked, 1.0).await;
    for (name, value) in [
        (r#"mangrove_rows{kind="model",state="Indexed"}"#, 1.0),
        (r#"mangrove_rows{kind="model",state="BundleBuildFailed"}"#, 1.0),
        (r#"mangrove_rows{kind="vault",state="Indexed"}"#, 0.0),
        (r#"mangrove_failing_rows{class="Deterministic"}"#, 1.0),
        (r#"mangrove_failing_rows{class="Transient"}"#, 0.0),
        (r#"mangrove_runs_total{status="succeeded",trigger="http"}"#, 1.0),
        (r#"mangrove_steps_total{status="succeeded"}"#, 1.0),
        (r#"mangrove_http_requests_total{route="/api/v1/workflows/{name}/runs",status="2xx"}"#, 2.0),
        ("mangrove_inspection_seconds_count", 1.0),
        ("mangrove_run_seconds_count", 2.0),
        ("mangrove_active_runs", 0.0),
        ("mangrove_open_streams", 0.0),
        ("mangrove_ready", 1.0),
        ("process_start_time_seconds", 1_767_225_600.0),
    ] {
        assert_eq!(seen.get(name), Some(&value), "{name}: {seen:#?}");
    }
    assert!(seen["mangrove_build_seconds_count"] >= 2.0);
    assert!(seen[r#"mangrove_failed_attempts_total{class="Deterministic"}"#] >= 1.0);
}

#[tokio::test]
async fn a_thousand_types_and_runs_add_no_series() {
    let world = World::new().await;
    let touch = async |name: &str| {
        world.get(&format!("/api/v1/types/@acme/{name}")).await;
        world.get(&format!("/api/v1/runs/{name}")).await;
        world.get(&format!("/nothing/{name}")).await;
    };
    for name in ["thing", "unknown"] {
        touch(name).await;
    }
    run(&world, "deploy").await;
    // A request is counted when it is answered.
    series(&world).await;
    let before = series(&world).await;
    for number in 0..1_000 {
        let content = match number % 3 {
            0 => format!("type @acme/t{number}\nexport model\nmethod work\n"),
            1 => format!("type @acme/t{number}\nexport model\nbroken\n"),
            _ => format!("// {number}\nexport model\n"),
        };
        world.sources.write(&format!("models/t{number}.ts"), &content);
    }
    world.scan().await;
    for number in 0..1_000 {
        run(&world, if number % 2 == 0 { "deploy" } else { "stuck" }).await;
        if number % 10 == 0 {
            touch(&format!("t{number}")).await;
        }
    }
    let after = series(&world).await;
    let names = |series: &BTreeMap<String, f64>| series.keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names(&after), names(&before));
    let rows = after.iter().filter(|(name, _)| name.starts_with("mangrove_rows{")).map(|(_, count)| count);
    assert!(rows.sum::<f64>() > 600.0, "{after:#?}");
    assert!(after["mangrove_http_request_seconds_count"] > 1_300.0);
}
