//! The walkthrough of `basic`, as a person does it: in a real browser, with the provider on
//! another site (`localhost`) than the app (`127.0.0.1`).

#[path = "../../common/testing/browser/planted.rs"]
mod planted;

use basic::app;
use testing::{chromium::Chromium, start};

/// What a person sees after a login.
const LOGGED_IN: &str = "access_token";

#[tokio::test]
async fn a_person_logs_in_and_sees_the_token() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/")).await;
    browser.assert_well_made().await;
    browser.press("Log in with the demo provider").await;
    browser.see("wants to know who you are").await;
    browser.assert_well_made().await;
    browser.picture("consent.webp").await;
    assert!(browser.url().await.starts_with("http://localhost:"));
    browser.press("Allow").await;
    browser.see("access_token").await;
    assert!(
        browser
            .url()
            .await
            .starts_with(&server.public_url.join("/auth?code="))
    );
    browser.open(server.public_url.join("/flow")).await;
    browser.see("4/4 we show you the token").await;
    browser.picture("flow.webp").await;

    browser.assert_clean(&[]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_user_who_reloads_or_goes_back_is_told_to_start_again() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/login")).await;
    browser.press("Allow").await;
    browser.see("access_token").await;
    browser.driver.refresh().await.unwrap();
    browser
        .see("has expired or was already used; please start again")
        .await;
    browser.assert_well_made().await;

    browser.back().await;
    browser.press("Allow").await;
    browser
        .see("has expired or was already used; please start again")
        .await;
    browser.press("Continue from the start page").await;
    browser.press("Log in with the demo provider").await;
    browser.press("Allow").await;
    browser.see("access_token").await;

    browser.assert_clean(&["status of 400"]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_person_says_no_and_is_told_how_to_go_on() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/login")).await;
    browser.press("Deny").await;
    browser.see("access_denied").await;
    browser.assert_well_made().await;
    browser.press("see where it stopped").await;
    browser.see("It stopped here").await;
    browser.assert_well_made().await;
    browser.press("Start page").await;
    browser.see("Log in with the demo provider").await;

    browser.assert_clean(&["status of 403"]).await;
    browser.close().await;
}

/// Follows what the pages say and nothing else.
#[tokio::test]
async fn a_user_who_only_clicks_reaches_the_end_of_the_walkthrough() {
    let server = start(basic::app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/")).await;
    browser.press("Log in with the demo provider").await;
    browser.press("Allow").await;
    browser.see("access_token").await;
    browser.driver.refresh().await.unwrap();
    browser.see("please start again").await;
    browser.press("Continue from the start page").await;
    browser.press("Log in with the demo provider").await;
    browser.press("Deny").await;
    browser.see("access_denied").await;
    browser.press("Continue from the start page").await;
    browser.press("See every message").await;
    browser.see("It stopped here").await;
    browser.see("4/4 we show you the token").await;
    browser.assert_well_made().await;

    browser
        .assert_clean(&["status of 400", "status of 403"])
        .await;
    browser.close().await;
}

#[tokio::test]
async fn a_user_who_types_localhost_can_log_in_too() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser
        .open(format!("http://localhost:{}/login", server.addr.port()))
        .await;
    browser.press("Allow").await;
    browser.see("access_token").await;

    browser.assert_clean(&[]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_browser_without_cookies_is_refused_with_a_reason() {
    let server = start(app, &[]).await;
    let browser = Chromium::without_cookies().await;

    browser.open(server.public_url.join("/login")).await;
    browser.press("Allow").await;
    browser
        .see("this login was not started in this browser")
        .await;

    browser.assert_clean(&["status of 400"]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_user_who_strays_to_the_provider_finds_the_way_back() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/login")).await;
    let provider = browser.url().await;
    let (origin, _) = provider.split_once("/oauth2").unwrap();
    browser.open(format!("{origin}/nothing")).await;
    browser.see("Not Found").await;
    browser.assert_well_made().await;
    browser.press("Continue from the start page").await;
    browser.see("This imitates Discord").await;
    browser.assert_well_made().await;
    browser.press("Go to the application").await;
    browser.see("Log in with the demo provider").await;

    browser.assert_clean(&["status of 404"]).await;
    browser.close().await;
}
