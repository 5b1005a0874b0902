//! The walkthrough of `first_party`, as a person does it: in a real browser, with Swagger UI.

#[path = "browser/clicks.rs"]
mod clicks;

use testing::{
    chromium::{By, Chromium},
    start,
};

/// What each scope grants access to: `/endpoint1` and `/endpoint2`.
const SCOPES: [(&str, bool, bool); 3] = [
    ("some.scope", true, false),
    ("other.scope", false, true),
    ("third.scope", true, true),
];

/// Opens Swagger UI, checks this scope alone for one of the flows and presses Authorize.
async fn authorize(browser: &Chromium, docs: &str, flow: &str, wanted: &str) {
    browser.open(docs).await;
    browser.click(By::Css(".auth-wrapper .btn.authorize")).await;
    if flow == "password" {
        browser.write(By::Css("#oauth_username"), "johndoe").await;
        browser.write(By::Css("#oauth_password"), "secret123").await;
    }
    for (scope, ..) in SCOPES {
        let checkbox = format!("{scope}-{flow}-checkbox-oauth2");
        let is_checked = format!("return document.getElementById('{checkbox}').checked");
        let checked = browser.driver.execute(is_checked, vec![]).await.unwrap();
        if *checked.json() != (scope == wanted) {
            browser
                .click(By::Css(format!("label[for='{checkbox}']")))
                .await;
        }
    }
    let section = format!("//div[@class='auth-container'][contains(., '{flow}')]");
    browser
        .click(By::XPath(format!(
            "{section}//button[contains(@class, 'authorize')]"
        )))
        .await;
}

/// Presses "Try it out" and "Execute", and reads what Swagger UI shows.
async fn execute(browser: &Chromium, endpoint: &str) -> String {
    let operation = format!("#operations-endpoints-{endpoint}");
    browser
        .click(By::Css(format!("{operation} .opblock-summary-control")))
        .await;
    browser
        .click(By::Css(format!("{operation} .try-out__btn")))
        .await;
    browser
        .click(By::Css(format!("{operation} .execute")))
        .await;
    browser
        .read(By::Css(format!(
            "{operation} .live-responses-table .response"
        )))
        .await
}

/// Closes the dialog once it shows that there is a token, and tries all endpoints.
async fn assert_opens(browser: &Chromium, first: bool, second: bool) {
    browser.see("Available authorizations").await;
    browser.click(By::Css(".btn-done")).await;
    for (number, opens) in [(1, first), (2, second)] {
        let answer = execute(browser, &format!("endpoint{number}")).await;
        let expected = if opens {
            ["200", &*format!("Hello from endpoint {number}")]
        } else {
            ["403", "Insufficient permissions"]
        };
        assert!(
            expected.iter().all(|part| answer.contains(part)),
            "{expected:?}: {answer}"
        );
    }
    let answer = execute(browser, "endpoint3").await;
    assert!(
        answer.contains("200") && answer.contains("unprotected endpoint 3"),
        "{answer}"
    );
    browser.assert_clean(&["status of 403"]).await;
}

// checks 140, 141
#[tokio::test]
async fn swagger_ui_gets_a_token_for_a_password() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;

    for (scope, first, second) in SCOPES {
        // A user who types `localhost` is sent to the address where Swagger UI may call the API.
        let localhost = format!("http://localhost:{}/docs", server.addr.port());
        authorize(&browser, &localhost, "password", scope).await;
        assert_eq!(browser.url().await, server.public_url.join("/docs/"));
        assert_opens(&browser, first, second).await;
    }

    browser.close().await;
}

#[tokio::test]
async fn swagger_ui_gets_a_token_by_a_redirect() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;
    let docs = browser.driver.window().await.unwrap();

    for (scope, first, second) in SCOPES {
        authorize(
            &browser,
            &server.public_url.join("/docs"),
            "implicit",
            scope,
        )
        .await;
        browser.switch_to_other_window(&docs).await;
        browser.see("an application sent you here").await;
        browser.assert_well_made().await;
        browser.type_into("username", "johndoe").await;
        browser.type_into("password", "secret123").await;
        browser.press("Submit").await;
        browser.driver.switch_to_window(docs.clone()).await.unwrap();
        assert_opens(&browser, first, second).await;
    }

    browser.close().await;
}

#[tokio::test]
async fn swagger_ui_forgets_the_token_on_logout() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;

    authorize(
        &browser,
        &server.public_url.join("/docs/"),
        "password",
        "some.scope",
    )
    .await;
    browser.press("Logout").await;
    browser.click(By::Css(".btn-done")).await;
    let answer = execute(&browser, "endpoint1").await;
    assert!(
        answer.contains("401") && answer.contains("Not authenticated"),
        "{answer}"
    );

    browser.assert_clean(&["status of 401"]).await;
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
    browser.picture("login.webp").await;
    browser.type_into("username", "johndoe").await;
    browser.type_into("password", "secret123").await;
    browser.press("Submit").await;
    browser.see("\"scope\":\"some.scope\"").await;

    // After the back button, the form is there again and returns another token.
    browser.back().await;
    browser.type_into("username", "alice").await;
    browser.type_into("password", "password456").await;
    browser.click(By::Css("input[value='third.scope']")).await;
    browser.press("Submit").await;
    browser.see("\"scope\":\"some.scope third.scope\"").await;

    browser.assert_clean(&[]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_link_without_a_token_is_answered_with_a_page() {
    let server = start(first_party::app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/")).await;
    browser.press("/endpoint1").await;
    browser.see("Not authenticated").await;
    browser.assert_well_made().await;
    browser.press("Continue from the start page").await;
    browser.press("/endpoint3").await;
    browser.see("Hello from the unprotected endpoint 3").await;

    browser.assert_clean(&["status of 401"]).await;
    browser.close().await;
}
