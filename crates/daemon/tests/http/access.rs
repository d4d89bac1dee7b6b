//! Who may do what, under which name, and from where.

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use mangrove_daemon::http::Access;

use crate::world::{Setup, World, assert_answer, request};

const TOKENS: &str = "wall read a-screen-on-the-wall\nci run the-build-server\nme admin the-administrator\n";

async fn world() -> World {
    let access = Access::parse("tokens", TOKENS).expect("tokens");
    World::with(Setup { access, ..Setup::default() }).await
}

async fn status(world: &World, method: Method, path: &str, secret: Option<&str>) -> u16 {
    let mut request = request(method, path);
    if let Some(secret) = secret {
        request = request.header(header::AUTHORIZATION, format!("Bearer {secret}"));
    }
    world.send(request.body(Body::empty()).expect("a request")).await.status.as_u16()
}

#[tokio::test]
async fn each_scope_may_do_what_it_includes_and_nothing_else() {
    let world = world().await;
    let (read, run, admin) = (Some("a-screen-on-the-wall"), Some("the-build-server"), Some("the-administrator"));
    for path in [
        "/api/v1/types",
        "/api/v1/types/@acme/thing",
        "/api/v1/sources",
        "/api/v1/transitions",
        "/api/v1/why?query=@acme/thing",
        "/api/v1/workflows",
        "/api/v1/runs",
        "/api/v1/schedules",
        "/api/v1/permissions",
        "/api/v1/openapi.json",
        "/readyz?verbose",
        "/metrics",
    ] {
        assert_eq!(status(&world, Method::GET, path, None).await, 401, "{path}");
        assert_eq!(status(&world, Method::GET, path, Some("a-wrong-secret")).await, 401, "{path}");
        for secret in [read, run, admin] {
            assert_eq!(status(&world, Method::GET, path, secret).await, 200, "{path}");
        }
    }
    for path in ["/api/v1/scan", "/api/v1/retry", "/api/v1/workflows/deploy/runs", "/api/v1/runs/01/cancel"] {
        assert_eq!(status(&world, Method::POST, path, None).await, 401, "{path}");
        assert_eq!(status(&world, Method::POST, path, read).await, 403, "{path}");
        for secret in [run, admin] {
            let status = status(&world, Method::POST, path, secret).await;
            assert!(status != 401 && status != 403, "{path}: {status}");
        }
    }
    for path in ["/livez", "/healthz", "/readyz", "/problems/MG0101"] {
        assert_eq!(status(&world, Method::GET, path, None).await, 200, "{path}");
    }
    let body = r#"{"allowMassRemoval": true}"#;
    for (secret, expected) in [(run, 403), (admin, 200)] {
        let request = request(Method::POST, "/api/v1/scan")
            .header(header::AUTHORIZATION, format!("Bearer {}", secret.expect("a secret")))
            .header(header::CONTENT_TYPE, "application/json");
        let answer = world.send(request.body(Body::from(body)).expect("a request")).await;
        assert_eq!(answer.status.as_u16(), expected);
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_missing() {
    let world = world().await;
    assert_answer!(world.get("/api/v1/types").await);
}

#[tokio::test]
async fn tokens_can_be_replaced_while_the_daemon_runs() {
    let world = world().await;
    assert_eq!(status(&world, Method::GET, "/api/v1/types", Some("the-build-server")).await, 200);
    world.state.replace_access(Access::parse("tokens", "new read another-secret-word\n").expect("tokens"));
    assert_eq!(status(&world, Method::GET, "/api/v1/types", Some("the-build-server")).await, 401);
    assert_eq!(status(&world, Method::GET, "/api/v1/types", Some("another-secret-word")).await, 200);
}

#[tokio::test]
async fn a_name_that_leads_here_by_rebinding_is_refused_everywhere() {
    let world = World::new().await;
    for path in ["/api/v1/types", "/livez", "/readyz", "/problems/MG0101", "/nothing"] {
        let ask = |host: &str| {
            axum::http::Request::builder().uri(path).header(header::HOST, host).body(Body::empty()).expect("a request")
        };
        let answer = world.send(ask("evil.example:8787")).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
        for host in ["mangrove.example", "localhost:8787", "[::1]:8787"] {
            assert_ne!(world.send(ask(host)).await.status, StatusCode::MISDIRECTED_REQUEST, "{path} at {host}");
        }
    }
}

#[tokio::test]
async fn a_web_page_of_somebody_else_can_start_nothing_and_read_nothing() {
    let world = World::new().await;
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example"), ("origin", "null")] {
        for path in ["/api/v1/workflows/deploy/runs", "/api/v1/scan", "/api/v1/runs/01/cancel"] {
            let request = request(Method::POST, path).header(name, value);
            let answer = world.send(request.body(Body::empty()).expect("a request")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with {name}: {value}");
        }
    }
    assert_eq!(world.calls(), 0);
    let asked = request(Method::GET, "/api/v1/types").header("origin", "http://evil.example");
    let answer = world.send(asked.body(Body::empty()).expect("a request")).await;
    let cors: Vec<_> = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control")).collect();
    assert!(cors.is_empty(), "{cors:?}");
    let preflight = request(Method::OPTIONS, "/api/v1/scan")
        .header("origin", "http://evil.example")
        .header("access-control-request-method", "POST");
    let answer = world.send(preflight.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[tokio::test]
async fn answers_are_not_guessed_at_and_not_kept_by_caches() {
    let world = World::new().await;
    for path in ["/api/v1/types", "/api/v1/nothing", "/livez"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
    }
}
