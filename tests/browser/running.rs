//! A run is started from its form, followed, and ended; what it wrote is opened.

use crate::{
    daemon::Daemon,
    programs::Programs,
    visitor::{Glasses, Visitor},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_followed_and_ended_while_somebody_looks() {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, Glasses::default()).await;
    enters_wrong_and_right_inputs(&visitor).await;
    opens_what_was_written(&visitor).await;

    visitor.open("/workflows/wait").await;
    visitor.press("Run").await;
    visitor.sees("second 1").await;
    visitor.run("window.isTheSamePage = true;").await;
    visitor.sees("second 4").await;
    visitor.sees("running").await;
    assert_eq!(visitor.run("return window.isTheSamePage").await, true, "the lines come without a reload");
    let shown = visitor.run("return [...document.querySelectorAll('#log .line-text')].map((line) => line.textContent)");
    let shown: Vec<String> = serde_json::from_value(shown.await).expect("texts");
    let expected: Vec<String> = (0..shown.len()).map(|second| format!("second {second}")).collect();
    assert_eq!(shown, expected, "each line once, in order");
    visitor.press("Cancel this run").await;
    visitor.sees("The run was asked to end.").await;
    visitor.sees("cancelled from outside").await;
    visitor.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_run_tells_its_end_by_itself() {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, Glasses::default()).await;
    visitor.open("/workflows/wait").await;
    visitor.press("Run").await;
    visitor.sees("second 1").await;
    visitor.run("window.isTheSamePage = true;").await;
    // Somebody else ends it.
    let end = "fetch(location.pathname + '/cancel', { method: 'POST' })";
    visitor.run(end).await;
    visitor.sees("cancelled from outside").await;
    visitor.sees_no_more("Cancel this run").await;
    assert_eq!(visitor.run("return window.isTheSamePage").await, true);
    visitor.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_looked_at_and_ended_without_javascript() {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let glasses = Glasses { has_script: false, ..Glasses::default() };
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, glasses).await;
    enters_wrong_and_right_inputs(&visitor).await;
    opens_what_was_written(&visitor).await;

    visitor.open("/workflows/wait").await;
    visitor.press("Run").await;
    visitor.reloads_until("second 2").await;
    visitor.sees("Without JavaScript this page shows what was logged until it was made").await;
    visitor.sees("running").await;
    visitor.press("Cancel this run").await;
    visitor.reloads_until("cancelled from outside").await;
    visitor.leave().await;
}

async fn enters_wrong_and_right_inputs(visitor: &Visitor) {
    visitor.open("/workflows").await;
    visitor.follow("greet").await;
    visitor.enter("input.name", "A").await;
    visitor.enter("input.times", "often").await;
    visitor.press("Run").await;
    visitor.sees("Nothing was started. 1 input cannot be used.").await;
    visitor.sees("expected integer, found \"often\"").await;
    let entered = visitor.element("[name='input.times']").await.value().await.expect("a field");
    assert_eq!(entered.as_deref(), Some("often"), "what was entered comes back");
    visitor.enter("input.name", "Ada").await;
    visitor.enter("input.times", "1").await;
    visitor.press("Run").await;
    visitor.reloads_until("hello Ada").await;
    assert!(visitor.path().await.starts_with("/runs/"), "{}", visitor.path().await);
    visitor.sees("succeeded").await;
}

/// From the page of a run: its report, and its data.
async fn opens_what_was_written(visitor: &Visitor) {
    visitor.sees("A card for Ada").await;
    visitor.follow("card").await;
    visitor.sees("file, text/markdown").await;
    visitor.sees("A card for Ada").await;
    visitor.follow("greeter").await;
    visitor.follow("greeting/main").await;
    visitor.sees("\"name\": \"Ada\"").await;
}
