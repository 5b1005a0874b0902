//! In a real browser.

use axum::{Router, extract::RawQuery, routing::get};
use testing::chromium::{By, Chromium};
use tokio::net::TcpListener;

use super::client::{another, server, server_of};

/// Logs in and allows what is asked, in the window of the flow.
async fn log_in(browser: &Chromium) {
    browser.see("sent you here to log in").await;
    browser.assert_well_made().await;
    browser.type_into("username", "johndoe").await;
    browser.type_into("password", "secret123").await;
    browser.press("Log in").await;
    browser.see("asks for this").await;
    browser.assert_well_made().await;
    browser.press("Allow").await;
}

// check 227
#[tokio::test]
async fn swagger_ui_signs_in_by_the_code_flow_with_pkce_and_nothing_else() {
    let server = server().await;
    let browser = Chromium::start().await;
    let docs = browser.driver.window().await.unwrap();
    browser.open(server.url("/docs")).await;
    browser.click(By::Css(".auth-wrapper .btn.authorize")).await;
    browser.see("authorizationCode with PKCE").await;
    let dialog = browser.text().await;
    for other in ["implicit", "password)", "clientCredentials"] {
        assert!(!dialog.contains(other), "{dialog}");
    }
    let button = "//div[@class='auth-container']//button[contains(@class, 'authorize')]";
    browser.click(By::XPath(button.to_owned())).await;
    browser.switch_to_other_window(&docs).await;
    log_in(&browser).await;
    browser.driver.switch_to_window(docs).await.unwrap();
    browser.see("Available authorizations").await;
    browser.click(By::Css(".btn-done")).await;
    let operation = "#operations-endpoints-endpoint1";
    for part in [".opblock-summary-control", ".try-out__btn", ".execute"] {
        browser.click(By::Css(format!("{operation} {part}"))).await;
    }
    let response = format!("{operation} .live-responses-table .response");
    let answer = browser.read(By::Css(response)).await;
    assert!(answer.contains("Hello from endpoint 1"), "{answer}");
    browser.assert_clean(&[]).await;
    browser.close().await;
}

// check 190
#[tokio::test]
async fn the_forms_of_the_pages_work_under_their_policies() {
    let server = server().await;
    let browser = Chromium::start().await;
    browser.open(server.url("/")).await;
    browser.assert_well_made().await;
    browser.press("/consents").await;
    browser.type_into("username", "johndoe").await;
    browser.type_into("password", "wrong").await;
    browser.press("Log in").await;
    browser.see("Incorrect user name or password").await;
    browser.assert_well_made().await;
    browser.type_into("username", "johndoe").await;
    browser.type_into("password", "secret123").await;
    browser.press("Log in").await;
    browser.see("No application has access").await;
    browser.assert_well_made().await;
    browser.press("Log out").await;
    browser.see("You are logged in as").await;
    browser.click(By::Css("form button")).await;
    browser.see("Your session here has ended").await;
    browser.assert_well_made().await;
    browser.assert_clean(&["status of 400"]).await;
    browser.close().await;
}

// check 180
#[tokio::test]
async fn a_client_that_listens_on_the_ipv6_loopback_address_gets_its_code() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let callback = format!("http://{}/cb", listener.local_addr().unwrap());
    let routes = Router::new().route(
        "/cb",
        get(async |query: RawQuery| query.0.unwrap_or_default()),
    );
    tokio::spawn(async { axum::serve(listener, routes).await });
    let server = server_of(&[], vec![another("phone", None)], "phone").await;
    let mut login = server.login("openid");
    login.params.retain(|(name, _)| *name != "redirect_uri");
    login.params.push(("redirect_uri", callback));
    let browser = Chromium::start().await;
    browser.open(server.authorize_url(&login.params)).await;
    log_in(&browser).await;
    browser.see("code=").await;
    browser.close().await;
}
