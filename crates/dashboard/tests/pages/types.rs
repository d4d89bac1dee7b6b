//! Types, one of them, a source that is none, and problems.

use axum::http::StatusCode;
use mangrove_domain::{failure::Fault, problem::Code};

use crate::world::World;

#[tokio::test]
async fn types_are_searched_filtered_and_paged_by_the_address() {
    let world = World::new().await;
    for number in 0..150 {
        world.sources.write(&format!("models/a{number:03}.ts"), &format!("type @acme/a{number:03}\nexport model\n"));
    }
    world.sources.write("models/broken.ts", "type @acme/broken\nexport model\nbroken\n");
    world.scan().await;
    let first = world.look("/types").await;
    first.assert_tells("152 sources, 100 on this page");
    first.assert_tells("@acme/a000");
    assert!(!first.text().contains("@acme/thing"), "{first:?}");
    let next = first.body.split('"').find(|part| part.starts_with("/types?cursor=")).expect("a next page");
    let second = world.look(next).await;
    second.assert_tells("@acme/thing");
    second.assert_tells("First page");
    assert!(!second.text().contains("Next page"), "{second:?}");

    let found = world.look("/types?query=a01&kind=model&state=Indexed").await;
    found.assert_tells("10 sources that fit");
    assert!(found.body.contains("value=\"a01\""), "{found:?}");
    world.look("/types?query=&kind=&state=unhealthy&cursor=").await.assert_tells("1 source that fit");
    world.look("/types?query=nothing-has-this").await.assert_tells("Nothing fits.");
    let wrong = world.look("/types?kind=modle").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    wrong.assert_tells("Unknown kind modle");
}

#[tokio::test]
async fn a_type_shows_what_it_offers_where_it_comes_from_and_what_became_of_it() {
    let world = World::new().await;
    let page = world.look("/types/@acme/thing?kind=model").await;
    assert_eq!(page.status, StatusCode::OK);
    page.assert_tells("version 2026.01.01.1");
    page.assert_tells("work");
    page.assert_tells("models/thing.ts resolves it");
    page.assert_tells("live new just now");
    page.assert_tells("It needs nothing of the machine, and nothing is granted to it.");
    assert_eq!(world.look("/types/%40acme%2Fthing").await.status, StatusCode::OK, "without a kind, and escaped");

    world.bundler.fail("models/thing.ts", Fault::transient(Code::REGISTRY_UNREACHABLE, "registry:x", "refused"));
    world.sources.write("models/thing.ts", "type @acme/thing\nexport model\nmethod more\n");
    world.scan().await;
    let page = world.look("/types/@acme/thing").await;
    page.assert_tells("last good code");
    page.assert_tells("Not as it should be");
    page.assert_tells("The last good code is in use.");
}

