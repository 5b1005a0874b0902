//! The authorization request: what is accepted, and where an error goes.

use testing::{Answer, Browser, param_of, query_of};

use super::client::{CALLBACK, Login, Running, another, claims, server, server_of, text};

fn set(login: &mut Login, name: &'static str, value: &str) {
    login.params.retain(|(known, _)| *known != name);
    login.params.push((name, value.into()));
}

/// The error at the client, which gets only that, its `state` and the issuer.
fn error_at_client(server: &Running, login: &Login, answer: &Answer) -> String {
    let location = answer.location();
    assert!(location.starts_with(&format!("{CALLBACK}?")), "{location}");
    let mut names: Vec<_> = query_of(location)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    assert_eq!(names, ["error", "error_description", "iss", "state"]);
    assert_eq!(param_of(location, "state"), login.state);
    assert_eq!(
        param_of(location, "iss"),
        server.http.public_url.to_string()
    );
    param_of(location, "error")
}

/// The error for a request that is valid but for these changes.
async fn error_for(server: &Running, changes: &[(&'static str, &str)]) -> String {
    let mut login = server.login("openid");
    for (name, value) in changes {
        set(&mut login, name, value);
    }
    let answer = server.visit(&mut Browser::new(), &login).await;
    error_at_client(server, &login, &answer)
}

async fn assert_stays_here(server: &Running, login: &Login, case: &str) {
    let answer = server.visit(&mut Browser::new(), login).await;
    assert_eq!(answer.status, 400, "{case}: {}", answer.body);
    assert_eq!(answer.header("location"), "", "{case}");
    assert!(!answer.body.contains("<form"), "{case}");
}

// check 179
#[tokio::test]
async fn without_a_registered_client_and_redirect_uri_there_is_no_redirect() {
    let server = server().await;
    for (name, value) in [
        ("client_id", "nobody"),
        ("client_id", ""),
        ("client_id", "DEMO"),
        ("client_id", "swagger"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", "http://127.0.0.1:5000/AUTH"),
        ("redirect_uri", "http://127.0.0.1:5000/auth/"),
        ("redirect_uri", "http://127.0.0.1:5000/auth?x=1"),
        ("redirect_uri", "http://127.0.0.1:5001/auth"),
        ("redirect_uri", "http://user@127.0.0.1:5000/auth"),
        ("redirect_uri", "http://127.0.0.1:5000/%61uth"),
        ("redirect_uri", "http://127.0.0.1:5000/x/../auth"),
        ("redirect_uri", "http://127.0.0.1:5000/auth#"),
        ("redirect_uri", "http://localhost:5000/auth"),
        ("redirect_uri", "//127.0.0.1:5000/auth"),
        ("redirect_uri", "javascript:alert(1)"),
    ] {
        let mut login = server.login("openid");
        set(&mut login, name, value);
        assert_stays_here(&server, &login, &format!("{name}={value}")).await;
    }
    for name in ["client_id", "redirect_uri"] {
        let mut login = server.login("openid");
        let twice = login
            .params
            .iter()
            .find(|(known, _)| *known == name)
            .expect("it")
            .clone();
        login.params.push(twice);
        assert_stays_here(&server, &login, &format!("{name} twice")).await;
    }
}

// check 180
#[tokio::test]
async fn only_a_public_client_on_this_machine_may_use_another_port() {
    let mut local = another("phone", None);
    local.redirect_uris.push("http://localhost/cb".into());
    let desktop = another("desktop", Some("a secret"));
    let server = server_of(&[], vec![local, desktop], "phone").await;
    for (client, uri, is_accepted) in [
        ("phone", "http://127.0.0.1/cb", true),
        ("phone", "http://127.0.0.1:51234/cb", true),
        ("phone", "http://[::1]:51234/cb", true),
        ("phone", "http://localhost/cb", true),
        ("phone", "http://localhost:51234/cb", false),
        ("phone", "http://127.0.0.2:51234/cb", false),
        ("phone", "http://127.1:51234/cb", false),
        ("phone", "http://127.0.0.1:51234/cb/", false),
        ("phone", "http://127.0.0.1:51234/other", false),
        ("phone", "http://127.0.0.1:51234/x/../cb", false),
        ("phone", "http://127.0.0.1:51234/cb?a=b", false),
        ("phone", "http://127.0.0.1:51234/cb#a", false),
        ("phone", "http://a@127.0.0.1:51234/cb", false),
        ("phone", "https://127.0.0.1:51234/cb", false),
        ("phone", "http://127.0.0.1.evil.example:51234/cb", false),
        ("desktop", "http://127.0.0.1/cb", true),
        ("desktop", "http://127.0.0.1:51234/cb", false),
    ] {
        let mut login = server.login("openid");
        set(&mut login, "client_id", client);
        set(&mut login, "redirect_uri", uri);
        let answer = server.visit(&mut Browser::new(), &login).await;
        assert_eq!(
            answer.status,
            if is_accepted { 200 } else { 400 },
            "{client} {uri}"
        );
    }
    let mut login = server.login("openid");
    let uri = "http://127.0.0.1:51234/cb";
    set(&mut login, "redirect_uri", uri);
    let code = server.code(&mut Browser::new(), &login).await;
    let answer = server
        .redeem_with(&login, &code, &[("redirect_uri", uri)])
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

// check 181
#[tokio::test]
async fn every_client_has_to_use_pkce_with_s256() {
    let server = server().await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for changes in [
        vec![("code_challenge", "")],
        vec![("code_challenge_method", "")],
        vec![("code_challenge_method", "plain")],
        vec![("code_challenge_method", "s256")],
        vec![("code_challenge", &challenge[..42])],
        vec![(
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cMA",
        )],
        vec![(
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM",
        )],
        vec![(
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=",
        )],
        vec![("code_challenge", ""), ("code_challenge_method", "")],
    ] {
        assert_eq!(
            error_for(&server, &changes).await,
            "invalid_request",
            "{changes:?}"
        );
    }
}

// check 182
#[tokio::test]
async fn only_a_code_can_be_requested() {
    let server = server().await;
    for (response_type, error) in [
        ("", "invalid_request"),
        ("token", "unsupported_response_type"),
        ("id_token", "unsupported_response_type"),
        ("code token", "unsupported_response_type"),
        ("nonsense", "unsupported_response_type"),
    ] {
        assert_eq!(
            error_for(&server, &[("response_type", response_type)]).await,
            error
        );
    }
    for mode in ["fragment", "form_post"] {
        assert_eq!(
            error_for(&server, &[("response_mode", mode)]).await,
            "invalid_request"
        );
    }
}

// check 183
#[tokio::test]
async fn a_repeated_parameter_is_an_error_and_an_unknown_one_is_ignored() {
    let server = server().await;
    for (name, value) in [
        ("state", "x"),
        ("nonce", "x"),
        ("scope", "openid"),
        ("code_challenge", "x"),
        ("display", "page"),
    ] {
        let mut login = server.login("openid");
        login.params.push((name, value.into()));
        if name == "display" {
            login.params.push((name, value.into()));
        }
        let answer = server.visit(&mut Browser::new(), &login).await;
        let location = answer.location();
        assert!(location.starts_with(CALLBACK), "{name}");
        assert_eq!(param_of(location, "error"), "invalid_request", "{name}");
    }
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
    ] {
        assert_eq!(
            error_for(&server, &[(name, "https://evil.example/")]).await,
            error
        );
    }
    let mut login = server.login("openid");
    for (name, value) in [
        ("display", "popup"),
        ("ui_locales", "de"),
        ("login_hint", "johndoe"),
        ("acr_values", "1"),
        ("utm_source", "x"),
        ("decision", "allow"),
        ("user", "johndoe"),
    ] {
        login.params.push((name, value.into()));
    }
    let code = server.code(&mut Browser::new(), &login).await;
    assert_eq!(server.redeem(&login, &code).await.status, 200);
}

// check 184
#[tokio::test]
async fn an_unknown_scope_is_an_error_and_one_that_is_not_allowed_is_left_out() {
    let mut narrow = another("narrow", Some("a secret"));
    narrow.scopes = "openid some.scope".into();
    let server = server_of(&[], vec![narrow], "narrow").await;
    for scope in [
        "admin",
        "openid admin",
        "openid  some.scope",
        "Some.scope",
        "some.scope,third.scope",
    ] {
        let mut login = server.login(scope);
        set(&mut login, "redirect_uri", "http://127.0.0.1/cb");
        let answer = server.visit(&mut Browser::new(), &login).await;
        assert_eq!(
            param_of(answer.location(), "error"),
            "invalid_scope",
            "{scope}"
        );
    }
    // `other.scope` is not johndoe's, `third.scope` and `profile` are not this client's.
    let mut browser = Browser::new();
    let login = server.login("openid profile some.scope other.scope third.scope");
    let form = server.visit(&mut browser, &login).await;
    let consent = server.log_in(&mut browser, &form).await;
    assert!(
        consent.body.contains("which you or it may not have"),
        "{}",
        consent.body
    );
    let callback = server.allow(&mut browser, &consent).await;
    let code = param_of(callback.location(), "code");
    let tokens = server.redeem(&login, &code).await.json();
    assert_eq!(tokens["scope"], "openid some.scope");
}

// check 185
#[tokio::test]
async fn code_state_and_issuer_are_added_to_the_query_of_the_redirect_uri() {
    let mut client = another("query", Some("a secret"));
    client.redirect_uris = vec!["http://127.0.0.1/cb?tenant=a%20b".into()];
    let server = server_of(&[], vec![client], "query").await;
    let state = "ä+&=#/ %20\"<>";
    let mut login = server.login("openid");
    set(&mut login, "state", state);
    let callback = server.callback(&mut Browser::new(), &login).await;
    assert_eq!(callback.status, 303);
    let location = callback.location();
    assert!(
        location.starts_with("http://127.0.0.1/cb?tenant=a%20b&"),
        "{location}"
    );
    let mut names: Vec<_> = query_of(location)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names.remove(0), "tenant");
    names.sort();
    assert_eq!(names, ["code", "iss", "state"]);
    assert_eq!(param_of(location, "state"), state);
    assert_eq!(
        param_of(location, "iss"),
        server.http.public_url.to_string()
    );
    assert!(!location.contains('#'));
}

// check 185
#[tokio::test]
async fn a_request_without_a_state_gets_none_back() {
    let server = server().await;
    let mut login = server.login("openid");
    set(&mut login, "state", "");
    let callback = server.callback(&mut Browser::new(), &login).await;
    let names: Vec<_> = query_of(callback.location())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(!names.contains(&"state".to_owned()), "{names:?}");
}

// check 186
#[tokio::test]
async fn prompt_none_never_shows_a_page() {
    let server = server().await;
    let mut browser = Browser::new();
    let mut silent = server.login("openid");
    set(&mut silent, "prompt", "none");
    let answer = server.visit(&mut browser, &silent).await;
    assert_eq!(error_at_client(&server, &silent, &answer), "login_required");

    let form = server.visit(&mut browser, &server.login("openid")).await;
    let consent = server.log_in(&mut browser, &form).await;
    let answer = server.visit(&mut browser, &silent).await;
    assert_eq!(
        error_at_client(&server, &silent, &answer),
        "consent_required"
    );

    server.allow(&mut browser, &consent).await;
    let answer = server.visit(&mut browser, &silent).await;
    let code = param_of(answer.location(), "code");
    assert_eq!(server.redeem(&silent, &code).await.status, 200);

    set(&mut silent, "scope", "openid profile");
    let answer = server.visit(&mut browser, &silent).await;
    assert_eq!(
        error_at_client(&server, &silent, &answer),
        "consent_required"
    );
    for prompt in ["none login", "consent none", "select_account", "NONE"] {
        assert_eq!(
            error_for(&server, &[("prompt", prompt)]).await,
            "invalid_request",
            "{prompt}"
        );
    }
}

// check 186
#[tokio::test]
async fn prompt_none_is_never_enough_for_a_public_client() {
    let server = server_of(&[], vec![another("phone", None)], "phone").await;
    let mut browser = Browser::new();
    server.tokens_in(&mut browser, "openid").await;
    let mut silent = server.login("openid");
    set(&mut silent, "prompt", "none");
    let answer = server.visit(&mut browser, &silent).await;
    assert_eq!(param_of(answer.location(), "error"), "consent_required");
}

// check 186
#[tokio::test]
async fn a_client_that_names_a_user_by_their_id_token_hears_of_nobody_else() {
    let server = server_of(&[], vec![another("phone", None)], "demo").await;
    server.sql("INSERT INTO users SELECT 'janedoe', email, full_name, password_hash, scopes, 0 FROM users WHERE username = 'johndoe'").await;
    let (mut johns, mut janes) = (Browser::new(), Browser::new());
    let hint = text(&server.tokens_in(&mut johns, "openid").await, "id_token");
    let jane = [("username", "janedoe"), ("password", "secret123")];
    let form = server.visit(&mut janes, &server.login("openid")).await;
    let answer = server.submit(&mut janes, &form, &jane).await;
    let consent = janes.visit(server.url(answer.location())).await;
    server.allow(&mut janes, &consent).await;

    let mut login = server.login("openid");
    set(&mut login, "id_token_hint", &hint);
    let mut silent = login.clone();
    set(&mut silent, "prompt", "none");
    let answer = server.visit(&mut janes, &silent).await;
    assert_eq!(error_at_client(&server, &silent, &answer), "login_required");
    server.code(&mut johns, &silent).await;

    // What is no ID token of this client names nobody whom we know, so it may be someone else.
    let server = server.with_client("phone");
    let other = text(&server.tokens("openid").await, "id_token");
    let server = server.with_client("demo");
    for (name, hint) in [("of another client", &*other), ("nonsense", "x.y.z")] {
        set(&mut silent, "id_token_hint", hint);
        let answer = server.visit(&mut janes, &silent).await;
        let error = error_at_client(&server, &silent, &answer);
        assert_eq!(error, "login_required", "{name}");
    }

    // Without `prompt=none` that user can log in, and still nobody else.
    let form = server.visit(&mut janes, &login).await;
    let answer = server.submit(&mut janes, &form, &jane).await;
    let form = janes.visit(server.url(answer.location())).await;
    assert!(
        form.body.contains("whom the application expects"),
        "{}",
        form.body
    );
    let callback = server.log_in(&mut janes, &form).await;
    let code = param_of(callback.location(), "code");
    let tokens = server.redeem(&login, &code).await.json();
    assert_eq!(claims(&text(&tokens, "id_token"))["sub"], "johndoe");
}

// check 187
#[tokio::test]
async fn a_client_can_require_the_password_again() {
    let server = server().await;
    let mut browser = Browser::new();
    server.tokens_in(&mut browser, "openid").await;
    server
        .sql("UPDATE authorization_sessions SET auth_time = auth_time - 100")
        .await;
    let old = auth_time(&server, &mut browser, &[], 0).await;
    for (name, value, passwords) in [
        ("max_age", "1000", 0),
        ("max_age", "99", 1),
        ("prompt", "login", 1),
        ("max_age", "0", 1),
        ("prompt", "login consent", 1),
    ] {
        let time = auth_time(&server, &mut browser, &[(name, value)], passwords).await;
        assert_eq!(time > old, passwords > 0, "{name}={value}");
        server
            .sql("UPDATE authorization_sessions SET auth_time = auth_time - 100")
            .await;
    }
    for max_age in ["-1", "x", "1.5", "99999999999999999999"] {
        assert_eq!(
            error_for(&server, &[("max_age", max_age)]).await,
            "invalid_request"
        );
    }
}

/// Logs in, which takes this many passwords, and consents if asked.
async fn auth_time(
    server: &Running,
    browser: &mut Browser,
    changes: &[(&'static str, &str)],
    passwords: usize,
) -> i64 {
    let mut login = server.login("openid");
    for (name, value) in changes {
        set(&mut login, name, value);
    }
    let mut answer = server.visit(browser, &login).await;
    let mut asked = 0;
    while answer.status == 200 {
        answer = if answer.body.contains("name=\"password\"") {
            asked += 1;
            server.log_in(browser, &answer).await
        } else {
            assert!(
                changes.iter().any(|(_, value)| value.contains("consent")),
                "{}",
                answer.body
            );
            server.allow(browser, &answer).await
        };
    }
    assert_eq!(asked, passwords, "{changes:?}");
    let code = param_of(answer.location(), "code");
    let tokens = server.redeem(&login, &code).await.json();
    let id_token = super::client::text(&tokens, "id_token");
    super::client::claims(&id_token)["auth_time"]
        .as_i64()
        .expect("a time")
}

#[tokio::test]
async fn a_posted_request_is_redirected_to_the_same_request_as_a_link() {
    let server = server().await;
    let login = server.login("openid");
    let form: Vec<_> = login
        .params
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = Browser::new().post(server.url("/authorize"), &form).await;
    let link = server.authorize_url(&login.params);
    assert_eq!(answer.location(), link.trim_start_matches(&server.url("")));
}
