//! The app without the runner.

use std::convert::Infallible;

use axum::{Router, routing::get};
use common::{
    server::protect,
    settings::{FromSettings, PublicUrl, Setting, Settings},
};
use reqwest::Method;
use testing::{
    Browser,
    plain::{Sent, assert_whole, serve_plain},
    start,
};

// check 175
#[tokio::test]
async fn the_app_keeps_its_promises_under_plain_axum_serve() {
    let requests = vec![
        Sent::get("/login"),
        Sent::get("/login").with(&[("host", "localhost")]),
        Sent::new(Method::HEAD, "/login"),
        Sent::new(Method::POST, "/login"),
        Sent::get("/auth"),
        Sent::get("/auth?state=a&state=a").with(&[("accept", "text/html")]),
        Sent::get("/auth?code=%zz"),
        Sent::new(Method::POST, "/auth").form("x=".repeat(64 * 1024)),
    ];
    assert_whole(basic::app, &[], requests).await;
}

/// An app that needs no settings, with a handler that never ends and one that panics.
struct Nothing;

impl FromSettings for Nothing {
    const SETTINGS: &'static [&'static [Setting]] = &[];

    async fn from_settings(_: &mut Settings) -> Option<Self> {
        Some(Self)
    }
}

fn broken(_: Nothing) -> Router {
    let here: PublicUrl = "http://localhost".parse().expect("an origin");
    let never = async || std::future::pending::<()>().await;
    let panics = async || -> Result<(), Infallible> { panic!("with the words of the insides") };
    let routes = Router::new()
        .route("/never", get(never))
        .route("/panics", get(panics));
    protect(routes, &here).route("/added-later", get(async || "open"))
}

// check 175
#[tokio::test]
async fn a_handler_that_never_ends_or_panics_gets_an_error_under_plain_axum_serve_too() {
    let (addr, _tasks) = serve_plain(broken, &[]).await;
    let (mut slow, mut broken) = (Browser::new(), Browser::new());
    let (never, panicked) = tokio::join!(
        slow.get(format!("http://{addr}/never")),
        broken.get(format!("http://{addr}/panics"))
    );
    assert_eq!((never.status, panicked.status), (504, 500));
    let detail = &never.json()["detail"];
    assert_eq!(detail, "this took too long; please try again");
    let detail = &panicked.json()["detail"];
    assert_eq!(detail, "unexpected error; see the log for details");
}

#[tokio::test]
async fn a_route_that_is_added_after_protect_is_not_covered() {
    let (addr, _tasks) = serve_plain(broken, &[]).await;
    let url = |path| format!("http://{addr}{path}");
    let mut browser = Browser::new();
    let covered = browser.get(url("/style.css")).await;
    assert_eq!(covered.header("x-frame-options"), "DENY");
    let later = browser.get(url("/added-later")).await;
    assert_eq!(
        (&*later.body, later.header("x-frame-options")),
        ("open", "")
    );
}

// check 149
#[tokio::test]
async fn a_page_shares_its_window_with_another_site_only_in_an_authorization_flow() {
    let server = start(basic::app, &[]).await;
    let mut browser = Browser::new();
    let index = browser.visit(server.public_url.join("/")).await;
    assert_eq!(index.header(OPENER), "same-origin");
    assert_eq!(index.header(RESOURCE), "same-origin");

    // A login may run in a window that another page has opened and waits for.
    let login = browser.get(server.public_url.join("/login")).await;
    assert_eq!(login.header(OPENER), "");
    let consent = browser.visit(login.location()).await;
    assert_eq!(consent.header(OPENER), "unsafe-none");
    assert_eq!(consent.header(RESOURCE), "same-origin");
}

const OPENER: &str = "cross-origin-opener-policy";
const RESOURCE: &str = "cross-origin-resource-policy";
