//! A daemon that asks for tokens.

use crate::{
    daemon::Daemon,
    programs::Programs,
    visitor::{Glasses, Visitor},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_on_the_wall_is_live_and_cannot_press_anything() {
    let Some(programs) = Programs::find() else { return };
    let (daemon, chromedriver) = (Daemon::guarded(), programs.start());
    // The name does not matter.
    let site = daemon.site.replace("http://", "http://somebody:a-screen-on-the-wall@");
    let visitor = Visitor::new(&programs, &chromedriver, &site, Glasses::default()).await;
    visitor.open("/").await;
    visitor.sees("The token “wall” has the scope “read”; this needs “run”.").await;
    let buttons = "return [...document.querySelectorAll('button')].every((button) => button.disabled)";
    assert_eq!(visitor.run(buttons).await, true);
    visitor.sees("live").await;
    daemon.registry.come_up().expect("the port is still free");
    visitor.sees("1 source is unhealthy, for 1 cause").await;
    visitor.leave().await;
}
