//! A browser, driven over the `WebDriver` protocol: headless Chromium behind `chromedriver`, both Debian's.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a condition is awaited.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The key of an element in `WebDriver`'s answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Widths at which pages are looked at: a desktop and a phone.
pub(crate) const DESKTOP: u32 = 1280;
pub(crate) const PHONE: u32 = 390;
/// What printers leave of the width of A4, at 96 pixels an inch.
const PAPER: u32 = 718;

/// A window of a browser of its own, with a profile of its own.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    _profile: TempDir,
}

/// An element of the page.
pub(crate) struct Element<'a> {
    browser: &'a Browser,
    id: String,
    selector: String,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = TempDir::new().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: apt-get install -y chromium chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, rest) = line.split_once("started successfully on port ")?;
                Some(rest.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says where it listens");
        // What it says later must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        let data = format!("--user-data-dir={}", profile.path().display());
        let mut browser =
            Self { driver, agent, session: format!("http://127.0.0.1:{port}/session"), _profile: profile };
        let made = browser.call(
            "POST",
            "",
            &json!({ "capabilities": { "alwaysMatch": {
                "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
                "goog:chromeOptions": { "perfLoggingPrefs": { "enableNetwork": true, "enablePage": false }, "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-prefers-reduced-motion", "--hide-scrollbars", "--lang=it", data,
                ] },
            } } }),
        );
        let id = made["sessionId"].as_str().unwrap().to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser.resize(DESKTOP);
        browser
    }

    /// The window, so wide.
    pub(crate) fn resize(&self, width: u32) {
        self.call("POST", "/window/rect", &json!({ "width": width, "height": 900 }));
        // A headless window is never narrower than 500 pixels, a page may be.
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false }),
        );
    }

    /// The page as it is printed, on a sheet of A4.
    pub(crate) fn print(&self) {
        self.resize(PAPER);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    }

    pub(crate) fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// Lets pages run their scripts, or not.
    pub(crate) fn scripts(&self, enabled: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": !enabled }));
    }

    /// Lets what scripts of the pages to come put off for minutes happen after milliseconds.
    pub(crate) fn hurry(&self) {
        let source = "const later = window.setTimeout;
            window.setTimeout = (work, ms, ...more) => later(work, ms < 60000 ? ms : ms / 10000, ...more);";
        self.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": source }));
    }

    pub(crate) fn url(&self) -> String {
        self.call("GET", "/url", &Value::Null).as_str().unwrap().to_owned()
    }

    /// The first element that the CSS selector finds, once there is one.
    pub(crate) fn find(&self, selector: &str) -> Element<'_> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.all(selector);
            if let Some(element) = found.into_iter().next() {
                return element;
            }
            assert!(Instant::now() < deadline, "{selector} is not on {}: {}", self.url(), self.text());
        }
    }

    /// Every element that the CSS selector finds.
    pub(crate) fn all(&self, selector: &str) -> Vec<Element<'_>> {
        let found = self.call("POST", "/elements", &json!({ "using": "css selector", "value": selector }));
        let found = found.as_array().unwrap().clone();
        found
            .into_iter()
            .map(|one| Element {
                browser: self,
                id: one[ELEMENT].as_str().unwrap().to_owned(),
                selector: selector.to_owned(),
            })
            .collect()
    }

    /// Waits until what the CSS selector finds says this; the page may change meanwhile.
    pub(crate) fn until_says(&self, selector: &str, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let says = |element: Element<'_>| {
            let said = self.attempt("GET", &format!("/element/{}/text", element.id), &Value::Null);
            said.is_ok_and(|said| said.as_str().unwrap().contains(text))
        };
        while !self.all(selector).into_iter().any(says) {
            assert!(Instant::now() < deadline, "{selector} does not say {text}: {}", self.text());
        }
    }

    /// Waits until the CSS selector finds nothing any more.
    pub(crate) fn until_gone(&self, selector: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.all(selector).is_empty() {
            assert!(Instant::now() < deadline, "{selector} is still on {}", self.url());
        }
    }

    /// What the page says.
    pub(crate) fn text(&self) -> String {
        self.find("body").text()
    }

    /// Fills the fields of these ids, and presses the button of their form; waits for the next page.
    pub(crate) fn send(&self, fields: &[(&str, &str)]) {
        for (id, value) in fields {
            let field = self.find(&format!("#{id}"));
            field.clear();
            field.write(value);
        }
        let (last, _) = fields.last().unwrap();
        self.find(&format!("form:has(#{last}) button[type=submit]")).click();
    }

    /// Runs a script, which gives a value by `return`.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs a script, which gives a value by calling its last argument.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.call("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// A picture of a part of the page, so wide and at most so high, from the element `top` to the element `bottom`.
    pub(crate) fn part(&self, [top, bottom]: [&str; 2], (width, most): (u32, u32)) -> Vec<u8> {
        let [from, to] = [top, bottom].map(|selector| {
            let rect = self.find(selector).call("GET", "/rect", &Value::Null);
            rect["y"].as_f64().unwrap().floor()
        });
        let height = (to - from).min(f64::from(most));
        let clip = json!({ "x": 0, "y": from, "width": width, "height": height, "scale": 1 });
        self.screenshot(&json!({ "captureBeyondViewport": true, "format": "png", "clip": clip }))
    }

    fn screenshot(&self, parameters: &Value) -> Vec<u8> {
        let picture = self.devtools("Page.captureScreenshot", parameters);
        base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// Keeps a picture of the whole page under `target/screenshots`.
    pub(crate) fn picture(&self, name: &str) {
        let bytes = self.screenshot(&json!({ "captureBeyondViewport": true, "format": "png" }));
        let folder = target().join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Pictures of the page on a desktop and on a phone, where nothing may stick out; and no violation of WCAG 2.1 AA
    /// that axe-core can find, nor anything that the browser complains of.
    pub(crate) fn inspect(&self, name: &str) {
        for (width, form) in [(PHONE, "telefono"), (DESKTOP, "desktop")] {
            self.resize(width);
            self.picture(&format!("{name}-{form}"));
            let wide = self.run("return document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{name} is {wide} wide on {width}");
        }
        let axe = target().join("npm/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&axe)
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/assets.sh", axe.display()));
        self.run(&axe);
        let found = self.run_async(
            "const done = arguments[arguments.length - 1];
             axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })
                .then(result => done(result.violations.map(one =>
                    one.id + ': ' + one.nodes.map(node => node.html + ' ' + node.failureSummary).join('; '))));",
        );
        assert_eq!(found, json!([]), "{name}: {found:#}");
        self.assert_quiet(name);
    }

    /// The browser complains of nothing on the page, and has asked no other host for anything since it was last asked.
    pub(crate) fn assert_quiet(&self, name: &str) {
        let log = |of: &str| self.call("POST", "/se/log", &json!({ "type": of })).as_array().unwrap().clone();
        let messages = log("browser");
        let complaints: Vec<&Value> = messages
            .iter()
            .filter(|entry| {
                // What a page answers to a mistake is a status that the browser notes.
                !entry["message"].as_str().unwrap().contains("the server responded with a status of 4")
            })
            .collect();
        assert!(complaints.is_empty(), "{name}: {complaints:?}");
        let own = url::Url::parse(&self.url()).unwrap();
        for entry in log("performance") {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let Some(asked) = event["message"]["params"]["request"]["url"].as_str() else { continue };
            let asked = url::Url::parse(asked).unwrap();
            // `chrome:` is the empty tab with which a browser begins.
            let nobodys = ["data", "chrome"].contains(&asked.scheme());
            assert!(nobodys || asked.origin() == own.origin(), "{name} asks for {asked}");
        }
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.call("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.attempt(method, path, body).unwrap_or_else(|refused| panic!("{method} {path} {body}: {refused}"))
    }

    /// What the driver answers, or why it does not.
    fn attempt(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let url = format!("{}{path}", self.session);
        let answer = match method {
            "GET" => self.agent.get(&url).call(),
            "DELETE" => self.agent.delete(&url).call(),
            _ => self.agent.post(&url).content_type("application/json").send(body.to_string()),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let text = answer.body_mut().with_config().limit(1 << 26).read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        let value = answer["value"].take();
        if value.get("error").is_some() { Err(value) } else { Ok(value) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The session is closed first: the browser ends with it.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Element<'_> {
    pub(crate) fn text(&self) -> String {
        self.call("GET", "/text", &Value::Null).as_str().unwrap().to_owned()
    }

    pub(crate) fn click(&self) {
        self.call("POST", "/click", &json!({}));
    }

    pub(crate) fn clear(&self) {
        self.call("POST", "/clear", &json!({}));
    }

    pub(crate) fn write(&self, text: &str) {
        self.call("POST", "/value", &json!({ "text": text }));
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.call("GET", &format!("/attribute/{name}"), &Value::Null).as_str().map(str::to_owned)
    }

    /// A page may give way to the next between finding an element and using it: then the next page's is meant.
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut id = self.id.clone();
        loop {
            match self.browser.attempt(method, &format!("/element/{id}{path}"), body) {
                Ok(value) => return value,
                Err(refused) if refused["error"] == "stale element reference" => {
                    id = self.browser.find(&self.selector).id;
                }
                Err(refused) => panic!("{method} {path} of {}: {refused}", self.selector),
            }
        }
    }
}

/// The folder of what is built.
fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target")
}
