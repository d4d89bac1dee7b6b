//! A snapshot for each kind of answer.

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use mangrove_domain::{failure::Fault, problem::Code};
use serde_json::{Value, json};

use crate::world::{Setup, World, assert_answer, request};

#[tokio::test]
async fn types_are_listed() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/types?all").await);
}

#[tokio::test]
async fn a_type_is_described() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/types/@acme/thing").await);
}

#[tokio::test]
async fn a_type_that_cannot_run_is_told_with_its_failure() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/types/@acme/broken").await);
}

#[tokio::test]
async fn an_unknown_type_is_told_with_what_is_near() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/types/%40acme%2Fthinq").await);
}

#[tokio::test]
async fn sources_are_listed() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/sources?unhealthy").await);
}

#[tokio::test]
async fn a_source_is_explained() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/why?query=@acme/broken").await);
}

#[tokio::test]
async fn transitions_are_listed() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/transitions").await);
}

#[tokio::test]
async fn workflows_are_listed() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/workflows").await);
}

#[tokio::test]
async fn permissions_are_shown() {
    let world = World::new().await;
    assert_answer!(world.get("/api/v1/permissions").await);
}

#[tokio::test]
async fn a_scan_tells_what_it_did() {
    let world = World::new().await;
    world.sources.write("models/more.ts", "type @acme/more\nexport model\n");
    assert_answer!(world.post("/api/v1/scan", "").await);
    assert_eq!(world.get("/api/v1/types/@acme/more").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_failed_is_tried_again() {
    let world = World::new().await;
    let message = "npm registry unreachable: connection refused";
    world.bundler.fail("models/thing.ts", Fault::transient(Code::REGISTRY_UNREACHABLE, "registry:x", message));
    world.sources.write("models/thing.ts", "type @acme/thing\nexport model\nmethod work\nmethod wait\nmethod more\n");
    world.scan().await;
    let degraded = world.get("/api/v1/sources?class=Transient&code=mg0301").await.json();
    assert_eq!(degraded["sources"][0]["degraded"], true);
    world.bundler.heal();
    let answer = world.post("/api/v1/retry", r#"{"query": "@acme/thing"}"#).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["schema"], "mangrove.retry/1");
    assert_eq!(answer.json()["sources"][0]["degraded"], false);
    let missing = world.post("/api/v1/retry", r#"{"query": "@acme/nothing"}"#).await;
    assert_eq!((missing.status, &missing.json()["code"]), (StatusCode::NOT_FOUND, &json!("MG0103")));
}

#[tokio::test]
async fn the_daemon_says_that_it_lives_and_whether_it_is_ready() {
    let world = World::new().await;
    for path in ["/livez", "/healthz"] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, b"ok\n".as_slice()));
    }
    let ready = world.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()),
        (StatusCode::OK, json!({"schema": "mangrove.readiness/1", "ready": true}))
    );
    let starting = World::with(Setup { is_ready: false, ..Setup::default() }).await;
    assert_answer!(starting.get("/readyz?verbose").await);
}

#[tokio::test]
async fn a_wrong_method_is_405_and_an_unknown_path_404_and_both_are_problems() {
    let world = World::new().await;
    for (method, path, status) in [
        (Method::POST, "/api/v1/types", 405),
        (Method::GET, "/api/v1/scan", 405),
        (Method::DELETE, "/api/v1/runs/01", 405),
        (Method::PUT, "/livez", 405),
        (Method::GET, "/api/v1", 404),
        (Method::GET, "/api/v1/nothing", 404),
        (Method::GET, "/api/v2/types", 404),
        (Method::GET, "/../etc/passwd", 404),
        (Method::POST, "/nothing", 404),
    ] {
        let answer = world.send(request(method.clone(), path).body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json", "{method} {path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], "about:blank");
    }
    let allowed = world.send(request(Method::POST, "/api/v1/types").body(Body::empty()).expect("a request")).await;
    assert_eq!(allowed.header(header::ALLOW), "GET,HEAD");
}

