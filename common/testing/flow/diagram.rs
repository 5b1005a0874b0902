//! `GET /flow`: what it shows of a login, and what it never shows.

use testing::{Browser, param_of, start, url};

use crate::{SUCCESS, app};

async fn page(server: &common::server::Server) -> String {
    let page = Browser::new().visit(url(server, "/flow")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    page.body
}

#[tokio::test]
async fn the_page_shows_each_step_of_a_login() {
    let server = start(app, &[]).await;
    assert!(page(&server).await.contains("Nothing has happened yet"));

    let mut browser = Browser::new();
    browser.log_in(&server, "ada").await;
    let page = page(&server).await;
    let steps = [
        "1/4 we send the browser",
        "GET /oauth2/authorize",
        "2/4 the browser brings a code",
        "GET /auth",
        "3/4 we give",
        "POST /api/oauth2/token",
        "OAuth::exchange in common/src/oauth.rs",
        "4/4 we ",
    ];
    let found = steps.map(|step| page.find(step).unwrap_or_else(|| panic!("{step}: {page}")));
    assert!(found.is_sorted(), "{found:?}");
    assert!(!page.contains("It stopped here"));
}

// check 258
#[tokio::test]
async fn the_page_shows_no_secret_and_no_part_of_one() {
    let server = start(app, &[]).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = browser.allow(&login, "ada").await;
    let pending: Vec<_> = browser.cookies.values().cloned().collect();
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, SUCCESS);
    let mut secrets = vec![
        param_of(login.location(), "state"),
        param_of(login.location(), "code_challenge"),
        param_of(&callback, "code"),
    ];
    if SUCCESS == 200 {
        for name in ["access_token", "refresh_token"] {
            secrets.push(answer.json()[name].as_str().expect("a token").to_owned());
        }
    }
    secrets.extend(pending);
    secrets.extend(browser.cookies.values().cloned());

    let page = page(&server).await;
    assert!(page.contains("class=\"hash\""));
    for secret in secrets {
        for part in secret.as_bytes().windows(8) {
            let part = std::str::from_utf8(part).expect("ASCII");
            assert!(!page.contains(part), "{part} of a secret is on the page");
        }
    }
}

#[tokio::test]
async fn a_login_that_fails_shows_where_and_why() {
    let server = start(app, &[]).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = browser.allow(&login, "ada").await;
    browser.get(&callback).await;
    let replayed = browser.visit(&callback).await;
    assert_eq!(replayed.status, 400);
    assert!(
        replayed.body.contains("href=\"/flow\""),
        "{}",
        replayed.body
    );
    let replay = page(&server).await;
    let (_, stopped) = replay
        .split_once("It stopped here: ")
        .expect("where it stopped");
    assert!(stopped.starts_with("this login was not started in this browser"));
    assert!(stopped.contains("OAuth::verify in common/src/oauth.rs"));

    let login = browser.get(url(&server, "/login")).await;
    let denied = browser
        .come_back(&server, &login, "error=access_denied")
        .await;
    assert_eq!(denied.status, 403);
    assert!(page(&server).await.contains("(access_denied)"));
}

// check 257
#[tokio::test]
async fn there_is_no_such_page_where_others_can_reach_the_server() {
    let secret = (
        "SESSION_SECRET",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    );
    let provider = testing::provider::Provider::start().await;
    let settings = [secret, ("PUBLIC_URL", "https://app.example.com")];
    let server = start(app, &provider.settings_and(&settings)).await;
    let mut browser = Browser::new();
    let local = |path: &str| format!("http://{}{path}", server.addr);
    browser.get(local("/login")).await;
    assert_eq!(browser.get(local("/flow")).await.status, 404);
    for path in ["/", "/auth?state=x"] {
        let page = browser.visit(local(path)).await;
        assert!(!page.body.contains("/flow"), "{}", page.body);
    }
}

// check 257
#[tokio::test]
async fn markup_in_a_callback_is_text_on_the_page() {
    let server = start(app, &[]).await;
    for name in ["code", "state", "iss", "error", "redirect_uri", "scope"] {
        let path = format!("/auth?state=x&error=x&{name}=%3Cscript%3Ealert(1)%3C/script%3E");
        Browser::new().get(url(&server, &path)).await;
        let path = format!("/auth?{name}=%3Cscript%3Ealert(1)%3C/script%3E");
        Browser::new().get(url(&server, &path)).await;
    }
    let page = page(&server).await;
    assert!(
        !page.contains("<script") && page.contains("&#60;script&#62;"),
        "{page}"
    );
}

// check 257
#[tokio::test]
async fn only_the_last_flows_are_kept() {
    let server = start(app, &[]).await;
    let mut browser = Browser::new();
    for n in 0..200 {
        browser.get(url(&server, &format!("/auth?state={n}"))).await;
    }
    let sections = page(&server).await.matches("<section").count();
    assert_eq!(sections, 20);
}
