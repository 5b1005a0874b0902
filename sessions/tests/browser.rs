//! The walkthrough of `sessions`, as a person does it: in a real browser, with the provider on
//! another site (`localhost`) than the app (`127.0.0.1`).

use common::testing::{chromium::Chromium, start};

#[tokio::test]
async fn a_person_logs_in_looks_around_and_logs_out() {
    let server = start(sessions::app, &[]).await;
    let browser = Chromium::start().await;
    let url = |path| server.public_url.join(path);

    browser.open(url("/privileged")).await;
    browser.see("Not logged in").await;

    browser.open(url("/")).await;
    browser.assert_well_made().await;
    browser.press("Log in with Discord").await;
    browser.type_into("username", "ada").await;
    browser.press("Allow").await;
    browser.see("\"username\":\"ada\"").await;
    assert_eq!(browser.url().await, url("/users/me"));

    browser.open(url("/privileged")).await;
    browser.see("Congratulations, you are logged in using Discord!").await;

    browser.open(url("/")).await;
    browser.see("You are logged in as ada").await;
    browser.assert_well_made().await;
    browser.picture("logged-in.png").await;
    browser.press("Log out").await;
    browser.see("Nobody is logged in").await;
    assert!(browser.driver.get_all_cookies().await.unwrap().is_empty());
    browser.open(url("/privileged")).await;
    browser.see("Not logged in").await;

    browser.assert_clean(&["status of 401"]).await;
    browser.close().await;
}

#[tokio::test]
async fn two_tabs_both_finish_their_login() {
    let server = start(sessions::app, &[]).await;
    let browser = Chromium::start().await;
    let login = server.public_url.join("/login");

    browser.open(&login).await;
    let first = browser.driver.window().await.unwrap();
    let second = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(second).await.unwrap();
    browser.open(&login).await;
    browser.driver.switch_to_window(first.clone()).await.unwrap();
    browser.press("Allow").await;
    browser.see("\"username\":\"demo\"").await;
    browser.switch_to_other_window(&first).await;
    browser.type_into("username", "bob").await;
    browser.press("Allow").await;
    browser.see("\"username\":\"bob\"").await;

    browser.assert_clean(&[]).await;
    browser.close().await;
}
