//! A real browser: headless Chromium, driven over `WebDriver`.
//!
//! Needs Debian's packages `chromium` and `chromium-driver`, or their equivalents.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test ends where the page is not as it should be"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
pub use thirtyfour::{By, Key};
use thirtyfour::{
    ChromiumLikeCapabilities, DesiredCapabilities, TypingData, WebDriver, WindowHandle,
    prelude::ElementQueryable,
};

/// Chromium, and the driver in between. Call [`Chromium::close`] at the end of a test.
#[derive(Debug)]
pub struct Chromium {
    /// Declared before `driver`, so that it is dropped first: `driver` would wait for a browser
    /// that a failed test left open.
    _process: Process,
    /// For anything that has no method here.
    pub driver: WebDriver,
}

/// The driver's process, which takes the browser with it when a test fails.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM, because after SIGKILL the browser would keep running.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

const ARGUMENTS: [&str; 10] = [
    "--window-size=1280,1600",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Where npm puts axe-core, seen from the folder of a crate.
const AXE_CORE: &str = "../target/npm/node_modules/axe-core/axe.min.js";

/// Runs axe-core and keeps the serious findings.
const AXE_RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run().then(found => done(found.violations
        .filter(v => ['serious', 'critical'].includes(v.impact))
        .map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' '))));
";

impl Chromium {
    /// Starts a browser without cookies.
    ///
    /// # Panics
    /// When there is no Chromium. The methods below panic when something is not on the page.
    pub async fn start() -> Self {
        Self::with(&[], json!({})).await
    }

    /// Starts a browser without cookies that resolves every host of `example.test` to this machine
    /// and accepts the certificates of [`crate::tls`].
    pub async fn of_example_hosts() -> Self {
        let hosts = "--host-resolver-rules=MAP *.example.test 127.0.0.1";
        Self::with(&[hosts, "--ignore-certificate-errors"], json!({})).await
    }

    /// Starts a browser that accepts no cookies.
    pub async fn without_cookies() -> Self {
        let block = 2;
        let cookies = json!({"profile.default_content_setting_values.cookies": block});
        Self::with(&[], cookies).await
    }

