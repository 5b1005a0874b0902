//! The walkthroughs of `sessions` and of its examples, as a person does them: in a real browser,
//! with the provider on another site (`localhost`) than the app (`127.0.0.1`).

#![expect(clippy::duplicate_mod, reason = "both examples keep accounts")]

#[path = "browser/clicks.rs"]
mod clicks;
#[path = "../examples/permissions/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod permissions;
#[path = "../../common/testing/browser/planted.rs"]
mod planted;
#[path = "../examples/providers/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod providers;

use sessions::app;
use testing::{
    chromium::{Chromium, Key},
    start,
};

/// What a person sees after a login.
const LOGGED_IN: &str = "\"username\":\"ada\"";

#[tokio::test]
async fn a_person_logs_in_looks_around_and_logs_out() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;
    let url = |path| server.public_url.join(path);

    browser.open(url("/privileged")).await;
    browser.see("Not logged in").await;
    browser.assert_well_made().await;

    browser.open(url("/")).await;
    browser.assert_well_made().await;
    browser.press("Log in with the demo provider").await;
    browser.type_into("username", "ada").await;
    browser.press("Allow").await;
    browser.see("You are logged in as ada").await;
    assert_eq!(browser.url().await, url("/"));

    browser.open(url("/privileged")).await;
    browser
        .see("Congratulations, you are logged in using Discord!")
        .await;

    browser.open(url("/")).await;
    browser.see("You are logged in as ada").await;
    browser.assert_well_made().await;
    browser.picture("logged-in.webp").await;
    browser.press("Log out").await;
    browser.see("Nobody is logged in").await;
    assert!(browser.driver.get_all_cookies().await.unwrap().is_empty());
    browser.open(url("/privileged")).await;
    browser.see("Not logged in").await;

    browser.assert_clean(&["status of 401"]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_login_needs_no_mouse() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/")).await;
    browser.keys(Key::Tab + Key::Enter).await;
    browser.see("wants to know who you are").await;
    browser.keys(Key::Tab + "ada" + Key::Enter).await;
    browser.see("You are logged in as ada").await;

    browser.assert_clean(&[]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_person_says_no_and_is_not_logged_in() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/login")).await;
    browser.press("Deny").await;
    browser.see("access_denied").await;
    browser.press("Continue from the start page").await;
    browser.see("Nobody is logged in").await;

    browser.assert_clean(&["status of 403"]).await;
    browser.close().await;
}

#[tokio::test]
async fn the_back_button_repeats_no_login_and_undoes_no_logout() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;

    browser.open(server.public_url.join("/login")).await;
    browser.press("Allow").await;
    browser.see("\"username\":\"demo\"").await;
    browser.back().await;
    browser.press("Allow").await;
    browser.see("has expired or was already used").await;
    browser.press("Continue from the start page").await;
    browser.see("You are logged in as demo").await;

    browser.press("Log out").await;
    browser.see("Nobody is logged in").await;
    browser.back().await;
    browser.see("Nobody is logged in").await;

    browser.assert_clean(&["status of 400"]).await;
    browser.close().await;
}

#[tokio::test]
async fn two_tabs_both_finish_their_login() {
    let server = start(app, &[]).await;
    let browser = Chromium::start().await;
    let login = server.public_url.join("/login");

    browser.open(&login).await;
    let first = browser.driver.window().await.unwrap();
    let second = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(second).await.unwrap();
    browser.open(&login).await;
    browser
        .driver
        .switch_to_window(first.clone())
        .await
        .unwrap();
    browser.press("Allow").await;
    browser.see("\"username\":\"demo\"").await;
    browser.switch_to_other_window(&first).await;
    browser.type_into("username", "bob").await;
    browser.press("Allow").await;
    browser.see("\"username\":\"bob\"").await;

    browser.assert_clean(&[]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_person_chooses_between_providers() {
    let server = start(providers::app, &[]).await;
    let browser = Chromium::start().await;
    let url = |path| server.public_url.join(path);

    browser.open(url("/")).await;
    browser.assert_well_made().await;
    for (name, provider) in [("the demo provider", "demo"), ("OpenID demo", "openid")] {
        browser.open(url("/login")).await;
        browser.press(&format!("Log in with {name}")).await;
        browser.type_into("username", "ada").await;
        browser.press("Allow").await;
        browser.see(&format!("\"provider\":\"{provider}\"")).await;
    }
    browser.open(url("/")).await;
    browser.see("You are logged in as ada").await;
    browser.assert_well_made().await;
    browser.press("Log out").await;
    browser.see("Each provider has its own users").await;
    browser.open(url("/login/none")).await;
    browser.see("this provider is not set up here").await;
    browser.assert_well_made().await;

    browser.assert_clean(&["status of 404"]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_person_sees_what_is_permitted() {
    let server = start(permissions::app, &[]).await;
    let browser = Chromium::start().await;
    let url = |path| server.public_url.join(path);

    browser.open(url("/")).await;
    browser.see("Nobody is logged in").await;
    browser.assert_well_made().await;
    browser.press("Log in with the demo provider").await;
    browser.press("Allow").await;
    browser.open(url("/")).await;
    browser.see("You have Admin").await;
    browser.assert_well_made().await;
    browser.press("/privileged").await;
    browser.see("Insufficient permissions").await;
    browser.back().await;
    browser.press("/admin").await;
    browser.see("You are an admin!").await;

    browser.assert_clean(&["status of 403"]).await;
    browser.close().await;
}
