//! `/docs` and `/openapi.json`: the endpoints, to try with a token from the code flow with
//! PKCE.

use axum::{
    Json, Router,
    http::{HeaderValue, header},
    middleware::{from_extractor_with_state, map_response},
    response::Response,
    routing::get,
};
use common::{server::PublicHost, settings::PublicUrl};
use utoipa::{
    OpenApi,
    openapi::security::{AuthorizationCode, Flow, OAuth2, Scopes, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerUi, oauth};

use super::{access_token, scopes::all};

/// Where Swagger UI takes its codes.
pub const REDIRECT: &str = "/docs/oauth2-redirect.html";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "authorization_server",
        description = "Endpoints for access tokens of this server. Authorize as `swagger`, a public client: leave the secret empty."
    ),
    paths(
        access_token::endpoint1,
        access_token::endpoint2,
        access_token::endpoint3
    )
)]
struct Api;

fn openapi(public_url: &PublicUrl) -> utoipa::openapi::OpenApi {
    let flow = Flow::AuthorizationCode(AuthorizationCode::new(
        public_url.join("/authorize"),
        public_url.join("/token"),
        all().collect::<Scopes>(),
    ));
    let mut api = Api::openapi();
    api.components
        .get_or_insert_default()
        .add_security_scheme("oauth2", SecurityScheme::OAuth2(OAuth2::new([flow])));
    api
}

/// Swagger UI, served from this binary: nothing is loaded from another host.
pub fn app<S: Clone + Send + Sync + 'static>(public_url: &PublicUrl) -> Router<S> {
    let config = Config::from("/openapi.json").oauth2_redirect_url(public_url.join(REDIRECT));
    let client = oauth::Config::new()
        .client_id("swagger")
        .use_pkce_with_authorization_code_grant(true)
        .scopes(vec!["some.scope".to_owned()]);
    let own_host = from_extractor_with_state::<PublicHost, _>(public_url.clone());
    let api = Json(openapi(public_url));
    Router::from(SwaggerUi::new("/docs").config(config).oauth(client))
        .layer(map_response(allow_swagger))
        .layer(own_host)
        .route("/openapi.json", get(async || api))
}

/// What Swagger UI needs: its own scripts, and styles that it writes itself. Its pages come without
/// a charset, which browsers would then guess.
async fn allow_swagger(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                          img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    let media_type = headers.get(header::CONTENT_TYPE);
    if media_type.is_some_and(|media_type| media_type == "text/html") {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, html);
    }
    response
}
