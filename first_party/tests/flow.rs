//! `GET /flow`: what it shows of a grant, and what it never shows.

use common::server::Server;
use first_party::{password::AcceptsEveryone, token::Tokens};
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

/// An implicit grant from the form to the address with the token in it.
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

#[tokio::test]
async fn the_page_shows_each_step_of_a_password_grant() {
    let server = server().await;
    assert!(page(&server).await.contains("Nothing has happened yet"));
    token_with(&server, "some.scope").await;
    let steps = [
        "A password grant",
        "1/2 a client gives us",
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
    for secret in secrets {
        for part in secret.as_bytes().windows(8) {
            let part = std::str::from_utf8(part).expect("ASCII");
            assert!(!page.contains(part), "{part} of a secret is on the page");
        }
    }
}

// check 257
#[tokio::test]
async fn there_is_no_such_page_where_others_can_reach_the_server() {
    let app = |tokens: Tokens| first_party::app(AcceptsEveryone(tokens));
    let secret = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    let public_url = ("PUBLIC_URL", "https://app.example.com");
    let server = start(app, &[secret, public_url]).await;
    let local = |path: &str| format!("http://{}{path}", server.addr);
    let form = [("username", "ada"), ("password", PASSWORD)];
    let answer = Browser::new().post(local("/token"), &form).await;
    assert_eq!(answer.status, 200);
    assert_eq!(Browser::new().get(local("/flow")).await.status, 404);
    let start_page = Browser::new().visit(local("/")).await;
    assert_eq!(start_page.status, 200);
    assert!(!start_page.body.contains("/flow"), "{}", start_page.body);
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
