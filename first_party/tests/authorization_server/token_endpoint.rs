//! The token endpoint itself: its requests, and the client credentials grant.

use reqwest::Method;
use serde_json::json;
use testing::{Browser, param_of};

use super::client::{OFFLINE, claims, error, server, server_with, text};

// check 200
#[tokio::test]
async fn only_a_form_in_the_body_is_a_token_request() {
    let server = server().await;
    let secret = server.client.secret.clone().expect("a secret");
    let mut browser = Browser::new();
    let answer = browser.get(server.url("/token")).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    let json = browser.request(Method::POST, server.url("/token"));
    let json = json
        .header("content-type", "application/json")
        .body("{}")
        .basic_auth("demo", Some(&secret));
    assert_eq!(
        error(&browser.send(json).await),
        (400, "invalid_request".into())
    );

    let url = server.url(&format!(
        "/token?client_id=demo&client_secret={secret}&grant_type=client_credentials"
    ));
    let answer = browser.post(&url, &[]).await;
    assert_eq!(error(&answer), (400, "invalid_request".into()));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_secret", &*secret),
    ];
    let answer = server.post("/token", &form).await;
    assert_eq!(error(&answer), (400, "invalid_request".into()));
    for form in [
        &[
            ("grant_type", "client_credentials"),
            ("grant_type", "client_credentials"),
        ][..],
        &[("grant_type", "client_credentials"), ("x", "1"), ("x", "1")],
        &[("grant_type", "")],
    ] {
        let answer = server.post("/token", form).await;
        assert_eq!(error(&answer), (400, "invalid_request".into()), "{form:?}");
    }
    for grant_type in ["password", "implicit", "Authorization_code"] {
        let answer = server.post("/token", &[("grant_type", grant_type)]).await;
        assert_eq!(error(&answer), (400, "unsupported_grant_type".into()));
    }
    let answer = server
        .post("/token", &[("grant_type", &"x".repeat(1024 * 1024))])
        .await;
    assert_eq!(error(&answer), (413, "invalid_request".into()));
    let in_body = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo"),
        ("client_secret", &*secret),
    ];
    assert_eq!(
        browser.post(server.url("/token"), &in_body).await.status,
        200
    );
}

// check 201
#[tokio::test]
async fn nobody_may_store_an_answer_with_a_code_or_a_token() {
    let server = server().await;
    let login = server.login(OFFLINE);
    let callback = server.callback(&mut Browser::new(), &login).await;
    assert_eq!(callback.header("cache-control"), "no-store");
    let answer = server
        .redeem(&login, &param_of(callback.location(), "code"))
        .await;
    let refreshed = server.refresh(&text(&answer.json(), "refresh_token")).await;
    let own = server
        .post("/token", &[("grant_type", "client_credentials")])
        .await;
    let token = text(&answer.json(), "access_token");
    let introspected = server.post("/introspect", &[("token", &token)]).await;
    for answer in [answer, refreshed, own, introspected] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("pragma"), "no-cache");
    }
    assert_eq!(
        server
            .get("/userinfo", &token)
            .await
            .header("cache-control"),
        "no-store"
    );
}

// check 207
#[tokio::test]
async fn a_client_gets_a_token_of_its_own_and_no_id_token() {
    let server = server().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "openid offline_access some.scope"),
    ];
    let tokens = server.post("/token", &form).await.json();
    assert_eq!(tokens["scope"], "some.scope");
    let mut members: Vec<_> = tokens.as_object().expect("an object").keys().collect();
    members.sort();
    assert_eq!(
        members,
        ["access_token", "expires_in", "scope", "token_type"]
    );
    let token = text(&tokens, "access_token");
    assert_eq!(claims(&token)["sub"], "client:demo");
    assert_eq!(server.get("/endpoint1", &token).await.status, 200);
    assert_eq!(server.get("/endpoint2", &token).await.status, 403);
    assert_eq!(server.get("/userinfo", &token).await.status, 401);
    assert_eq!(server.introspect(&token).await["active"], true);
    let answer = server.post_as("swagger", "/token", &form).await;
    assert_eq!(error(&answer), (400, "unauthorized_client".into()));
    let answer = server.post("/token", &[form[0], ("scope", "admin")]).await;
    assert_eq!(error(&answer), (400, "invalid_scope".into()));
    let tokens = server.post("/token", &form[..1]).await.json();
    assert_eq!(tokens["scope"], "");
}

const ONE: &str = "https://one.example/api";
const TWO: &str = "https://two.example";

fn grant<'a>(form: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("grant_type", "client_credentials")], form].concat()
}

// check 208
#[tokio::test]
async fn a_token_is_for_one_of_the_resources_that_were_granted() {
    let server = server_with(&[("RESOURCES", &format!("{ONE} {TWO} https://three.example"))]).await;
    for (resources, audience) in [(&[][..], ONE), (&[("resource", TWO)], TWO)] {
        let tokens = server.post("/token", &grant(resources)).await.json();
        assert_eq!(claims(&text(&tokens, "access_token"))["aud"], audience);
    }
    for resources in [
        &[("resource", "https://four.example")][..],
        &[("resource", "https://two.example/")],
        &[("resource", "https://two.example#x")],
        &[("resource", "two")],
        &[("resource", ONE), ("resource", TWO)],
    ] {
        let answer = server.post("/token", &grant(resources)).await;
        assert_eq!(
            error(&answer),
            (400, "invalid_target".into()),
            "{resources:?}"
        );
        if resources.len() == 1 {
            let mut login = server.login("openid");
            login.params.push(("resource", resources[0].1.into()));
            let answer = server.visit(&mut Browser::new(), &login).await;
            assert_eq!(param_of(answer.location(), "error"), "invalid_target");
        }
    }

    let mut login = server.login(OFFLINE);
    login
        .params
        .extend([("resource", TWO.into()), ("resource", ONE.into())]);
    let mut browser = Browser::new();
    let code = server.code(&mut browser, &login).await;
    let tokens = server
        .redeem_with(&login, &code, &[("resource", TWO)])
        .await
        .json();
    assert_eq!(claims(&text(&tokens, "access_token"))["aud"], TWO);
    let mut refresh_token = text(&tokens, "refresh_token");
    for (resources, expected) in [
        (&[("resource", ONE)][..], Some(json!(ONE))),
        (&[], Some(json!(ONE))),
        (&[("resource", "https://three.example")], None),
        (&[("resource", ONE), ("resource", TWO)], None),
    ] {
        let form = [
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", &refresh_token),
            ],
            resources,
        ]
        .concat();
        let answer = server.post("/token", &form).await;
        match expected {
            Some(audience) => {
                let tokens = answer.json();
                assert_eq!(claims(&text(&tokens, "access_token"))["aud"], audience);
                refresh_token = text(&tokens, "refresh_token");
            }
            None => assert_eq!(error(&answer), (400, "invalid_target".into())),
        }
    }
    let login = server.login("openid");
    let answer = server.visit(&mut browser, &login).await;
    let code = param_of(answer.location(), "code");
    let answer = server
        .redeem_with(&login, &code, &[("resource", TWO)])
        .await;
    assert_eq!(error(&answer), (400, "invalid_target".into()));
}
