//! axe-core on every page, light and dark, wide and narrow.

use crate::{
    daemon::Daemon,
    programs::Programs,
    visitor::{Glasses, Visitor},
};

const PAGES: [&str; 9] = [
    "/",
    "/types",
    "/types/@acme/greeter?kind=model",
    "/types/@acme/mail?kind=model",
    "/source?root=local&path=extensions/models/rejected.ts&compare=1",
    "/problems",
    "/problems/MG0301",
    "/types/@acme/nothing",
    "/nothing-is-here",
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

async fn look_at_all(glasses: Glasses) {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, glasses).await;
    let mut found = Vec::new();
    for page in PAGES {
        visitor.open(page).await;
        let dark = visitor.run("return matchMedia('(prefers-color-scheme: dark)').matches").await;
        assert_eq!(dark, glasses.is_dark, "the browser shows what it is told to");
        let width = visitor.run("return innerWidth").await;
        assert!(width.as_u64().is_some_and(|width| width <= u64::from(glasses.width)), "{width}");
        let barriers = visitor.barriers(&programs.axe).await;
        found.extend(barriers.into_iter().map(|barrier| format!("{page}: {barrier}")));
        if visitor.run("return document.documentElement.scrollWidth > innerWidth").await == true {
            found.push(format!("{page}: the page is wider than the window"));
        }
    }
    visitor.leave().await;
    assert!(found.is_empty(), "{found:#?}");
}
