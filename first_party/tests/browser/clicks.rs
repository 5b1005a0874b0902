//! Follows what the pages say and nothing else: no README, no terminal.

use serde_json::Value;
use testing::{
    chromium::{By, Chromium},
    start,
};

use crate::execute;

/// Opens Swagger UI's dialog.
async fn open_dialog(browser: &Chromium) {
    browser.click(By::Css(".auth-wrapper .btn.authorize")).await;
    browser.see("Available authorizations").await;
}

/// Presses a button in one section of the dialog.
async fn press_under(browser: &Chromium, section: &str, button: &str) {
    let section = format!("//div[@class='auth-container'][.//h4[contains(., '{section}')]]");
    let button = format!("{section}//button[normalize-space()='{button}']");
    browser.click(By::XPath(button)).await;
}

async fn close_dialog(browser: &Chromium) {
    browser.click(By::Css(".btn-done")).await;
}

async fn paste(browser: &Chromium, token: &str) {
    open_dialog(browser).await;
    browser
        .write(By::Css("input[aria-label='auth-bearer-value']"), token)
        .await;
    press_under(browser, "token", "Authorize").await;
    close_dialog(browser).await;
}

async fn log_out(browser: &Chromium, section: &str) {
    open_dialog(browser).await;
    press_under(browser, section, "Logout").await;
}

/// Executes an endpoint that was executed before.
async fn execute_again(browser: &Chromium, endpoint: &str) -> String {
    let part = |class: &str| format!("#operations-endpoints-{endpoint} .{class}");
    browser.click(By::Css(part("btn-clear"))).await;
    browser.click(By::Css(part("execute"))).await;
    let answer = part("live-responses-table .response");
    browser.read(By::Css(answer)).await
}

async fn assert_answers(browser: &Chromium, expected: [(&str, &str, &str); 2]) {
    for (endpoint, status, body) in expected {
        let answer = execute_again(browser, endpoint).await;
        assert!(answer.contains(status) && answer.contains(body), "{answer}");
    }
}

const GRANTED: [(&str, &str, &str); 2] = [
    ("endpoint1", "200", "Hello from endpoint 1"),
    ("endpoint2", "403", "Insufficient permissions"),
];
const REJECTED: [(&str, &str, &str); 2] = [
    ("endpoint1", "401", "Could not validate credentials"),
    ("endpoint2", "401", "Could not validate credentials"),
];

async fn token_of_the_form(browser: &Chromium) -> String {
    browser.press("/login").await;
    browser.see("start page").await;
    browser.type_into("username", "ada").await;
    browser.type_into("password", "anything").await;
    browser.press("Submit").await;
    browser.see("access_token").await;
    let json: Value = serde_json::from_str(&browser.read(By::Tag("pre")).await).unwrap();
    assert_eq!(json["scope"], "some.scope");
    json["access_token"].as_str().unwrap().to_owned()
}

// checks 140, 141
#[tokio::test]
async fn a_user_who_only_clicks_reaches_the_end_of_the_walkthrough() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/")).await;
    for endpoint in ["/endpoint1", "/endpoint2"] {
        browser.press(endpoint).await;
        browser.see("Not authenticated").await;
        browser.press("Continue from the start page").await;
    }
    browser.press("/endpoint3").await;
    browser.see("Hello from the unprotected endpoint 3").await;
    browser.back().await;
    let token = token_of_the_form(&browser).await;
    browser.back().await;
    browser.press("start page").await;

    browser.press("/docs").await;
    paste(&browser, &token).await;
    for (endpoint, status, body) in GRANTED {
        let answer = execute(&browser, endpoint).await;
        assert!(answer.contains(status) && answer.contains(body), "{answer}");
    }
    log_out(&browser, "token").await;
    close_dialog(&browser).await;
    paste(&browser, &format!("{token}x")).await;
    assert_answers(&browser, REJECTED).await;
    log_out(&browser, "token").await;

    browser.write(By::Css("#oauth_username"), "ada").await;
    browser.write(By::Css("#oauth_password"), "anything").await;
    press_under(&browser, "password", "Authorize").await;
    close_dialog(&browser).await;
    assert_answers(&browser, GRANTED).await;
    log_out(&browser, "password").await;

    let docs = browser.driver.window().await.unwrap();
    press_under(&browser, "implicit", "Authorize").await;
    browser.switch_to_other_window(&docs).await;
    browser.see("an application sent you here").await;
    browser.type_into("username", "ada").await;
    browser.type_into("password", "anything").await;
    browser.press("Submit").await;
    browser.driver.switch_to_window(docs).await.unwrap();
    close_dialog(&browser).await;
    assert_answers(&browser, GRANTED).await;

    browser.open(server.public_url.join("/")).await;
    browser.press("/flow").await;
    browser.see("3/3 we sign a token for [some.scope]").await;
    browser.see("2/2 we sign a token for [some.scope]").await;
    browser.assert_well_made().await;

    let rejections = ["status of 401", "status of 403"];
    browser.assert_clean(&rejections).await;
    browser.close().await;
}
