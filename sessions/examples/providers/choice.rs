//! The provider that the user chose.

use axum::{
    extract::{FromRequestParts, Path},
    http::{StatusCode, request::Parts},
    response::Redirect,
};
use common::{
    Error, Params, Result,
    oauth::{FinishedLogin, OAuth},
    provider::Identity,
    token::Token,
};
use tower_cookies::Cookies;

use super::{Providers, openid::OpenId};

/// One of the providers. As an extractor it is the one in the path, or 404.
#[derive(Clone)]
pub struct Choice {
    pub id: String,
    pub name: String,
    pub client: Client,
}

/// How a login goes: with an access token for the provider's API, or with a signed ID token.
#[derive(Clone)]
pub enum Client {
    OAuth(OAuth),
    OpenId(OpenId),
}

impl FromRequestParts<Providers> for Choice {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Providers) -> Result<Self> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        let asked = |Path(id)| state.choices.iter().find(|choice| choice.id == id).cloned();
        id.ok()
            .and_then(asked)
            .ok_or_else(|| (StatusCode::NOT_FOUND, "this provider is not set up here").into())
    }
}

impl Choice {
    /// Step 1: sends the browser to the provider.
    pub async fn begin(&self, cookies: &Cookies) -> Result<Redirect> {
        match &self.client {
            Client::OAuth(oauth) => oauth.begin(cookies, None),
            Client::OpenId(openid) => openid.begin(cookies, None).await,
        }
    }

    /// Steps 2 to 4: the callback, the token, and who the user is.
    pub async fn finish(
        &self,
        cookies: &Cookies,
        callback: &Params,
    ) -> Result<(FinishedLogin, Identity)> {
        match &self.client {
            Client::OAuth(oauth) => {
                let login = oauth.exchange(oauth.verify(cookies, callback)?).await?;
                let user = oauth.identity(&login.token).await?;
                Ok((login, user))
            }
            Client::OpenId(openid) => {
                let login = openid.finish(cookies, callback).await?;
                let user = openid.identity(&login).await?;
                Ok((login, user))
            }
        }
    }

    /// Revokes a token. The metadata of an OpenID provider may have to be fetched first.
    pub async fn revoke(&self, token: &Token) {
        let oauth = match &self.client {
            Client::OAuth(oauth) => Ok(oauth),
            Client::OpenId(openid) => openid.oauth().await,
        };
        match oauth {
            Ok(oauth) => {
                let refresh_token = token.refresh_token.as_ref();
                oauth.revoke(&token.access_token, refresh_token).await;
            }
            Err(error) => tracing::warn!("the provider did not revoke the token: {error:?}"),
        }
    }
}
