//! `GET /flow`: what it shows of a grant, and what it never shows.

use common::{flow, server::Server};
use first_party::token::Tokens;
use testing::{Browser, param_of, start, url};

#[path = "support/user.rs"]
mod user;

use user::{ask, token_with};

const PASSWORD: &str = "the-pass-word";

async fn server() -> Server {
    start(first_party::app, &[]).await
}

async fn page(server: &Server) -> String {
    let page = Browser::new().visit(url(server, "/flow")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    page.body
}

/// The authorization request that Swagger UI sends.
fn request(server: &Server, state: &str) -> String {
    let redirect_uri = url(server, "/docs/oauth2-redirect.html");
    format!(
        "response_type=token&client_id=swagger&redirect_uri={redirect_uri}&scope=some.scope&state={state}"
    )
}

/// An implicit grant from the form to the redirect with the token.
async fn implicit_grant(server: &Server, state: &str) -> String {
    let mut browser = Browser::new();
    let path = format!("/login?{}", request(server, state));
    let form = browser.visit(url(server, &path)).await;
    let mut fields = form.hidden_fields();
    for (name, value) in [
        ("username", "ada"),
        ("password", PASSWORD),
        ("scope", "some.scope"),
    ] {
        fields.push((name.to_owned(), value.to_owned()));
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let answer = browser.post(url(server, "/login"), &fields).await;
    answer.location().replacen('#', "?", 1)
}

fn assert_in_order(page: &str, steps: &[&str]) {
    let found: Vec<_> = steps
        .iter()
        .map(|step| page.find(step).unwrap_or_else(|| panic!("{step}: {page}")))
        .collect();
    assert!(found.is_sorted(), "{found:?}: {page}");
}

fn assert_no_part_of(page: &str, secrets: &[impl AsRef<str>]) {
    for secret in secrets {
        for part in secret.as_ref().as_bytes().windows(8) {
            let part = std::str::from_utf8(part).expect("ASCII");
            assert!(!page.contains(part), "{part} of a secret is on the page");
        }
    }
}

#[tokio::test]
async fn the_page_shows_each_step_of_a_password_grant() {
    let server = server().await;
    assert!(page(&server).await.contains("Nothing has happened yet"));
    token_with(&server, "some.scope").await;
    let steps = [
        "A password grant",
        "1/2 a client sends us",
        "POST /token",
        "token in first_party/src/password.rs",
        "2/2 we sign a token for [some.scope]",
        "200, as JSON",
    ];
    let page = page(&server).await;
    assert_in_order(&page, &steps);
    assert!(!page.contains("An implicit grant"));
}

#[tokio::test]
async fn the_page_shows_each_step_of_an_implicit_grant_as_one_flow() {
    let server = server().await;
    implicit_grant(&server, "xyz").await;
    let steps = [
        "An implicit grant",
        "1/3 a client sends the browser",
        "GET /login",
        "2/3 the user gives us",
        "POST /login",
        "3/3 we sign a token for [some.scope]",
        "303 to the client",
    ];
    let page = page(&server).await;
    assert_in_order(&page, &steps);
    assert_eq!(page.matches("<section").count(), 1, "{page}");
}

type Field = (&'static str, &'static str);

/// What is wrong with a request, the reason on the page, and what else must be on it.
const REJECTED: [(Field, &str, &str); 4] = [
    (
        ("scope", "all"),
        "there is no such scope",
        "<dd>invalid_scope</dd>",
    ),
    (
        ("password", ""),
        "username and password are required",
        "<dd>invalid_request</dd>",
    ),
    (
        ("grant_type", "client_credentials"),
        "grant_type must be password",
        "<dd>unsupported_grant_type</dd>",
    ),
    (
        ("username", "client:ada-lovelace"),
        "user names must not begin with client:",
        "400, as JSON",
    ),
];

// check 258
#[tokio::test]
async fn a_token_request_that_is_rejected_shows_where_it_stopped_and_why() {
    for (change, why, shown) in REJECTED {
        let server = server().await;
        let mut form = vec![("username", "ada-lovelace"), ("password", PASSWORD)];
        form.retain(|(name, _)| *name != change.0);
        form.push(change);
        assert_eq!(ask(&server, &form).await.status, 400);
        let page = page(&server).await;
        let stopped = format!("It stopped here: {why}");
        let source = "token in first_party/src/password.rs";
        assert_in_order(
            &page,
            &["A password grant", &stopped, "POST /token", shown, source],
        );
        assert_no_part_of(&page, &[PASSWORD, "ada-lovelace"]);
    }
}

// check 258
#[tokio::test]
async fn an_implicit_grant_that_is_rejected_shows_where_it_stopped_and_why() {
    let state = "a-state-of-the-client";
    for (from, to, status, why, shown) in [
        (
            "some.scope",
            "all",
            303,
            "there is no such scope",
            "<dd>invalid_scope</dd>",
        ),
        (
            "=token",
            "=code",
            303,
            "the response type here is token",
            "303 to the client",
        ),
        (
            "swagger",
            "other",
            400,
            "this client_id is not registered",
            "and not to the client",
        ),
    ] {
        let server = server().await;
        let request = request(&server, state).replacen(from, to, 1);
        let path = format!("/login?{request}");
        let answer = Browser::new().visit(url(&server, &path)).await;
        assert_eq!(answer.status, status);
        assert_eq!(status == 400, answer.body.contains("href=\"/flow\""));
        let page = page(&server).await;
        let stopped = format!("It stopped here: {why}");
        assert_in_order(&page, &["An implicit grant", &stopped, "GET /login", shown]);
        assert_no_part_of(&page, &[state]);
    }
}

// check 258
#[tokio::test]
async fn a_form_that_is_rejected_is_in_the_flow_of_its_request() {
    let server = server().await;
    let mut browser = Browser::new();
    let path = format!("/login?{}", request(&server, "a-state-of-the-client"));
    let form = browser.visit(url(&server, &path)).await;
    let mut fields = form.hidden_fields();
    fields.push(("password".into(), PASSWORD.into()));
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let answer = browser.post(url(&server, "/login"), &fields).await;
    assert_eq!(answer.status, 400);
    let page = page(&server).await;
    let steps = [
        "1/3 a client",
        "It stopped here: username and password are required",
        "POST /login",
    ];
    assert_in_order(&page, &steps);
    assert_eq!(page.matches("<section").count(), 1, "{page}");
    assert_no_part_of(&page, &[PASSWORD, "a-state-of-the-client"]);
}

#[tokio::test]
async fn the_start_page_links_to_it() {
    let server = server().await;
    let start_page = Browser::new().visit(url(&server, "/")).await;
    assert!(start_page.body.contains("href=\"/flow\""));
}

// check 258
#[tokio::test]
async fn the_page_shows_no_secret_and_no_part_of_one() {
    let server = server().await;
    let form = [("username", "ada-lovelace"), ("password", PASSWORD)];
    let answer = ask(&server, &form).await.json();
    let location = implicit_grant(&server, "a-state-of-the-client").await;
    let secrets = [
        answer["access_token"].as_str().expect("a token").to_owned(),
        param_of(&location, "access_token"),
        param_of(&location, "state"),
        PASSWORD.to_owned(),
        "ada-lovelace".to_owned(),
    ];

    let page = page(&server).await;
    assert_eq!(page.matches("<section").count(), 2);
    assert!(page.contains("class=\"hash\""));
    assert_no_part_of(&page, &secrets);
}

// check 257
#[tokio::test]
async fn there_is_no_such_page_where_others_can_reach_the_server() {
    // The whole server does not start there.
    let app = |tokens: Tokens| flow::routes().with_state(tokens);
    let secret = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    let public_url = ("PUBLIC_URL", "https://app.example.com");
    let server = start(app, &[secret, public_url]).await;
    let local = format!("http://{}/flow", server.addr);
    assert_eq!(Browser::new().get(local).await.status, 404);
}

// check 257
#[tokio::test]
async fn markup_in_a_request_is_text_on_the_page() {
    let server = server().await;
    let markup = "<script>alert(1)</script>";
    let form = [
        ("username", markup),
        ("password", markup),
        ("client_id", markup),
    ];
    assert_eq!(ask(&server, &form).await.status, 200);
    implicit_grant(&server, "%3Cscript%3Ealert(1)%3C/script%3E").await;
    let page = page(&server).await;
    assert!(
        !page.contains("<script") && page.contains("&#60;script&#62;"),
        "{page}"
    );
}

// check 257
#[tokio::test]
async fn only_the_last_flows_are_kept() {
    let server = server().await;
    let mut browser = Browser::new();
    for n in 0..200 {
        let path = format!("/login?{}", request(&server, &n.to_string()));
        browser.get(url(&server, &path)).await;
    }
    token_with(&server, "some.scope").await;
    let page = page(&server).await;
    assert_eq!(page.matches("<section").count(), 20);
    assert!(page.contains("A password grant"));
}