#[tokio::test]
async fn parameters_that_cannot_be_meant_are_refused_in_words() {
    let world = World::new().await;
    let mut told = String::new();
    for path in [
        "/api/v1/types?kinds=model",
        "/api/v1/types?kind=modle",
        "/api/v1/types?limit=0",
        "/api/v1/sources?limit=100000",
        "/api/v1/sources?limit=many",
        "/api/v1/sources?state=Broken",
        "/api/v1/sources?cursor=nonsense",
        "/api/v1/runs?status=done",
        "/api/v1/why",
        "/api/v1/types?all=perhaps",
        "/api/v1/events?only=everything",
        "/api/v1/types/%FF",
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        told.push_str(&format!("{path}\n  {}\n", answer.json()["detail"].as_str().expect("text")));
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn bodies_that_cannot_be_meant_are_refused_in_words() {
    let world = World::new().await;
    let mut told = String::new();
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", r#"{"inputs": []}"#),
        ("application/json", r#"{"input": {}}"#),
        ("text/plain", "{}"),
        ("application/x-www-form-urlencoded", "inputs="),
    ] {
        let request = request(Method::POST, "/api/v1/workflows/deploy/runs").header(header::CONTENT_TYPE, kind);
        let answer = world.send(request.body(Body::from(body)).expect("a request")).await;
        told.push_str(&format!(
            "{kind} {body}\n  {} {}\n",
            answer.status,
            answer.json()["detail"].as_str().expect("text")
        ));
    }
    let large = "x".repeat(2 << 20);
    let answer = world.post("/api/v1/workflows/deploy/runs", &format!("\"{large}\"")).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    insta::assert_snapshot!(told);
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn pages_follow_each_other_and_nothing_is_left_out_or_doubled() {
    let world = World::new().await;
    for number in 0..25 {
        world.sources.write(&format!("models/m{number:02}.ts"), &format!("type @acme/m{number:02}\nexport model\n"));
    }
    world.scan().await;
    let all: Vec<Value> =
        world.get("/api/v1/sources?limit=1000").await.json()["sources"].as_array().expect("a list").clone();
    assert_eq!(all.len(), 27);
    for (path, key) in
        [("/api/v1/sources?", "sources"), ("/api/v1/types?all&", "types"), ("/api/v1/transitions?", "transitions")]
    {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = world.get(&format!("{path}limit=10{cursor}")).await.json();
            found.extend(page[key].as_array().expect("a list").clone());
            pages += 1;
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((found.len(), pages), (27, 3), "{path}");
        let mut paths: Vec<&str> = found.iter().map(|item| item["path"].as_str().expect("a path")).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 27, "{path}");
    }
}

#[tokio::test]
async fn an_answer_that_the_client_has_is_not_sent_again_and_a_new_one_is() {
    let world = World::new().await;
    let first = world.get("/api/v1/types/@acme/thing").await;
    let tag = first.header(header::ETAG).to_owned();
    let ask = |tag: &str| {
        request(Method::GET, "/api/v1/types/@acme/thing")
            .header(header::IF_NONE_MATCH, tag)
            .body(Body::empty())
            .expect("a request")
    };
    let again = world.send(ask(&tag)).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(world.get("/api/v1/types/@acme/thing").await.body, first.body, "kept bytes are the same bytes");
    world.sources.write("models/thing.ts", "type @acme/thing\nexport model\nmethod work\nmethod new\n");
    world.scan().await;
    let changed = world.send(ask(&tag)).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&changed.body).contains("\"new\""));
}

#[tokio::test]
async fn the_page_of_a_code_is_where_an_error_says() {
    let world = World::new().await;
    let problem = world.get("/api/v1/types/@acme/nothing").await.json();
    let page = world.get(problem["type"].as_str().expect("a path")).await;
    assert_eq!((page.status, page.body.as_slice()), (StatusCode::OK, b"# MG0101: unknown type\n".as_slice()));
    assert_eq!(world.get("/problems/MG9999").await.status, StatusCode::NOT_FOUND);
}
