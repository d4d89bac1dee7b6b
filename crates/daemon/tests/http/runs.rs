//! Starting, following and cancelling runs.

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use serde_json::json;

use crate::{
    events::follow,
    world::{Answer, World, assert_answer, request, within},
};

async fn start(world: &World, workflow: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = request(Method::POST, &format!("/api/v1/workflows/{workflow}/runs"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header(header::CONTENT_TYPE, "application/json");
    world.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

fn id(answer: &Answer) -> String {
    answer.json()["runId"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test]
async fn a_run_that_ends_soon_is_answered_with_its_end() {
    let world = World::new().await;
    assert_answer!(start(&world, "deploy", &[], r#"{"inputs": {"zone": "a"}}"#).await);
}

#[tokio::test]
async fn a_run_that_is_blocked_is_a_run_too() {
    let world = World::new().await;
    let answer = start(&world, "stuck", &[], "").await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let run = answer.json();
    assert_eq!((&run["status"], &run["error"]["blockedBy"]), (&json!("blocked"), &json!("@acme/broken")));
}

#[tokio::test]
async fn a_run_that_takes_longer_is_accepted_and_followed_by_its_identifier() {
    let world = World::new().await;
    let answer = start(&world, "slow", &[("prefer", "wait=1")], "").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let run = id(&answer);
    assert_eq!(answer.header(header::LOCATION), format!("/api/v1/runs/{run}"));
    let shown = world.get(answer.header(header::LOCATION)).await.json();
    assert_eq!(shown["status"], "running");
    let listed = world.get("/api/v1/runs?status=running").await.json();
    assert_eq!(listed["runs"][0]["runId"], json!(run));

    // Who comes late is told everything from the beginning.
    let mut stream = follow(&world, &format!("/api/v1/runs/{run}/logs?follow"), &[]).await;
    let told = stream.take(4).await;
    let names: Vec<&str> = told.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["run-started", "job-started", "step-started", "log"]);
    assert_eq!(told[3].data["text"], "wait begins");
    world.release();
    let rest = stream.rest().await;
    let names: Vec<&str> = rest.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["step-finished", "job-finished", "run-finished"]);
    assert_eq!(rest[2].data["status"], "succeeded");

    let again = follow(&world, &format!("/api/v1/runs/{run}/logs?follow"), &[]).await.rest().await;
    let names: Vec<&str> = again.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        ["run-started", "job-started", "step-started", "log", "step-finished", "job-finished", "run-finished"],
        "a run that has ended is told from its record"
    );
    assert_answer!(world.get(&format!("/api/v1/runs/{run}/logs")).await);
}

#[tokio::test]
async fn a_daemon_that_stops_begins_nothing_new() {
    let world = World::new().await;
    world.stopping.cancel();
    for path in ["/api/v1/workflows/deploy/runs", "/api/v1/scan", "/api/v1/retry"] {
        let answer = world.post(path, "").await;
        assert_eq!(
            (answer.status, answer.header(header::RETRY_AFTER)),
            (StatusCode::SERVICE_UNAVAILABLE, "1"),
            "{path}"
        );
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(world.get("/api/v1/runs").await.json()["runs"], json!([]));
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_answered_at_once() {
    let world = World::new().await;
    let answer = start(&world, "slow", &[("prefer", "respond-async")], "").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world.release();
}

#[tokio::test]
async fn a_run_is_cancelled_once_and_an_end_is_an_end() {
    let world = World::new().await;
    let run = id(&start(&world, "slow", &[("prefer", "respond-async")], "").await);
    let cancelled = world.post(&format!("/api/v1/runs/{}/cancel", &run[..13]), "").await;
    assert_eq!((cancelled.status, id(&cancelled)), (StatusCode::ACCEPTED, run.clone()), "by its beginning");
    let end = follow(&world, &format!("/api/v1/runs/{run}/logs?follow"), &[]).await.rest().await;
    assert_eq!(end.last().expect("an end").data["status"], "cancelled");
    within(async {
        while world.service.active_run(&run).is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let again = world.post(&format!("/api/v1/runs/{run}/cancel"), "").await;
    assert_eq!((again.status, &again.json()["status"]), (StatusCode::OK, &json!("cancelled")));
    let ended = id(&start(&world, "deploy", &[], "").await);
    let late = world.post(&format!("/api/v1/runs/{ended}/cancel"), "").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert_eq!(late.json()["detail"], json!(format!("the run {ended} has ended already: succeeded")));
    assert_eq!(world.post("/api/v1/runs/ffff/cancel", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_key_starts_one_run() {
    let world = World::new().await;
    let key = [("idempotency-key", "4711")];
    let body = r#"{"inputs": {"zone": "a"}}"#;
    let (one, two) = tokio::join!(start(&world, "deploy", &key, body), start(&world, "deploy", &key, body));
    assert_eq!(id(&one), id(&two), "at the same time");
    let later = start(&world, "deploy", &key, body).await;
    assert_eq!((later.status, id(&later)), (StatusCode::CREATED, id(&one)), "later");
    assert_eq!(world.calls(), 1);
    for (workflow, body) in [("deploy", r#"{"inputs": {"zone": "b"}}"#), ("slow", body)] {
        let other = start(&world, workflow, &key, body).await;
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "the key belongs to another request");
    }
    assert_eq!(world.calls(), 1);
    let long = "x".repeat(256);
    assert_eq!(start(&world, "deploy", &[("idempotency-key", &long)], body).await.status, StatusCode::BAD_REQUEST);
    // What did not start is no answer for the next request.
    let other = [("idempotency-key", "4712")];
    assert_eq!(
        start(&world, "deploy", &other, r#"{"inputs": {"zone": 1, "size": 2}}"#).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(start(&world, "deploy", &other, body).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn wrong_names_and_inputs_start_nothing() {
    let world = World::new().await;
    assert_answer!(start(&world, "deplyo", &[], "").await);
    let wrong = start(&world, "deploy", &[], r#"{"inputs": {"zone": 1}}"#).await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("MG0605")));
    assert_eq!(world.calls(), 0);
    assert_eq!(world.get("/api/v1/runs").await.json()["runs"], json!([]));
}

#[tokio::test]
async fn a_body_is_an_object_or_says_nothing() {
    let world = World::new().await;
    for list in ["[]", " [{}]"] {
        let answer = start(&world, "stuck", &[], list).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{list}");
        assert_eq!(answer.json()["detail"], "the body cannot be used: expected an object, found a list");
    }
    assert_eq!(world.get("/api/v1/runs").await.json()["runs"], json!([]));
    for nothing in ["", "null", "{}"] {
        assert_eq!(start(&world, "stuck", &[], nothing).await.status, StatusCode::CREATED, "{nothing}");
    }
}

#[tokio::test]
async fn runs_are_listed_page_by_page() {
    let world = World::new().await;
    let mut started = Vec::new();
    for _ in 0..7 {
        started.push(id(&start(&world, "deploy", &[], "").await));
        world.clock.advance(std::time::Duration::from_millis(1));
    }
    started.reverse();
    for filter in ["", "&status=succeeded", "&name=deploy"] {
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("/api/v1/runs?limit=3{filter}{cursor}")).await.json();
            listed.extend(page["runs"].as_array().expect("a list").iter().map(|run| run["runId"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(listed, started.iter().map(|id| json!(id)).collect::<Vec<_>>(), "{filter}");
    }
    for filter in ["status=failed", "name=slow"] {
        assert_eq!(world.get(&format!("/api/v1/runs?{filter}")).await.json()["runs"], json!([]), "{filter}");
    }
}

#[tokio::test]
async fn a_run_that_nobody_knows_is_a_problem_in_whatever_form_it_is_asked_for() {
    let world = World::new().await;
    for path in ["/api/v1/runs/nothing", "/api/v1/runs/nothing/logs", "/api/v1/runs/nothing/logs?follow"] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::NOT_FOUND, &json!("MG0103")), "{path}");
    }
}
