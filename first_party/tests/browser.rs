//! The walkthrough of `first_party`, as a person does it: in a real browser, with Swagger UI.

use common::testing::{
    chromium::{By, Chromium},
    start,
};

/// Opens Swagger UI, checks `some.scope` alone for one of the flows and presses Authorize.
async fn authorize(browser: &Chromium, docs: &str, flow: &str) {
    browser.open(docs).await;
    browser.click(By::Css(".auth-wrapper .btn.authorize")).await;
    if flow == "password" {
        browser.write(By::Css("#oauth_username"), "johndoe").await;
        browser.write(By::Css("#oauth_password"), "secret123").await;
    }
    let scope = format!("label[for='some.scope-{flow}-checkbox-oauth2']");
    let is_checked =
        format!("return document.getElementById('some.scope-{flow}-checkbox-oauth2').checked");
    let checked = browser.driver.execute(is_checked, vec![]).await.unwrap();
    if *checked.json() == false {
        browser.click(By::Css(scope)).await;
    }
    let section = format!("//div[@class='auth-container'][contains(., '{flow}')]");
    browser.click(By::XPath(format!("{section}//button[contains(@class, 'authorize')]"))).await;
}

/// Presses "Try it out" and "Execute", and reads what Swagger UI shows.
async fn execute(browser: &Chromium, endpoint: &str) -> String {
    let operation = format!("#operations-endpoints-{endpoint}");
    browser.click(By::Css(format!("{operation} .opblock-summary-control"))).await;
    browser.click(By::Css(format!("{operation} .try-out__btn"))).await;
    browser.click(By::Css(format!("{operation} .execute"))).await;
    browser.read(By::Css(format!("{operation} .live-responses-table .response"))).await
}

async fn what_some_scope_opens(browser: &Chromium) {
    browser.see("Available authorizations").await;
    browser.click(By::Css(".btn-done")).await;
    let answer = execute(browser, "endpoint1").await;
    assert!(answer.contains("200") && answer.contains("Hello from endpoint 1"), "{answer}");
    let answer = execute(browser, "endpoint2").await;
    assert!(answer.contains("403") && answer.contains("Insufficient permissions"), "{answer}");
    let answer = execute(browser, "endpoint3").await;
    assert!(answer.contains("200") && answer.contains("unprotected endpoint 3"), "{answer}");
    browser.assert_clean(&["status of 403"]).await;
}

// checks 140, 141
#[tokio::test]
async fn swagger_ui_gets_a_token_for_a_password() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;

    // Who types `localhost` is sent to where Swagger UI may call the API.
    let localhost = format!("http://localhost:{}/docs", server.addr.port());
    authorize(&browser, &localhost, "password").await;
    assert_eq!(browser.url().await, server.public_url.join("/docs/"));
    what_some_scope_opens(&browser).await;

    browser.close().await;
}

#[tokio::test]
async fn swagger_ui_gets_a_token_by_a_redirect() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;

    authorize(&browser, &server.public_url.join("/docs"), "implicit").await;
    let docs = browser.driver.window().await.unwrap();
    browser.switch_to_other_window(&docs).await;
    browser.type_into("username", "johndoe").await;
    browser.type_into("password", "secret123").await;
    browser.press("Submit").await;
    browser.driver.switch_to_window(docs).await.unwrap();
    what_some_scope_opens(&browser).await;

    browser.close().await;
}

#[tokio::test]
async fn a_person_gets_a_token_with_the_form() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/")).await;
    browser.assert_well_made().await;
    browser.press("/login").await;
    browser.see("User name").await;
    browser.assert_well_made().await;
    browser.picture("login.png").await;
    browser.type_into("username", "johndoe").await;
    browser.type_into("password", "secret123").await;
    browser.press("Submit").await;
    browser.see("\"scope\":\"some.scope\"").await;

    browser.assert_clean(&[]).await;
    browser.close().await;
}