    async fn with(arguments: &[&str], preferences: Value) -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver; install chromium and chromium-driver");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let process = Process(process);
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                Some(
                    line.split_once("started successfully on port ")?
                        .1
                        .to_owned(),
                )
            })
            .expect("a line that says the port");

        let mut capabilities = DesiredCapabilities::chrome();
        for argument in ARGUMENTS.iter().chain(arguments) {
            capabilities.add_arg(argument).expect("an argument");
        }
        capabilities
            .add_experimental_option("prefs", preferences)
            .expect("preferences");
        let logs = json!({"browser": "WARNING", "performance": "ALL"});
        capabilities
            .as_mut()
            .set("goog:loggingPrefs", logs)
            .expect("a capability");
        let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        // Its HTTP client needs a TLS provider, although everything is http here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let driver = WebDriver::new(url, capabilities)
            .await
            .expect("a session with Chromium");
        Self {
            _process: process,
            driver,
        }
    }

    /// Opens a URL, as typed by a person.
    pub async fn open(&self, url: impl AsRef<str>) {
        self.driver.goto(url.as_ref()).await.expect("a page");
    }

    /// Presses the browser's back button.
    pub async fn back(&self) {
        self.driver.back().await.expect("a page before this");
    }

    /// Presses keys, wherever the focus is.
    pub async fn keys(&self, keys: TypingData) {
        let focused = self.driver.active_element().await.expect("a page");
        focused.send_keys(keys).await.expect("keys");
    }

    /// Presses a button or a link by what is written on it.
    pub async fn press(&self, label: &str) {
        let path = format!("//*[self::a or self::button][normalize-space()='{label}']");
        self.click(By::XPath(path)).await;
    }

    /// Clicks an element, as soon as it is there.
    pub async fn click(&self, what: By) {
        let element = self.driver.query(what).and_clickable().first().await;
        let element = element.expect("it is on the page");
        element
            .scroll_into_view()
            .await
            .expect("it can be scrolled to");
        element.click().await.expect("it can be clicked");
    }

    /// The text of an element, as soon as it is there.
    pub async fn read(&self, what: By) -> String {
        let element = self.driver.query(what).and_displayed().first().await;
        element
            .expect("it is on the page")
            .text()
            .await
            .expect("a text")
    }

    /// Replaces the text in the field with this name.
    pub async fn type_into(&self, name: &str, text: &str) {
        self.write(By::Name(name), text).await;
    }

    /// Replaces the text in a field.
    pub async fn write(&self, what: By, text: &str) {
        let field = self
            .driver
            .query(what)
            .and_displayed()
            .first()
            .await
            .expect("the field");
        field.clear().await.expect("a field to write in");
        field.send_keys(text).await.expect("a field to write in");
    }

    /// Switches to a window other than this one, as soon as there is one.
    pub async fn switch_to_other_window(&self, this: &WindowHandle) {
        for _ in 0..200 {
            let windows = self.driver.windows().await.expect("the windows");
            if let Some(other) = windows.into_iter().find(|window| window != this) {
                return self.driver.switch_to_window(other).await.expect("a window");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no other window");
    }

    /// The visible text of the page.
    pub async fn text(&self) -> String {
        let body = self.driver.find(By::Tag("body")).await.expect("a page");
        body.text().await.expect("a text")
    }

    /// Waits until a text is on the page.
    pub async fn see(&self, text: &str) {
        let path = format!("//*[contains(normalize-space(), '{text}')]");
        let found = self.driver.query(By::XPath(path));
        let found = found.wait(Duration::from_secs(10), Duration::from_millis(50));
        let found = found.first().await;
        assert!(
            found.is_ok(),
            "no {text:?} on the page:\n{}",
            self.text().await
        );
    }

    /// Shows the page on a screen of this size, in pixels, in light or dark.
    pub async fn look(&self, width: u32, height: u64, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        let screen =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let cdp = self.driver.cdp();
        cdp.send_raw("Emulation.setEmulatedMedia", media)
            .await
            .expect("light or dark");
        cdp.send_raw("Emulation.setDeviceMetricsOverride", screen)
            .await
            .expect("a screen");
    }

    /// Asserts that the page fits on a phone and on a large screen, and that axe-core finds nothing
    /// serious, in light and dark.
    pub async fn assert_well_made(&self) {
        let axe = env::var("AXE_CORE").unwrap_or_else(|_| AXE_CORE.to_owned());
        let axe = fs::read_to_string(axe)
            .expect("axe-core; npm install --prefix target/npm axe-core@4 brings it");
        self.driver
            .execute(axe, Vec::new())
            .await
            .expect("axe-core runs");
        for (width, dark) in [(360, false), (360, true), (1280, false), (1280, true)] {
            self.look(width, 640, dark).await;
            let overflow = "return document.documentElement.scrollWidth - innerWidth";
            let overflow = self
                .driver
                .execute(overflow, Vec::new())
                .await
                .expect("two numbers");
            let overflow = overflow.json().as_f64().expect("a number");
            assert!(overflow <= 0.0, "{overflow} pixels too wide at {width}");
            let found = self
                .driver
                .execute_async(AXE_RUN, Vec::new())
                .await
                .expect("axe-core ends");
            let found = found.json();
            assert!(
                found.as_array().is_some_and(Vec::is_empty),
                "{width}, dark {dark}: {found:#}"
            );
        }
    }

    /// Takes a picture of the page for the README, if `SCREENSHOTS` is set: a small file in the
    /// crate that it shows.
    pub async fn picture(&self, path: &str) {
        if env::var_os("SCREENSHOTS").is_some() {
            self.look(640, 1600, false).await;
            let height = "return document.body.offsetHeight";
            let height = self
                .driver
                .execute(height, Vec::new())
                .await
                .expect("a number");
            self.look(640, height.json().as_u64().expect("a number"), false)
                .await;
            self.screenshot(path).await;
        }
    }

    /// A picture of what a person sees, as a WebP file.
    async fn screenshot(&self, path: impl AsRef<Path>) {
        let format = json!({"format": "webp", "quality": 80});
        let cdp = self.driver.cdp();
        let picture = cdp.send_raw("Page.captureScreenshot", format).await;
        let picture = picture.expect("a picture");
        let picture = BASE64_STANDARD.decode(picture["data"].as_str().expect("Base64"));
        fs::write(path, picture.expect("Base64")).expect("a file");
    }

    /// The URL of the current page.
    pub async fn url(&self) -> String {
        self.driver.current_url().await.expect("a URL").to_string()
    }

    /// Asserts that no request went to another machine, and that the console contains only the
    /// `expected` messages.
    pub async fn assert_clean(&self, expected: &[&str]) {
        for entry in self.driver.get_log("browser").await.expect("the console") {
            let known = expected.iter().any(|part| entry.message.contains(part));
            assert!(known, "on the console: {}", entry.message);
        }
        for entry in self
            .driver
            .get_log("performance")
            .await
            .expect("the requests")
        {
            let event: Value = serde_json::from_str(&entry.message).expect("JSON");
            if event["message"]["method"] == "Network.requestWillBeSent" {
                let url = event["message"]["params"]["request"]["url"]
                    .as_str()
                    .unwrap_or_default();
                let own = [
                    "http://127.0.0.1:",
                    "http://localhost:",
                    "data:",
                    "chrome:",
                    "about:",
                ];
                assert!(
                    own.iter().any(|start| url.starts_with(start)),
                    "a request to {url}"
                );
            }
        }
    }

    /// Ends the browser.
    pub async fn close(self) {
        self.driver.clone().quit().await.expect("the browser ends");
    }
}
