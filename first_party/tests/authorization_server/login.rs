//! The password form.

use reqwest::Method;
use testing::{Browser, param_of};

use super::client::{another, server, server_of};

// check 188
#[tokio::test]
async fn every_mistake_looks_the_same_and_the_request_survives_it() {
    let server = server().await;
    let mut browser = Browser::new();
    let login = server.login("openid");
    let mut page = server.visit(&mut browser, &login).await;
    let mut seen = Vec::new();
    for (username, password) in [
        ("johndoe", "wrong"),
        ("nobody", "secret123"),
        ("alice", "password456"),
        ("alice", "wrong"),
        ("", ""),
        (&"x".repeat(300), "secret123"),
        ("client:demo", "secret123"),
        ("johndoe", &"x".repeat(2000)),
    ] {
        page = server
            .submit_any(
                &mut browser,
                &page,
                &[("username", username), ("password", password)],
            )
            .await;
        assert_eq!(page.status, 400, "{username}");
        assert!(page.set_cookies().is_empty(), "{username}");
        seen.push(page.body.clone());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let user = [("username", "johndoe"), ("password", "secret123")];
    let answer = server.submit_any(&mut browser, &page, &user).await;
    let consent = browser.visit(server.url(answer.location())).await;
    let callback = server.allow(&mut browser, &consent).await;
    assert_eq!(param_of(callback.location(), "state"), login.state);
}

// check 188
#[tokio::test]
async fn the_limit_on_guesses_holds_for_the_right_password_too() {
    let server = server().await;
    let mut browser = Browser::new();
    let mut page = server.visit(&mut browser, &server.login("openid")).await;
    for _ in 0..5 {
        page = server
            .submit_any(
                &mut browser,
                &page,
                &[("username", "johndoe"), ("password", "wrong")],
            )
            .await;
        assert_eq!(page.status, 400);
    }
    let user = [("username", "johndoe"), ("password", "secret123")];
    let page = server.submit_any(&mut browser, &page, &user).await;
    assert_eq!(page.status, 429);
    assert_ne!(page.header("retry-after"), "");
    assert!(page.body.contains("<form"), "{}", page.body);
    assert!(browser.cookies.is_empty());
}

// check 189
#[tokio::test]
async fn a_session_id_from_before_the_login_is_rejected_after_it() {
    let server = server().await;
    let mut browser = Browser::new();
    let name = "authorization_session";
    let planted = common::random_token();
    browser
        .cookies
        .insert(("localhost".into(), name.into()), planted.clone());
    let form = server.visit(&mut browser, &server.login("openid")).await;
    server.log_in(&mut browser, &form).await;
    let first = browser.cookie(name).expect("a session").to_owned();
    assert_ne!(first, planted);

    let mut again = server.login("openid");
    again.params.push(("prompt", "login".into()));
    let form = server.visit(&mut browser, &again).await;
    server.log_in(&mut browser, &form).await;
    let second = browser.cookie(name).expect("a session").to_owned();
    assert_ne!(second, first);
    for old in [planted, first] {
        let mut thief = Browser::new();
        thief.cookies.insert(("localhost".into(), name.into()), old);
        let answer = thief.visit(server.url("/consents")).await;
        assert!(answer.body.contains("name=\"password\""), "{}", answer.body);
    }
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM authorization_sessions")
            .await,
        1
    );
}

// check 190
#[tokio::test]
async fn another_site_can_neither_submit_nor_frame_the_forms() {
    let server = server().await;
    let mut browser = Browser::new();
    let login = server.login("openid");
    let form = server.visit(&mut browser, &login).await;
    let consent = server.log_in(&mut browser, &form).await;
    for page in [&form, &consent] {
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
        assert_eq!(page.header("cache-control"), "no-store");
    }
    let hidden = consent.hidden_fields();
    let mut fields: Vec<_> = hidden
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    fields.extend([
        ("username", "johndoe"),
        ("password", "secret123"),
        ("decision", "allow"),
    ]);
    for path in ["/login", "/consent", "/consents", "/logout/confirm"] {
        for (header, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let request = browser
                .request(Method::POST, server.url(path))
                .form(&fields);
            let answer = browser.clone().send(request.header(header, value)).await;
            assert_eq!(answer.status, 403, "{path} {value}");
            assert_eq!(answer.header("location"), "", "{path} {value}");
            assert!(answer.set_cookies().is_empty(), "{path} {value}");
        }
    }
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM authorization_grants")
            .await,
        0
    );
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM authorization_sessions")
            .await,
        1
    );
}

