//! `POST /token`: the token endpoint (RFC 6749, section 3.2), and the grant of a client that acts
//! on its own behalf.

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, request::Parts},
    response::{IntoResponse, Response},
};
use common::{Error, Params, authorization::scope, error::OAuthError};
use first_party::token::CLIENT;

use super::{
    clients::Client,
    resources,
    scopes::{granted, names, without_a_person},
    settings::Server,
    tokens::{Issued, NewToken, TokenResponse},
};

/// `POST /token`: issues a token for a code, a refresh token or the client's own credentials.
pub async fn token(
    State(server): State<Server>,
    _: InBodyAlone,
    headers: HeaderMap,
    params: Params,
) -> Result<Issued, Failure> {
    let client = server.clients.authenticate(&headers, &params)?;
    let answer = match params.get("grant_type") {
        Some("authorization_code") => server.redeem_code(client, &params).await?,
        Some("refresh_token") => server.refresh(client, &params).await?,
        Some("client_credentials") => server.client_credentials(client, &params)?,
        Some(_) => return Err(UNSUPPORTED.into()),
        None => return Err(OAuthError::invalid_request("grant_type is missing").into()),
    };
    Ok(answer.into_answer())
}

impl Server {
    /// `grant_type=client_credentials` (RFC 6749, section 4.4). There is no refresh token: a client
    /// that has the secret can ask again.
    fn client_credentials(
        &self,
        client: &Client,
        params: &Params,
    ) -> Result<TokenResponse, OAuthError> {
        if client.secret.is_none() {
            return Err(UNAUTHORIZED_CLIENT);
        }
        let scopes = params.get("scope").map(|list| scope::parse(list, &names()));
        let scopes = without_a_person(scopes.transpose()?.unwrap_or_default());
        let scopes = granted(&scopes, &client.scopes, &client.scopes);
        let granted = resources::requested(params, &self.resources)?;
        tracing::info!("a client authenticated and got a token for itself");
        Ok(self.issue(NewToken {
            // The prefix keeps a client from being mistaken for a user with the same name.
            subject: &format!("{CLIENT}{}", client.id),
            client_id: &client.id,
            audience: &resources::audience(params, &granted)?,
            scope: scopes.join(" "),
            grant_id: None,
        }))
    }
}

const UNSUPPORTED: OAuthError = OAuthError {
    error: "unsupported_grant_type",
    description: "grant_type must be authorization_code, refresh_token or client_credentials",
};

const UNAUTHORIZED_CLIENT: OAuthError = OAuthError {
    error: "unauthorized_client",
    description: "a public client cannot authenticate, and gets no token for itself",
};

/// A guard: there are no parameters in the URL, which ends up in logs (RFC 6749, section 2.3.1).
pub struct InBodyAlone;

impl<S: Send + Sync> FromRequestParts<S> for InBodyAlone {
    type Rejection = OAuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, OAuthError> {
        match parts.uri.query() {
            None => Ok(Self),
            Some(_) => Err(OAuthError::invalid_request(
                "send the parameters in the body",
            )),
        }
    }
}

/// Why a request failed: the client's mistake, the database, or another response.
pub enum Failure {
    OAuth(OAuthError),
    Database(Error),
    Other(Response),
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::OAuth(error) => error.into_response(),
            Self::Database(error) => error.into_response(),
            Self::Other(response) => response,
        }
    }
}
