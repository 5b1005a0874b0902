//! `/docs` and `/openapi.json`: the endpoints, to try with a token from the code flow with
//! PKCE.

use axum::Router;
use common::settings::PublicUrl;
use first_party::docs::swagger;
use utoipa::{
    OpenApi,
    openapi::security::{AuthorizationCode, Flow, OAuth2, Scopes, SecurityScheme},
};
use utoipa_swagger_ui::oauth;

use super::{access_token, scopes::all};

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

/// Swagger UI, as a client of this server.
pub fn routes<S: Clone + Send + Sync + 'static>(public_url: &PublicUrl) -> Router<S> {
    let client = oauth::Config::new()
        .use_pkce_with_authorization_code_grant(true)
        .scopes(vec!["some.scope".to_owned()]);
    swagger(public_url, openapi(public_url), client)
}
