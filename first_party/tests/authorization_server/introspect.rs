//! Revocation and introspection.

use serde_json::json;
use testing::Browser;

use super::client::{OFFLINE, another, claims, error, invalid_grant, server_of, text};

// check 214
#[tokio::test]
async fn a_client_revokes_its_own_tokens_and_nobody_elses() {
    let more = vec![
        another("other", Some("another secret")),
        another("phone", None),
    ];
    let server = server_of(&[], more, "demo").await;
    let tokens = server.tokens(OFFLINE).await;
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    for token in [&access, &refresh] {
        for id in ["other", "phone"] {
            let answer = server.post_as(id, "/revoke", &[("token", token)]).await;
            assert_eq!(error(&answer), invalid_grant(), "{id}");
        }
        for credentials in [
            &[][..],
            &[("client_id", "demo")],
            &[("client_id", "demo"), ("client_secret", "x")],
        ] {
            let form = [&[("token", &**token)], credentials].concat();
            let answer = Browser::new().post(server.url("/revoke"), &form).await;
            assert_eq!(error(&answer), (401, "invalid_client".into()));
        }
    }
    server.assert_alive(&access).await;
    for nonsense in [
        "x",
        "a.b.c",
        &common::random_token(),
        &text(&tokens, "id_token"),
    ] {
        let answer = server.post("/revoke", &[("token", nonsense)]).await;
        assert_eq!((answer.status, &*answer.body), (200, ""), "{nonsense}");
    }
    assert_eq!(
        error(&server.post("/revoke", &[]).await),
        (400, "invalid_request".into())
    );

    let form = [("token", &*access), ("token_type_hint", "refresh_token")];
    for _ in 0..2 {
        assert_eq!(server.post("/revoke", &form).await.status, 200);
    }
    server.assert_dead(&access).await;
    // The refresh token is still valid; revoking it revokes its access tokens too.
    let tokens = server.refresh(&refresh).await.json();
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    server.assert_alive(&access).await;
    assert_eq!(
        server.post("/revoke", &[("token", &refresh)]).await.status,
        200
    );
    server.assert_dead(&access).await;
    assert_eq!(error(&server.refresh(&refresh).await), invalid_grant());

    let phone = server.with_client("phone");
    let tokens = phone.tokens(OFFLINE).await;
    let access = text(&tokens, "access_token");
    assert_eq!(
        phone.post("/revoke", &[("token", &access)]).await.status,
        200
    );
    phone.assert_dead(&access).await;
}

// check 215
#[tokio::test]
async fn a_client_introspects_its_own_tokens_and_those_for_its_resource() {
    let mut api = another("api", Some("the secret of an API"));
    api.resources = vec!["https://api.example".into()];
    let more = vec![api, another("other", Some("another secret"))];
    let vars = [("RESOURCES", "https://first.example https://api.example")];
    let server = server_of(&vars, more, "demo").await;
    let tokens = server.tokens(OFFLINE).await;
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    let mut expected = claims(&access);
    expected["active"] = true.into();
    expected["token_type"] = "Bearer".into();
    assert_eq!(server.introspect(&access).await, expected);
    let answer = server.introspect(&refresh).await;
    assert_eq!(
        (&answer["active"], &answer["client_id"], &answer["sub"]),
        (&json!(true), &json!("demo"), &json!("johndoe"))
    );

    let inactive = json!({"active": false});
    for token in [&access, &refresh] {
        for id in ["other", "api"] {
            let answer = server.post_as(id, "/introspect", &[("token", token)]).await;
            assert_eq!(answer.json(), inactive, "{id}");
        }
        let answer = server
            .post_as("swagger", "/introspect", &[("token", token)])
            .await;
        assert_eq!(error(&answer), (401, "invalid_client".into()));
        let answer = Browser::new()
            .post(server.url("/introspect"), &[("token", token)])
            .await;
        assert_eq!(error(&answer), (401, "invalid_client".into()));
    }
    let mut login = server.login("openid");
    login
        .params
        .push(("resource", "https://api.example".into()));
    let code = server.code(&mut Browser::new(), &login).await;
    let for_api = text(&server.redeem(&login, &code).await.json(), "access_token");
    let answer = server
        .post_as("api", "/introspect", &[("token", &for_api)])
        .await
        .json();
    assert_eq!(
        (&answer["active"], &answer["aud"]),
        (&json!(true), &json!("https://api.example"))
    );

    for nonsense in [
        "x",
        "a.b.c",
        &common::random_token(),
        &text(&tokens, "id_token"),
    ] {
        assert_eq!(server.introspect(nonsense).await, inactive, "{nonsense}");
    }
    server.refresh(&refresh).await;
    assert_eq!(server.introspect(&refresh).await, inactive);
    server.post("/revoke", &[("token", &for_api)]).await;
    assert_eq!(
        server
            .post_as("api", "/introspect", &[("token", &for_api)])
            .await
            .json(),
        inactive
    );
    server
        .sql("UPDATE users SET disabled = 1 WHERE username = 'johndoe'")
        .await;
    assert_eq!(server.introspect(&access).await, inactive);
}
