//! Follows what the pages say and nothing else: no README, no terminal.

use sessions::app;
use testing::{chromium::Chromium, start};

/// Opens a page by its link, and comes back to the start page as that page says.
async fn look_at(browser: &Chromium, link: &str, expected: &str) {
    browser.press(link).await;
    browser.see(expected).await;
    browser.back().await;
}

/// Both pages reject a browser without a session, and lead back to the start page.
async fn assert_closed(browser: &Chromium) {
    browser.see("Nobody is logged in").await;
    for link in ["/users/me", "/privileged"] {
        browser.press(link).await;
        browser.see("Not logged in").await;
        browser.press("Continue from the start page").await;
    }
}

async fn deny(browser: &Chromium) {
    browser.press("Log in with the demo provider").await;
    browser.press("Deny").await;
    browser.see("you denied access (access_denied)").await;
    browser.press("see where it stopped").await;
    browser.see("It stopped here: you denied access").await;
    browser.press("Start page").await;
}

#[tokio::test]
async fn a_user_who_only_clicks_reaches_the_end_of_the_walkthrough() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/")).await;
    assert_closed(&browser).await;
    deny(&browser).await;
    assert_closed(&browser).await;
    browser.press("Log in with the demo provider").await;
    browser.press("Allow").await;
    browser.see("You are logged in as demo").await;
    look_at(&browser, "/users/me", "\"username\":\"demo\"").await;
    look_at(&browser, "/privileged", "Congratulations").await;
    browser.press("Log out").await;
    assert_closed(&browser).await;

    browser.press("/flow").await;
    browser
        .see("4/4 we use the token to ask the demo provider")
        .await;
    browser.see("A revocation").await;
    browser.assert_well_made().await;

    let rejections = ["status of 401", "status of 403"];
    browser.assert_clean(&rejections).await;
    browser.close().await;
}