#[tokio::test]
async fn a_type_that_only_failing_sources_claim_has_a_page_with_the_reason() {
    let world = World::new().await;
    world.bundler.fail("models/new.ts", Fault::deterministic(Code::SYNTAX, "models/new.ts", "unexpected token"));
    world.sources.write("models/new.ts", "type @acme/new\nexport model\n");
    world.scan().await;
    let page = world.look("/types/@acme/new?kind=model").await;
    assert_eq!(page.status, StatusCode::OK);
    page.assert_tells("It cannot be used");
    page.assert_tells("unexpected token");
    page.assert_tells("tried again when its text changes");
    page.assert_tells("models/new.ts claims it");
    let missing = world.look("/types/@acme/thinq").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    missing.assert_tells("@acme/thing");
    assert_eq!(world.look("/types/thing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_source_that_is_no_type_has_a_page_of_its_own() {
    let world = World::new().await;
    world.sources.write("models/odd.ts", "type @acme/odd\nexport model\nreject\n");
    world.scan().await;
    let page = world.look("/source?root=local&path=models/odd.ts").await;
    assert_eq!(page.status, StatusCode::OK);
    page.assert_tells("rejected");
    page.assert_tells("Its export breaks the rules of its kind: MG0120");
    page.assert_tells("@acme/odd claimed, not live");
    world.look("/source?root=local&path=models/odd.ts&compare=1").await.assert_tells("A scan would");
    for path in ["/source?root=local&path=models/nothing.ts", "/source?path=../../etc/passwd", "/source"] {
        assert_eq!(world.look(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn all_problems_are_on_one_page_and_can_be_narrowed_to_one_cause() {
    let world = World::new().await;
    world.look("/problems").await.assert_tells("Nothing is wrong.");
    for name in ["a", "b", "c", "d", "e", "f"] {
        let path = format!("models/{name}.ts");
        world.sources.write(&path, &format!("type @acme/{name}\nexport model\n"));
        world.bundler.fail(&path, Fault::transient(Code::REGISTRY_UNREACHABLE, "registry:x:443", "refused"));
    }
    world.sources.write("models/broken.ts", "type @acme/broken\nexport model\nbroken\n");
    world.scan().await;
    let all = world.look("/problems").await;
    for name in ["a", "b", "c", "d", "e", "f", "broken"] {
        all.assert_tells(&format!("@acme/{name} model"));
    }
    let overview = world.look("/").await;
    let more = overview.body.split('"').find(|part| part.starts_with("/problems?code=")).expect("a link");
    let narrowed = world.look(&more.replace("&#38;", "&")).await;
    narrowed.assert_tells("Only MG0301 for registry:x:443");
    narrowed.assert_tells("@acme/f model");
    assert!(!narrowed.text().contains("@acme/broken"), "{narrowed:?}");
}

#[tokio::test]
async fn many_causes_come_page_by_page_and_many_sources_of_one_are_cut() {
    let world = World::new().await;
    for number in 0..60 {
        let path = format!("models/a{number:03}.ts");
        world.sources.write(&path, &format!("type @acme/a{number:03}\nexport model\n"));
        world.bundler.fail(&path, Fault::deterministic(Code::SYNTAX, path.clone(), format!("mistake {number}")));
    }
    for number in 0..201 {
        let path = format!("models/b{number:03}.ts");
        world.sources.write(&path, &format!("type @acme/b{number:03}\nexport model\n"));
        world.bundler.fail(&path, Fault::transient(Code::REGISTRY_UNREACHABLE, "registry:x", "refused"));
    }
    world.scan().await;
    let first = world.look("/problems").await;
    first.assert_tells("MG0201 60, MG0301 201");
    first.assert_tells("61 causes, 50 on this page.");
    first.assert_tells("1 more");
    first.assert_tells("Next page");
    let second = world.look("/problems?from=50").await;
    second.assert_tells("61 causes, 11 on this page.");
    second.assert_tells("Previous page");
    assert!(!second.text().contains("Next page") && !second.text().contains("@acme/b000"), "{second:?}");
    world.look("/problems?code=MG0201&from=50").await.assert_tells("60 causes, 10 on this page.");
    world.look("/problems?from=18446744073709551615").await.assert_tells("There are fewer causes by now.");
}

#[tokio::test]
async fn names_of_types_and_methods_are_harmless() {
    let world = World::new().await;
    let strange = "@acme/<script>alert(1)<|script>\u{202e}\"'";
    world.sources.write("models/x.ts", &format!("type {strange}\nexport model\nmethod <b onclick=x>\n"));
    world.bundler.fail("models/x.ts", Fault::deterministic(Code::SYNTAX, "x", "</textarea><script>"));
    world.scan().await;
    for path in
        ["/types", "/problems", "/", "/source?root=local&path=models/x.ts", "/types?query=%3Cscript%3Ealert(1)%22%27"]
    {
        let page = world.look(path).await;
        assert!(!page.body.contains("<script>a") && !page.body.contains("<b onclick"), "{path}: {page:?}");
        assert!(!page.body.contains("</textarea><script>"), "{path}: {page:?}");
    }
    let address = world.look("/types").await;
    let address = address.body.split('"').find(|part| part.starts_with("/types/@acme/%3Cscript")).expect("a link");
    let page = world.look(&address.replace("&#38;", "&")).await;
    assert!(!page.body.contains("<script>a"), "{page:?}");
}
