//! axe-core on every page, light and dark, wide and narrow.

use crate::{
    daemon::Daemon,
    programs::Programs,
    visitor::{Glasses, Visitor},
};

const PAGES: [&str; 16] = [
    "/",
    "/types",
    "/types/@acme/greeter?kind=model",
    "/types/@acme/mail?kind=model",
    "/source?root=local&path=extensions/models/rejected.ts&compare=1",
    "/problems",
    "/problems/MG0301",
    "/types/@acme/nothing",
    "/nothing-is-here",
    "/workflows",
    "/workflows/greet",
    "/workflows/wait",
    "/workflows/nothing",
    "/runs",
    "/schedules",
    "/data",
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_out_of_a_wide_light_page() {
    look_at_all(Glasses { width: 1280, is_dark: false, has_script: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_out_of_a_wide_dark_page() {
    look_at_all(Glasses { width: 1280, is_dark: true, has_script: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_out_of_a_narrow_light_page() {
    look_at_all(Glasses { width: 360, is_dark: false, has_script: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_out_of_a_narrow_dark_page() {
    look_at_all(Glasses { width: 360, is_dark: true, has_script: true }).await;
}

/// Starts runs, and gives the pages that tell of them.
async fn pages_of_runs(visitor: &Visitor) -> Vec<String> {
    visitor.open("/workflows/greet").await;
    visitor.enter("input.name", "Ada").await;
    visitor.press("Run").await;
    visitor.reloads_until("A card for Ada").await;
    let ended = visitor.path().await;
    visitor.follow("card").await;
    let item = visitor.path().await;
    visitor.follow("greeter").await;
    let items = visitor.path().await;
    visitor.open("/workflows/wait").await;
    visitor.press("Run").await;
    visitor.sees("second 1").await;
    vec![ended, item, items, visitor.path().await]
}

async fn look_at_all(glasses: Glasses) {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, glasses).await;
    let mut found = Vec::new();
    let mut pages: Vec<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    pages.extend(pages_of_runs(&visitor).await);
    for page in &pages {
        visitor.open(page).await;
        look_at(&visitor, &programs, glasses, page, &mut found).await;
    }
    visitor.open("/workflows/greet").await;
    visitor.press("Run").await;
    visitor.sees("Nothing was started.").await;
    look_at(&visitor, &programs, glasses, "a form that was refused", &mut found).await;
    visitor.leave().await;
    assert!(found.is_empty(), "{found:#?}");
}

async fn look_at(visitor: &Visitor, programs: &Programs, glasses: Glasses, page: &str, found: &mut Vec<String>) {
    let dark = visitor.run("return matchMedia('(prefers-color-scheme: dark)').matches").await;
    assert_eq!(dark, glasses.is_dark, "the browser shows what it is told to");
    let width = visitor.run("return innerWidth").await;
    if width.as_u64().is_none_or(|width| width > u64::from(glasses.width)) {
        found.push(format!("{page}: it takes {width} pixels"));
    }
    let barriers = visitor.barriers(&programs.axe).await;
    found.extend(barriers.into_iter().map(|barrier| format!("{page}: {barrier}")));
    if visitor.run("return document.documentElement.scrollWidth > innerWidth").await == true {
        found.push(format!("{page}: the page is wider than the window"));
    }
}
