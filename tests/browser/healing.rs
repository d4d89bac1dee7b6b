//! A type that fails heals while somebody looks.

use crate::{
    daemon::Daemon,
    programs::Programs,
    visitor::{Glasses, Visitor},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_type_heals_on_the_open_page_without_a_reload() {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, Glasses::default()).await;
    visitor.open("/").await;
    visitor.sees("2 sources are unhealthy, for 2 causes").await;
    visitor.sees("the package registry cannot be reached").await;
    visitor.sees("next try").await;
    visitor.sees("live").await;
    // A page that is loaded again knows nothing of it.
    visitor.run("window.isTheSamePage = true; document.querySelector('.sources a').focus();").await;
    daemon.registry.come_up().expect("the port is still free");
    visitor.sees("1 source is unhealthy, for 1 cause").await;
    visitor.sees_no_more("the package registry cannot be reached").await;
    daemon.files.remove("extensions/models/rejected.ts").expect("the file is there");
    visitor.sees("Everything is healthy").await;
    assert_eq!(visitor.run("return window.isTheSamePage").await, true);

    // And what begins to fail is seen as well; the type goes on with what it had.
    let text = daemon.files.read("extensions/models/greeter.ts").expect("the file is there");
    daemon.files.write("extensions/models/greeter.ts", format!("const list = [;\n{text}")).expect("it can be written");
    visitor.sees("1 source is unhealthy, for 1 cause").await;
    visitor.sees("The last good code is in use.").await;
    assert_eq!(visitor.run("return window.isTheSamePage").await, true);
    visitor.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_outlives_the_daemon_that_it_came_from() {
    let Some(programs) = Programs::find() else { return };
    let (mut daemon, chromedriver) = (Daemon::start(), programs.start());
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, Glasses::default()).await;
    visitor.open("/").await;
    visitor.sees("2 sources are unhealthy, for 2 causes").await;
    visitor.sees("live").await;
    visitor.run("window.isTheSamePage = true;").await;
    daemon.files.remove("extensions/models/rejected.ts").expect("the file is there");
    visitor.sees("1 source is unhealthy, for 1 cause").await;
    daemon.start_again();
    daemon.registry.come_up().expect("the port is still free");
    visitor.sees("Everything is healthy").await;
    assert_eq!(visitor.run("return window.isTheSamePage").await, true);
    visitor.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_and_an_open_part_stay_as_they_are_while_the_page_changes() {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, Glasses::default()).await;
    visitor.open("/types/@acme/greeter?kind=model").await;
    visitor.sees("live").await;
    let close =
        "const part = document.querySelector('details'); part.open = false; part.querySelector('summary').focus();";
    visitor.run(close).await;
    let text = daemon.files.read("extensions/models/greeter.ts").expect("the file is there");
    let text = text.replace("Greet somebody", "Greet everybody").replace("2026.05.23.1", "2026.05.24.1");
    daemon.files.write("extensions/models/greeter.ts", text).expect("it can be written");
    let told = "return document.querySelector('details').textContent.includes('Greet everybody')";
    while visitor.run(told).await != true {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(visitor.run("return document.querySelector('details').open").await, false);
    assert_eq!(visitor.run("return document.activeElement.nodeName").await, "SUMMARY");
    visitor.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_without_javascript() {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::start(), programs.start());
    let glasses = Glasses { has_script: false, ..Glasses::default() };
    let visitor = Visitor::new(&programs, &chromedriver, &daemon.site, glasses).await;
    visitor.open("/").await;
    visitor.sees("This page does not change by itself without JavaScript").await;
    visitor.sees("2 sources are unhealthy, for 2 causes").await;
    daemon.registry.come_up().expect("the port is still free");
    visitor.press("Retry all").await;
    visitor.reloads_until("1 source is unhealthy, for 1 cause").await;

    visitor.follow("Types").await;
    visitor.enter("query", "mail").await;
    visitor.press("Filter").await;
    visitor.sees("1 source that fit").await;
    visitor.follow("@acme/mail").await;
    assert_eq!(visitor.path().await, "/types/@acme/mail?kind=model");
    visitor.sees("It needs nothing of the machine").await;
    visitor.leave().await;
}
