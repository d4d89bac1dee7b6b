//! Who sees pages, what they may do there, and what pages are sent with.

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use mangrove_daemon::http::Access;

use crate::world::{Answer, World, request};

async fn guarded() -> World {
    let tokens = "wall read a-screen-on-the-wall\nci run the-build-server\n";
    World::with(Access::parse("tokens", tokens).expect("tokens")).await
}

async fn ask(world: &World, path: &str, secret: Option<&str>) -> Answer {
    let mut request = request(Method::GET, path);
    if let Some(secret) = secret {
        request = request.header(header::AUTHORIZATION, format!("Bearer {secret}"));
    }
    world.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn a_browser_without_a_token_is_asked_for_one_and_sees_nothing_else() {
    let world = guarded().await;
    let answer = ask(&world, "/", None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let asked: Vec<_> = answer.headers.get_all(header::WWW_AUTHENTICATE).iter().collect();
    assert!(asked.iter().any(|value| *value == "Basic realm=\"mangrove\""), "{asked:?}");
    answer.assert_tells("A token is needed.");
    assert!(!answer.body.contains(&world.service.directory().display().to_string()), "{answer:?}");
    assert_eq!(ask(&world, "/", Some("a-wrong-secret-word")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&world, "/", Some("a-screen-on-the-wall")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_may_only_read_has_no_buttons_and_is_told_why() {
    let world = guarded().await;
    let reader = ask(&world, "/", Some("a-screen-on-the-wall")).await;
    reader.assert_tells("The token “wall” has the scope “read”; this needs “run”.");
    assert!(reader.body.contains(" disabled title="), "{reader:?}");
    let runner = ask(&world, "/", Some("the-build-server")).await;
    assert!(!runner.body.contains(" disabled title=") && !runner.text().contains("this needs"), "{runner:?}");
}

#[tokio::test]
async fn a_page_runs_no_script_but_ours_and_stands_in_no_frame() {
    let world = World::new().await;
    for path in ["/", "/nothing-is-here"] {
        let answer = world.look(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin");
        assert!(!answer.body.contains(" style=") && !answer.body.contains("<style"), "{path}");
        assert!(!answer.body.contains("<script>") && !answer.body.contains(" onclick="), "{path}");
        assert!(!answer.body.contains("http://") && !answer.body.contains("https://"), "{path}");
    }
}

#[tokio::test]
async fn what_pages_need_is_kept_for_ever_under_a_name_of_its_content() {
    let world = guarded().await;
    let page = ask(&world, "/", Some("a-screen-on-the-wall")).await;
    let names: Vec<&str> = page.body.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        let answer = ask(&world, name, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    }
    assert_eq!(ask(&world, "/assets/style-000000000000.css", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn errors_are_pages_for_people_and_documents_for_programs() {
    let world = World::new().await;
    let page = world.look("/nothing-is-here").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    page.assert_tells("There is nothing at /nothing-is-here.");
    assert_eq!(page.header(header::VARY), "accept");
    let program = axum::http::Request::builder().uri("/nothing-is-here").header(header::HOST, "localhost");
    let answer = world.send(program.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    let api = world.send(request(Method::GET, "/api/v1/nothing").body(Body::empty()).expect("a request")).await;
    assert_eq!(api.header(header::CONTENT_TYPE), "application/problem+json", "whatever a browser accepts");
    let wrong = world.press("/", "").await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
    wrong.assert_tells("POST is not possible at /");
}

#[tokio::test]
async fn the_page_of_a_code_is_markdown_for_programs_and_html_for_people() {
    let world = World::new().await;
    let page = world.look("/problems/MG0301").await;
    assert_eq!(page.status, StatusCode::OK);
    page.assert_tells("MG0301: unreachable");
    let program = axum::http::Request::builder().uri("/problems/MG0301").header(header::HOST, "localhost");
    let answer = world.send(program.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/markdown; charset=utf-8");
    assert!(answer.body.starts_with("# MG0301"), "{answer:?}");
}
