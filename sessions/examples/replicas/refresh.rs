//! One refresh for all replicas.
//!
//! A provider that rotates refresh tokens treats a second use of one as theft and revokes
//! everything (RFC 9700, section 4.14.2). So a replica claims the refresh in the store, and then
//! records there that it is about to send the token. If it dies before that record, the next one
//! takes over. If it dies afterwards, nobody can know whether the token was redeemed: it
//! is never sent again, and the user must log in again.

use std::time::Duration;

use axum::http::StatusCode;
use common::{Error, Result, random_token, token::Token};
use oauth2::{AccessToken, RefreshToken};
use tokio::time::{Instant, sleep};

use super::{
    Replica,
    session::{KeptToken, Session, user_key, valid_for},
    store::Claim,
};

/// How long a request waits for another request's refresh.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// How often it checks whether that refresh has finished.
const LOOK: Duration = Duration::from_millis(100);
/// How long it keeps trying to store a new token, which would be lost otherwise.
const KEEP_TRYING: Duration = Duration::from_secs(9);

const BUSY: (StatusCode, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "the token is being renewed; please try again",
);

impl Replica {
    /// The provider's access token of this session, a new one if the last has expired.
    ///
    /// [`Error::NotLoggedIn`] when the session has ended, here or at the provider.
    pub async fn fresh_access_token(&self, mut session: Session) -> Result<AccessToken> {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            let sealed = &session.stored.token;
            let token = self.open_token(&session.key, sealed);
            let token = token.ok_or(Error::NotLoggedIn)?;
            let Some(refresh_token) = token
                .refresh_token
                .filter(|_| session.stored.token_has_expired)
            else {
                return Ok(token.access_token);
            };
            let attempt = random_token();
            let user = user_key(&session.identity);
            match self
                .store
                .claim(&session.key, &user, &attempt, sealed)
                .await?
            {
                Claim::Yours => return self.refresh(session.key, attempt, refresh_token).await,
                Claim::Gone => return Err(Error::NotLoggedIn),
                Claim::Changed => {}
                Claim::Wait if Instant::now() + LOOK > deadline => return Err(BUSY.into()),
                Claim::Wait => sleep(LOOK).await,
            }
            let next = self.load(session.key).await?;
            session = next.ok_or(Error::NotLoggedIn)?;
        }
    }

    /// In a separate task, which a shutdown waits for: if a browser disconnects, a rotated token
    /// must not be lost halfway.
    async fn refresh(
        &self,
        key: String,
        attempt: String,
        refresh_token: RefreshToken,
    ) -> Result<AccessToken> {
        let replica = self.clone();
        let task = async move { replica.refresh_once(&key, &attempt, &refresh_token).await };
        let task = self.background.spawn(task);
        task.await
            .unwrap_or_else(|_| Err(Error::Provider("the refresh was interrupted".into())))
    }

    async fn refresh_once(
        &self,
        key: &str,
        attempt: &str,
        refresh_token: &RefreshToken,
    ) -> Result<AccessToken> {
        match self.store.will_send(key, attempt).await {
            Ok(true) => {}
            // This process was too slow and another has taken over, or the session has ended.
            Ok(false) => return Err(BUSY.into()),
            Err(error) => {
                self.store.release(key, attempt).await?;
                return Err(error);
            }
        }
        match self.oauth.refresh(refresh_token).await {
            Ok(token) => self.keep(key, attempt, token).await,
            Err(Error::GrantRefused) => Err(Error::NotLoggedIn),
            // Nobody knows whether the provider has redeemed the token, so it is not sent again.
            Err(error @ (Error::ProviderTimeout { sent: true } | Error::ProviderUnclear(_))) => {
                Err(error)
            }
            Err(error) => {
                // The provider has refused or was not reached: the next request tries again.
                self.store.release(key, attempt).await?;
                Err(error)
            }
        }
    }

    /// Stores the new token. If the session has ended in the meantime, nobody would ever use the
    /// token, so it is revoked.
    async fn keep(&self, key: &str, attempt: &str, token: Token) -> Result<AccessToken> {
        let sealed = self.seal_token(key, &token);
        let deadline = Instant::now() + KEEP_TRYING;
        let kept = loop {
            let kept = self.store.finish(key, attempt, &sealed, valid_for(&token));
            match kept.await {
                Err(_) if Instant::now() < deadline => sleep(LOOK).await,
                kept => break kept?,
            }
        };
        if kept {
            return Ok(token.access_token);
        }
        self.revoke_token(KeptToken {
            access_token: token.access_token,
            refresh_token: token.refresh_token,
        });
        Err(Error::NotLoggedIn)
    }
}
