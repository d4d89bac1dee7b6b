//! A person with a browser.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::{
    By, ChromiumLikeCapabilities as _, DesiredCapabilities, WebDriver, WebElement, error::WebDriverResult,
};

use crate::programs::{Chromedriver, Programs};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_mins(1);

/// How somebody looks at pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glasses {
    pub(crate) width: u32,
    pub(crate) is_dark: bool,
    pub(crate) has_script: bool,
}

impl Default for Glasses {
    fn default() -> Self {
        Self { width: 1280, is_dark: false, has_script: true }
    }
}

/// A browser at the pages of one daemon. Call [`leave`](Self::leave) at the end.
pub(crate) struct Visitor {
    driver: WebDriver,
    site: String,
    _profile: tempfile::TempDir,
}

impl Visitor {
    pub(crate) async fn new(programs: &Programs, chromedriver: &Chromedriver, site: &str, glasses: Glasses) -> Self {
        // Its client asks for it even where it speaks without TLS.
        mangrove_npm::registry::use_cryptography();
        let profile = tempfile::tempdir().expect("a directory");
        let capabilities = capabilities(programs, glasses, profile.path().to_str().expect("text"));
        let driver = WebDriver::new(&chromedriver.url, capabilities.expect("capabilities")).await;
        Self { driver: driver.expect("a browser"), site: site.to_owned(), _profile: profile }
    }

    pub(crate) async fn leave(self) {
        self.driver.quit().await.expect("the browser ends");
    }

    /// Opens a page by its path.
    pub(crate) async fn open(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.site)).await.expect("the page opens");
    }

    /// Where the browser is, without the daemon's address.
    pub(crate) async fn path(&self) -> String {
        let url = self.driver.current_url().await.expect("an address").to_string();
        url.strip_prefix(&self.site).unwrap_or(&url).to_owned()
    }

    /// What a person reads on the whole page.
    pub(crate) async fn text(&self) -> String {
        let text = async { self.driver.find(By::Tag("body")).await?.text().await };
        // The page may be another one by now.
        text.await.unwrap_or_default()
    }

    /// Waits until the page says this, whatever happens meanwhile. Nothing is reloaded.
    pub(crate) async fn sees(&self, text: &str) {
        self.waits(&format!("{text:?} to appear"), async |page| page.contains(text)).await;
    }

    /// Waits until the page does not say this any more.
    pub(crate) async fn sees_no_more(&self, text: &str) {
        self.waits(&format!("{text:?} to go"), async |page| !page.contains(text)).await;
    }

    async fn waits(&self, what: &str, is_so: impl AsyncFn(&str) -> bool) {
        let start = Instant::now();
        loop {
            let page = self.text().await;
            if is_so(&page).await {
                return;
            }
            assert!(start.elapsed() < LONG, "waited for {what} at {}:\n{page}", self.path().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As [`sees`](Self::sees), for a page that does not change by itself: loads it again until it says so.
    pub(crate) async fn reloads_until(&self, text: &str) {
        let start = Instant::now();
        while !self.text().await.contains(text) {
            assert!(start.elapsed() < LONG, "waited for {text:?}:\n{}", self.text().await);
            self.driver.refresh().await.expect("the page is loaded again");
        }
    }

    /// The element that a CSS selector means; it has to be there.
    pub(crate) async fn element(&self, selector: &str) -> WebElement {
        match self.driver.find(By::Css(selector)).await {
            Ok(element) => element,
            Err(error) => panic!("{selector}: {error}:\n{}", self.text().await),
        }
    }

    /// Follows the link with this text.
    pub(crate) async fn follow(&self, text: &str) {
        match self.driver.find(By::LinkText(text)).await {
            Ok(link) => link.click().await.expect("the link can be clicked"),
            Err(error) => panic!("no link {text:?}: {error}:\n{}", self.text().await),
        }
    }

    /// Presses the first button with this label.
    pub(crate) async fn press(&self, label: &str) {
        let button = self.driver.find(By::XPath(format!("//button[normalize-space()='{label}']"))).await;
        match button {
            Ok(button) => button.click().await.expect("the button can be pressed"),
            Err(error) => panic!("no button {label:?}: {error}:\n{}", self.text().await),
        }
    }

    /// Writes into the field of this name, in the place of what is there.
    pub(crate) async fn enter(&self, name: &str, text: &str) {
        let field = self.element(&format!("[name='{name}']")).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// What a script of the test gives.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, Vec::new()).await.expect("the script runs");
        answer.json().clone()
    }

    /// What axe-core finds on this page: a line for each place.
    pub(crate) async fn barriers(&self, axe: &str) -> Vec<String> {
        self.driver.execute(axe, Vec::new()).await.expect("axe-core loads");
        let script = "const done = arguments[arguments.length - 1];
            axe.run().then((found) => done(found.violations.flatMap((rule) =>
                rule.nodes.map((node) => `${rule.id}: ${node.target}: ${node.failureSummary}`))),
                (error) => done([String(error)]));";
        let answer = self.driver.execute_async(script, Vec::new()).await.expect("axe-core runs");
        answer.convert().expect("a list of texts")
    }
}

fn capabilities(
    programs: &Programs,
    glasses: Glasses,
    profile: &str,
) -> WebDriverResult<thirtyfour::ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(programs.chromium.to_str().expect("text"))?;
    for argument in [
        "--headless=new",
        // Tests may run as root, in a container.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--window-size=1280,1000",
        &format!("--user-data-dir={profile}"),
        if glasses.is_dark {
            "--blink-settings=preferredColorScheme=0"
        } else {
            "--blink-settings=preferredColorScheme=1"
        },
    ] {
        capabilities.add_arg(argument)?;
    }
    if glasses.width < 600 {
        let metrics = json!({"width": glasses.width, "height": 800, "pixelRatio": 1.0, "touch": true});
        capabilities.add_experimental_option("mobileEmulation", json!({"deviceMetrics": metrics}))?;
    }
    if !glasses.has_script {
        let no_script = json!({"profile.managed_default_content_settings.javascript": 2});
        capabilities.add_experimental_option("prefs", no_script)?;
    }
    Ok(capabilities)
}
