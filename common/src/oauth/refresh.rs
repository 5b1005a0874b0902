//! A new token for an expired one.

use oauth2::RefreshToken;

use super::OAuth;
use crate::{Result, token::Token, unix_now};

impl OAuth {
    /// The next token, once the last one has expired (RFC 6749, section 6).
    ///
    /// [`Error::GrantRefused`](crate::Error::GrantRefused) means that the user must log in again.
    pub async fn refresh(&self, refresh_token: &RefreshToken) -> Result<Token> {
        let token = self.request_refresh(refresh_token).await;
        self.narrate_refresh(refresh_token, &token);
        token
    }

    async fn request_refresh(&self, refresh_token: &RefreshToken) -> Result<Token> {
        let requested_at = unix_now();
        let mut token = self
            .inner
            .client
            .exchange_refresh_token(refresh_token)
            .request_async(&self.inner.http)
            .await
            .map_err(|error| self.token_error(error))?
            .checked(requested_at)?;
        // Without a new refresh token in the response, the old one stays valid.
        token
            .refresh_token
            .get_or_insert_with(|| refresh_token.clone());
        Ok(token)
    }
}
