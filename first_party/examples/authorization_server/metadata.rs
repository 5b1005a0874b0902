//! `/.well-known/…`: where everything is, so that a client needs to know only one URL, and the CORS
//! headers for what a script on another site may call.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use common::settings::PublicUrl;
use first_party::scopes::SCOPES;
use serde_json::{Value, json};

use super::{scopes::names, settings::Server};

/// Where the metadata of this API is (RFC 9728, section 3).
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// `GET /.well-known/oauth-authorization-server` (RFC 8414) and `/.well-known/openid-configuration`
/// (OpenID Connect Discovery): the same for both.
pub async fn authorization_server(State(server): State<Server>) -> Json<Value> {
    let at = |path| server.public_url.join(path);
    let with_secret = ["client_secret_basic", "client_secret_post"];
    let any_client = [with_secret[0], with_secret[1], "none"];
    Json(json!({
        "issuer": server.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "revocation_endpoint": at("/revoke"),
        "introspection_endpoint": at("/introspect"),
        "end_session_endpoint": at("/logout"),
        "jwks_uri": at("/jwks.json"),
        "scopes_supported": names(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "prompt_values_supported": ["none", "login", "consent"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": any_client,
        "revocation_endpoint_auth_methods_supported": any_client,
        "introspection_endpoint_auth_methods_supported": with_secret,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [server.keys.algorithm()],
        "claims_supported": ["sub", "name", "preferred_username", "email"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    }))
}

/// `GET /.well-known/oauth-protected-resource`: who issues tokens for this API (RFC 9728, section 2).
pub async fn protected_resource(State(server): State<Server>) -> Json<Value> {
    Json(json!({
        "resource": server.issuer,
        "authorization_servers": [server.issuer],
        "scopes_supported": SCOPES.map(|(name, _)| name),
        "bearer_methods_supported": ["header"],
    }))
}

/// Names the metadata where a token is missing or wrong (RFC 9728, section 5.1).
pub async fn name_it(State(public_url): State<PublicUrl>, mut response: Response) -> Response {
    if let Some(challenge) = response.headers_mut().get_mut(header::WWW_AUTHENTICATE) {
        let metadata = public_url.join(PROTECTED_RESOURCE);
        let start = challenge.to_str().unwrap_or("Bearer");
        let named = format!("{start}, resource_metadata=\"{metadata}\"");
        if let Ok(named) = HeaderValue::try_from(named) {
            *challenge = named;
        }
    }
    response
}

/// Middleware for the endpoints that scripts of any site may call. None of them reads cookies, so a
/// script cannot act as the user; the authorization endpoint is not among them (RFC 9700, section
/// 2.6).
pub async fn for_every_origin(request: Request, next: Next) -> Response {
    const ANY: HeaderValue = HeaderValue::from_static("*");
    let asks_first = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first {
        let allowed = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "3600"),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        next.run(request).await
    };
    let challenge = HeaderValue::from_static("www-authenticate");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, challenge);
    response
}
