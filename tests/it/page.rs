//! The page at `/` in a headless Chromium, driven through chromedriver as a person would: a file, a key, a look.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::api::{Server, specimen};
use crate::stage::{PATIENCE, free_port};

/// A browser of the test's own; closed when dropped.
struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Browser {
    async fn start(width: u32, height: u32) -> Self {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (Debian: chromium-driver)");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &format!("--window-size={width},{height}")];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}
        }}});
        let root = format!("http://127.0.0.1:{port}/session");
        let started = Instant::now();
        let created: Value = loop {
            match http.post(&root).json(&capabilities).send().await {
                Ok(response) => break response.json().await.unwrap(),
                Err(_) if started.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("chromedriver does not answer: {error}"),
            }
        };
        let id = created["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {created}"));
        Self { driver, http, session: format!("{root}/{id}") }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let mut answer: Value = self.http.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].take()
    }

    async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.post("element", json!({"using": "css selector", "value": selector})).await;
        let id = found.as_object().and_then(|object| object.values().next()).and_then(Value::as_str).expect("an element");
        format!("element/{id}")
    }

    async fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("{element}/value"), json!({"text": text})).await;
    }

    /// Waits until a script's value is true.
    async fn until(&self, script: &str) {
        let started = Instant::now();
        while self.run(&format!("return !!({script})")).await != true {
            let status = self.run("return document.getElementById('status').textContent").await;
            assert!(started.elapsed() < PATIENCE, "{script} does not come true; the page says {status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What went wrong on the page, policy violations included.
    async fn errors(&self) -> Vec<String> {
        let log = self.post("se/log", json!({"type": "browser"})).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().filter(|entry| entry["level"] == "SEVERE").map(|entry| entry["message"].to_string()).collect()
    }

    /// Keeps a screenshot where the environment asks for one.
    async fn screenshot(&self, name: &str) {
        if let Ok(folder) = std::env::var("IDMILL_TEST_SCREENSHOTS") {
            let answer: Value = self.http.get(format!("{}/screenshot", self.session)).send().await.unwrap().json().await.unwrap();
            let png = BASE64_STANDARD.decode(answer["value"].as_str().unwrap()).unwrap();
            std::fs::write(std::path::Path::new(&folder).join(name), png).unwrap();
        }
    }

    async fn close(self) {
        let _ = self.http.delete(&self.session).send().await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

async fn read_on_the_page(width: u32, height: u32, screenshot: &str) {
    let server = Server::start(&[("api.open", "true")]);
    let browser = Browser::start(width, height).await;
    browser.post("url", json!({"url": server.url("/")})).await;
    assert_eq!(browser.run("return document.getElementById('read').disabled").await, true);
    browser.until("document.getElementById('token-box').hidden").await;
    browser.type_into("#front", specimen("passport-1").join("front.jpg").to_str().unwrap()).await;
    // By keyboard: Enter on the button.
    browser.type_into("#read", "\u{E007}").await;
    browser.until("!document.getElementById('result').hidden && document.querySelector('#pictures figure')").await;

    assert_eq!(browser.run("return document.querySelectorAll('#answer tr').length").await, 7);
    let text = browser.run("return document.getElementById('answer').innerText").await;
    assert!(text.as_str().unwrap().contains("passport"), "{text}");
    assert!(browser.run("return document.querySelectorAll('#pictures polygon').length").await.as_u64().unwrap() > 0);
    let inside = "const svg = document.querySelector('#pictures svg').viewBox.baseVal;
        return [...document.querySelectorAll('#pictures polygon')].every((polygon) => [...polygon.points].every(
            (point) => point.x >= -svg.width / 20 && point.y >= -svg.height / 20 && point.x <= svg.width * 1.05 && point.y <= svg.height * 1.05))";
    assert_eq!(browser.run(inside).await, true, "boxes lie on the image");
    assert_eq!(
        browser.run("document.querySelector('#answer button').focus(); return document.querySelectorAll('.lit').length > 0").await,
        true
    );
    assert_eq!(browser.run("return document.documentElement.scrollWidth <= innerWidth").await, true, "nothing sticks out sideways");
    let unnamed = "return [...document.querySelectorAll('input, button, img, section, table')].filter((element) =>
        !(element.getAttribute('aria-label') || element.getAttribute('aria-labelledby') || element.alt || element.labels?.length
          || element.textContent.trim())).map((element) => element.outerHTML)";
    assert_eq!(browser.run(unnamed).await, json!([]), "everything has a name for who cannot see it");
    for (tab_idx, language) in ["curl", "axios", "requests"].into_iter().enumerate() {
        browser.run(&format!("document.querySelectorAll('#tabs button')[{tab_idx}].click()")).await;
        let code = browser.run("return document.getElementById('code').textContent").await;
        assert!(code.as_str().unwrap().contains(language) && code.as_str().unwrap().contains(&server.url("/ai/v1/ocr")), "{code}");
    }
    browser.run("document.getElementById('result').scrollIntoView(); return 0").await;
    browser.screenshot(screenshot).await;
    assert_eq!(browser.errors().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test]
async fn a_person_reads_a_document_at_a_desk() {
    read_on_the_page(1280, 1000, "desk.png").await;
}

#[tokio::test]
async fn a_person_reads_a_document_on_a_phone() {
    read_on_the_page(500, 900, "phone.png").await;
}

#[tokio::test]
async fn the_page_asks_for_a_token_where_one_is_needed_and_can_be_left_out() {
    let server = Server::start(&[]);
    let browser = Browser::start(1280, 1000).await;
    browser.post("url", json!({"url": server.url("/")})).await;
    browser.until("!document.getElementById('token-box').hidden").await;
    browser.type_into("#front", specimen("passport-1").join("front.jpg").to_str().unwrap()).await;
    browser.type_into("#read", "\u{E007}").await;
    browser.until("document.getElementById('status').textContent.startsWith('TOKEN_MISSING')").await;
    browser.screenshot("token.png").await;
    browser.close().await;

    let without = Server::start(&[("api.page", "false")]);
    assert_eq!(reqwest::get(without.url("/")).await.unwrap().status().as_u16(), 404);
}
