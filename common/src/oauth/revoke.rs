//! The end of a token (RFC 7009).

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum_extra::headers::{Authorization, HeaderMapExt};
use oauth2::{AccessToken, AuthType, HttpRequest, RefreshToken};
use url::{
    Url,
    form_urlencoded::{self, byte_serialize},
};

use super::OAuth;
use crate::{
    http::{HttpError, request},
    provider::Provider,
};

impl OAuth {
    /// Tells the provider that the token is not needed any more (RFC 7009).
    ///
    /// Best effort: the user is logged out here whatever the provider says.
    pub async fn revoke(&self, access_token: &AccessToken, refresh_token: Option<&RefreshToken>) {
        let Some(url) = &self.inner.provider.revocation_url else {
            return;
        };
        let refresh = async {
            match refresh_token {
                Some(token) => self.revoke_one(url, token.secret(), "refresh_token").await,
                None => Ok(()),
            }
        };
        let access = self.revoke_one(url, access_token.secret(), "access_token");
        // Both at once: not every provider revokes the one with the other.
        let (refresh, access) = tokio::join!(refresh, access);
        match refresh.and(access) {
            Ok(()) => self.narrate_revocation(access_token, refresh_token),
            Err(error) => tracing::warn!("the provider did not revoke the token: {error}"),
        }
    }

    async fn revoke_one(&self, url: &Url, token: &str, hint: &str) -> Result<(), HttpError> {
        let request = self.revocation_request(url, token, hint);
        match self.inner.http.send(request).await?.status() {
            StatusCode::OK => Ok(()),
            status => Err(HttpError::Status(status)),
        }
    }

    /// Built by hand, because oauth2 insists on https here, which a provider on this machine does
    /// not have.
    fn revocation_request(&self, url: &Url, token: &str, hint: &str) -> HttpRequest {
        let Provider {
            client_id,
            client_secret,
            auth_type,
            ..
        } = &self.inner.provider;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token)
            .append_pair("token_type_hint", hint);
        let in_body = matches!(auth_type, AuthType::RequestBody);
        if in_body {
            form.append_pair("client_id", client_id);
            form.append_pair("client_secret", client_secret.secret());
        }
        let mut request = request(Method::POST, url, form.finish().into_bytes());
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, form_type);
        if !in_body {
            let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let basic = Authorization::basic(&encode(client_id), &encode(client_secret.secret()));
            request.headers_mut().typed_insert(basic);
        }
        request
    }
}
