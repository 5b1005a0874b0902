//! `/docs` and `/openapi.json`: the API, to read about and to try.

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
    openapi::security::{
        Flow, HttpAuthScheme, HttpBuilder, Implicit, OAuth2, Password, Scopes, SecurityScheme,
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi, oauth};

use crate::{password, scopes::SCOPES};

/// Where Swagger UI receives its codes and tokens.
pub const REDIRECT: &str = "/docs/oauth2-redirect.html";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "first_party",
        description = "Tokens with scopes. The password and the implicit grant are here because \
                       you may still meet them; new applications use the authorization code flow with \
                       PKCE (RFC 9700)."
    ),
    paths(crate::endpoint1, crate::endpoint2, crate::endpoint3, password::token)
)]
struct Api;

/// The `OpenAPI` document, which says where to get a token on this server.
fn openapi(public_url: &PublicUrl) -> utoipa::openapi::OpenApi {
    let flows = [
        Flow::Password(Password::new(
            public_url.join("/token"),
            Scopes::from_iter(SCOPES),
        )),
        Flow::Implicit(Implicit::new(
            public_url.join("/login"),
            Scopes::from_iter(SCOPES),
        )),
    ];
    let pasted = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token that you already have, such as one from the form at /login.",
        ));
    let mut api = Api::openapi();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("oauth2", SecurityScheme::OAuth2(OAuth2::new(flows)));
    components.add_security_scheme("token", SecurityScheme::Http(pasted.build()));
    api
}

/// The routes of these documents.
pub fn routes<S: Clone + Send + Sync + 'static>(public_url: &PublicUrl) -> Router<S> {
    let client = oauth::Config::new().scopes(vec!["some.scope".to_owned()]);
    swagger(public_url, openapi(public_url), client)
}

/// Swagger UI for this API, served from this binary: nothing is loaded from another host. It calls
/// `PUBLIC_URL`, which browsers allow only to pages of that origin: anyone who typed `localhost` is
/// redirected.
pub fn swagger<S: Clone + Send + Sync + 'static>(
    public_url: &PublicUrl,
    api: utoipa::openapi::OpenApi,
    client: oauth::Config,
) -> Router<S> {
    let config = Config::from("/openapi.json").oauth2_redirect_url(public_url.join(REDIRECT));
    let client = client.client_id("swagger");
    let own_host = from_extractor_with_state::<PublicHost, _>(public_url.clone());
    let api = Json(api);
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
    let policy = HeaderValue::from_static(POLICY);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|media_type| media_type == "text/html")
    {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, html);
    }
    response
}
