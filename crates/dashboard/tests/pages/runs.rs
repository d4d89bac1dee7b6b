//! The runs, the page of one, its log, and ending it.

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use mangrove_domain::{
    json::Json,
    ports::{DataStore as _, NewData},
};
use mangrove_testkit::contract::data_store::new_data;

use crate::world::{NOW, World, request, within};

/// Starts a run and gives the address of its page.
async fn start(world: &World, workflow: &str) -> String {
    let answer = world.press(&format!("/workflows/{workflow}/runs"), "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    answer.header(header::LOCATION).to_owned()
}

#[tokio::test]
async fn runs_are_listed_filtered_and_paged() {
    let world = World::new().await;
    world.look("/runs").await.assert_tells("Nothing has run yet.");
    for _ in 0..60 {
        start(&world, "deploy").await;
        world.clock.advance(std::time::Duration::from_millis(10));
    }
    start(&world, "failing").await;
    let page = world.look("/runs").await;
    page.assert_tells("failed failing just now");
    assert_eq!(page.body.matches("<tr id=\"run-").count(), 50);
    let (_, rest) = page.body.split_once("rel=\"next\" href=\"").expect("a next page");
    let next = rest.split('"').next().expect("its end").replace("&#38;", "&");
    let older = world.look(&next).await;
    assert_eq!(older.body.matches("<tr id=\"run-").count(), 11);
    older.assert_tells("Newest runs");
    let failed = world.look("/runs?name=&status=failed").await;
    assert_eq!(failed.body.matches("<tr id=\"run-").count(), 1);
    world.look("/runs?name=slow").await.assert_tells("No run fits.");
    assert_eq!(world.look("/runs?status=lost").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_failed_run_says_what_went_wrong_and_what_helps() {
    let world = World::new().await;
    let page = world.look(&start(&world, "failing").await).await;
    page.assert_tells("failing failed");
    page.assert_tells("What went wrong MG0701");
    page.assert_tells("the disk is full");
    page.assert_tells("second skipped");
    page.assert_tells("What exactly ran: @acme/thing");
    assert!(page.body.contains("href=\"/problems/MG0701\""), "{page:?}");
    assert!(!page.text().contains("Cancel this run"), "{page:?}");
}

#[tokio::test]
async fn a_blocked_run_leads_to_the_type_that_blocks_it() {
    let world = World::new().await;
    let page = world.look(&start(&world, "stuck").await).await;
    page.assert_tells("stuck blocked");
    page.assert_tells("A type that it needs cannot be used");
    page.assert_tells("How @acme/broken is now");
    assert!(page.body.contains("href=\"/types/@acme/broken?kind=model\""), "{page:?}");
}

#[tokio::test]
async fn a_run_that_goes_on_shows_its_log_and_can_be_ended() {
    let world = World::new().await;
    let address = start(&world, "slow").await;
    within(async {
        while !world.look(&address).await.text().contains("wait begins") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let page = world.look(&address).await;
    page.assert_tells("slow running");
    page.assert_tells("only running wait running");
    page.assert_tells("Cancel this run");
    assert!(page.body.contains("data-follow=\"/api/v1/runs/"), "{page:?}");
    let cancelled = world.press(&format!("{address}/cancel"), "").await;
    assert_eq!(cancelled.status, StatusCode::SEE_OTHER);
    let page = world.look(cancelled.header(header::LOCATION)).await;
    page.assert_tells("slow cancelled");
    page.assert_tells("The run was asked to end.");
    assert!(!page.body.contains("data-follow"), "{page:?}");
    let late = world.press(&format!("{}/cancel", start(&world, "deploy").await), "").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    late.assert_tells("has ended already: succeeded");
}

#[tokio::test]
async fn the_whole_log_is_a_text() {
    let world = World::new().await;
    let address = start(&world, "deploy").await;
    let answer =
        world.send(request(Method::GET, &format!("{address}/log")).body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/plain; charset=utf-8");
    assert_eq!(answer.body, "2026-01-01T00:00:00.000Z\tinfo\tonly › work\twork begins\n");
}

#[tokio::test]
async fn what_a_run_wrote_is_shown_with_its_content_and_reports_are_rendered() {
    let world = World::new().await;
    let page = world.look(&start(&world, "writing").await).await;
    page.assert_tells("Reports");
    page.assert_tells("report/summary version 1");
    assert!(page.body.contains("<h3>All is &lt;well&gt;</h3>"), "{page:?}");
    page.assert_tells("wrote state version 1");
    page.assert_tells("&#34;healthy&#34;: true");
    assert!(
        page.body.contains("href=\"/data/item?model=00000000-0000-4000-8000-000000000002&#38;name=summary"),
        "{page:?}"
    );
}

#[tokio::test]
async fn data_is_shown_by_definition_item_and_version() {
    let world = World::new().await;
    world.look("/data").await.assert_tells("No method has written anything yet.");
    let name = "<b>one</b>/..";
    let data = |model_id: &str, content: Json| NewData {
        tags: vec![("colour".to_owned(), "<i>red</i>".to_owned())],
        written_at: NOW,
        ..new_data(model_id, "state", name, &content)
    };
    let thing = "00000000-0000-4000-8000-000000000002";
    for content in [1, 2] {
        let content = Json::object([("number", Json::from(content))]);
        world.data.write(data(thing, content)).await.expect("written");
    }
    world.data.write(data("@acme/gone/<u>x</u>", Json::from("x"))).await.expect("written");
    let list = world.look("/data").await;
    list.assert_tells("thing @acme/thing 1 12 B just now");
    list.assert_tells("its file is gone, or a workflow made it up");
    let items = world.look(&format!("/data?model={thing}")).await;
    items.assert_tells("state / &#60;b&#62;one&#60;/b&#62;/.. resource 2");
    let (_, rest) = items.body.split_once("href=\"/data/item?").expect("a link");
    let address = format!("/data/item?{}", rest.split('"').next().expect("its end").replace("&#38;", "&"));
    let latest = world.look(&address).await;
    latest.assert_tells("&#34;number&#34;: 2");
    latest.assert_tells("colour : &#60;i&#62;red&#60;/i&#62;");
    world.look(&format!("{address}&version=1")).await.assert_tells("&#34;number&#34;: 1");
    assert_eq!(world.look(&format!("{address}&version=3")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.look("/data?model=nobody").await.status, StatusCode::NOT_FOUND);
    let whole = format!("{}&version=2", address.replace("/data/item", "/data/content"));
    let whole = world.send(request(Method::GET, &whole).body(Body::empty()).expect("a request")).await;
    assert_eq!((whole.header(header::CONTENT_TYPE), whole.body.as_str()), ("application/json", "{\"number\":2}"));
    assert_eq!(whole.header(header::CONTENT_DISPOSITION), "attachment; filename=\"boneb..-2.json\"");
    for page in [list, items, latest] {
        assert!(!page.body.contains("<b>") && !page.body.contains("<i>") && !page.body.contains("<u>"), "{page:?}");
    }
}
