//! `GET /login` of `basic`, apart from what it shares with `sessions`.

use testing::{Browser, param_of, provider::Provider, start, url};

// check 11
#[tokio::test]
async fn unfinished_logins_do_not_pile_up() {
    let provider = Provider::start().await;
    let server = start(basic::app, &provider.settings()).await;
    let mut browser = Browser::new();
    for _ in 0..60 {
        browser.get(url(&server, "/login")).await;
        assert!(browser.cookies.len() <= 5, "{:?}", browser.cookie_names());
        let header: usize = browser
            .cookies
            .iter()
            .map(|((_, name), value)| name.len() + value.len() + 3)
            .sum();
        assert!(header < 4096, "a Cookie header of {header} bytes");
    }
    assert_eq!(browser.log_in_with_code(&server).await.status, 200);
}

// check 13
#[tokio::test]
async fn nobody_chooses_where_a_login_ends() {
    let provider = Provider::start().await;
    let server = start(basic::app, &provider.settings()).await;
    for parameter in ["next", "redirect", "return_to", "redirect_uri"] {
        for target in [
            "https://evil.example",
            "//evil.example",
            "/%5Cevil.example",
            "@evil.example",
            ".evil.example",
            "%0d%0aSet-Cookie:x=1",
        ] {
            let mut browser = Browser::new();
            let path = format!("/login?{parameter}={target}");
            let login = browser.get(url(&server, &path)).await;
            assert!(
                !login.location().contains("evil"),
                "{path}: {}",
                login.location()
            );
            let redirect_uri = param_of(login.location(), "redirect_uri");
            assert_eq!(
                redirect_uri,
                format!("http://{}/auth", server.addr),
                "{path}"
            );
            assert_eq!(
                browser.cookies.len(),
                1,
                "{path} sets the login cookie alone"
            );
            let answer = browser.come_back(&server, &login, "code=good").await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (200, ""),
                "{path}"
            );
        }
    }
}