// check 191
#[tokio::test]
async fn changed_hidden_fields_are_checked_as_if_they_were_the_first_request() {
    let server = server_of(&[], vec![another("other", Some("another secret"))], "demo").await;
    for step in ["login", "consent"] {
        let mut browser = Browser::new();
        let mut page = server.visit(&mut browser, &server.login("openid")).await;
        if step == "consent" {
            page = server.log_in(&mut browser, &page).await;
        }
        for (name, value, error) in [
            ("redirect_uri", "https://evil.example/", None),
            ("client_id", "other", None),
            ("client_id", "swagger", None),
            ("code_challenge", "", Some("invalid_request")),
            ("code_challenge_method", "plain", Some("invalid_request")),
            ("scope", "admin", Some("invalid_scope")),
            ("response_type", "token", Some("unsupported_response_type")),
        ] {
            let mut changed = testing::Answer {
                body: page.body.clone(),
                headers: page.headers.clone(),
                url: page.url.clone(),
                status: 200,
            };
            let (start, rest) = changed
                .body
                .split_once(&format!("name=\"{name}\" value=\""))
                .expect("a field");
            let (_, rest) = rest.split_once('"').expect("a value");
            changed.body = format!("{start}name=\"{name}\" value=\"{value}\"{rest}");
            let fields = [
                ("username", "johndoe"),
                ("password", "secret123"),
                ("decision", "allow"),
            ];
            let answer = server.submit(&mut browser.clone(), &changed, &fields).await;
            match error {
                None => assert_eq!(
                    (answer.status, answer.header("location")),
                    (400, ""),
                    "{step} {name}={value}"
                ),
                Some(error) => assert_eq!(
                    param_of(answer.location(), "error"),
                    error,
                    "{step} {name}={value}"
                ),
            }
        }
        assert_eq!(
            server
                .count("SELECT COUNT(*) FROM authorization_grants")
                .await,
            0
        );
    }
}

// check 194
#[tokio::test]
async fn names_with_markup_are_text_on_the_pages() {
    let vars = [
        ("AS_CLIENT_ID", "<script>alert(1)</script>\"'&"),
        ("AS_REDIRECT_URIS", "http://127.0.0.1:5000/auth"),
    ];
    let server = server_of(&vars, Vec::new(), vars[0].1).await;
    server.sql("INSERT INTO users SELECT '<b>\"''&', email, '<i>x</i>', password_hash, scopes, 0 FROM users WHERE username = 'johndoe'").await;
    let mut browser = Browser::new();
    let mut login = server.login("openid");
    for (name, value) in &mut login.params {
        if *name == "state" || *name == "nonce" {
            *value = "\"><img src=x>".into();
        }
    }
    let form = server.visit(&mut browser, &login).await;
    let user = [("username", "<b>\"'&"), ("password", "secret123")];
    let answer = server.submit(&mut browser, &form, &user).await;
    let consent = browser.visit(server.url(answer.location())).await;
    assert!(consent.body.contains("value=\"allow\""), "{}", consent.body);
    let callback = server.allow(&mut browser, &consent).await;
    assert_eq!(param_of(callback.location(), "state"), "\"><img src=x>");
    let consents = browser.visit(server.url("/consents")).await;
    let logout = browser.visit(server.url("/logout")).await;
    for page in [form, consent, consents, logout] {
        for markup in ["<script>", "<b>", "<i>", "<img"] {
            assert!(!page.body.contains(markup), "{}", page.body);
        }
    }
}

// check 223
#[tokio::test]
async fn a_login_leads_only_to_its_request_or_to_a_page_of_this_server() {
    let server = server().await;
    for (name, value) in [
        ("next", "https://evil.example/"),
        ("redirect_uri", "https://evil.example/"),
        ("return_to", "//evil.example"),
        ("state", "https://evil.example/"),
    ] {
        let mut browser = Browser::new();
        let page = browser
            .visit(server.url(&format!("/consents?{name}={value}")))
            .await;
        assert!(!page.body.contains("evil.example"));
        let fields = [
            ("username", "johndoe"),
            ("password", "secret123"),
            (name, value),
        ];
        let answer = server.submit(&mut browser, &page, &fields).await;
        assert_eq!(answer.location(), "/consents", "{name}");
    }
}

#[tokio::test]
async fn the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let server = server().await;
    let mut browser = Browser::new();
    let form = server.visit(&mut browser, &server.login("openid")).await;
    assert!(browser.cookies.is_empty());
    let user = [("username", "johndoe"), ("password", "secret123")];
    let answer = server.submit(&mut browser, &form, &user).await;
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 1);
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=28800"] {
        assert!(cookies[0].contains(attribute), "{}", cookies[0]);
    }
    assert!(!cookies[0].contains("Domain"), "{}", cookies[0]);
}
