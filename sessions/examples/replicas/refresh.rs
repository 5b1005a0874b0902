//! One refresh for all replicas.
//!
//! A provider that rotates refresh tokens takes a second use of one for theft and revokes everything
//! (RFC 9700, section 4.14.2). So a refresh is claimed in the store before the token is sent, and the
//! store notes just before that the token is about to be sent. If the process dies before that note,
//! the next one takes over. If it dies after it, nobody can know whether the token was redeemed: it
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

/// How long a request waits for the refresh of another.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it looks whether that has ended.
const LOOK: Duration = Duration::from_millis(100);
/// For how long the store is asked to take a new token, which is lost otherwise.
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
        let deadline = Instant::now() + PATIENCE;
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

    /// In a task of its own, which a shutdown waits for: when a browser hangs up, a rotated token
    /// must not be lost half way.
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
            .unwrap_or_else(|_| Err(Error::Provider("the refresh broke off".into())))
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
            Err(Error::ProviderTimeout) => Err(Error::ProviderTimeout),
            Err(error) => {
                // The provider has refused, and the next request tries again.
                self.store.release(key, attempt).await?;
                Err(error)
            }
        }
    }

    /// Stores the new token. If the session has ended meanwhile, nobody would ever use it: it is
    /// revoked.
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
