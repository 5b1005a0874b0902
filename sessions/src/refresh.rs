//! The provider's token, renewed when it has expired.

use std::{sync::Arc, time::Duration};

use common::{Error, Result, expiring::Expiring, oauth::OAuth, token::Token};
use oauth2::{AccessToken, RefreshToken};
use tokio::sync::OnceCell;

use crate::session::{Session, SessionCookies};

/// The refreshes of the last minute, by the old refresh token.
///
/// A provider that rotates refresh tokens treats a second use of one as theft and revokes
/// everything (RFC 9700, section 4.14.2). But a page sends many requests at once, and some still
/// arrive with the old cookie afterwards: they all share one refresh. This table is per process:
/// send the requests of one session to one replica, or keep the table where all replicas can find
/// it.
#[derive(Clone, Debug)]
pub struct Refreshes(Arc<Expiring<Refresh>>);

/// One refresh: the first request that needs it redeems the token, and the others wait for it.
type Refresh = Arc<OnceCell<Result<Token>>>;

impl Default for Refreshes {
    fn default() -> Self {
        Self(Arc::new(Expiring::new(Duration::from_mins(1), 1000)))
    }
}

impl Refreshes {
    /// The provider's access token of this session, a new one if the last has expired. Without a
    /// refresh token, the expired access token is returned, and the provider rejects it.
    ///
    /// [`Error::NotLoggedIn`] when there is no token, or the provider no longer issues one;
    /// [`Error::Provider`] when it cannot be reached, and then the user stays logged in.
    pub async fn fresh_access_token(
        &self,
        oauth: &OAuth,
        cookies: &SessionCookies,
        session: &Session,
    ) -> Result<AccessToken> {
        let token = cookies.token(session).ok_or(Error::NotLoggedIn)?;
        match &token.refresh_token {
            Some(refresh_token) if token.has_expired() => {
                let next = self.refresh(oauth, refresh_token.clone()).await?;
                let access_token = next.access_token.clone();
                cookies.set_token(session, next)?;
                Ok(access_token)
            }
            _ => Ok(token.access_token),
        }
    }

    /// Revokes the token of a session that has ended. If a refresh has replaced it, revokes the new
    /// token as well: the browser may never have received it, and not every provider revokes both.
    pub async fn revoke(&self, oauth: &OAuth, token: &Token) {
        let refreshed = match &token.refresh_token {
            Some(refresh_token) => self.finish_refresh(refresh_token).await,
            None => None,
        };
        let revoke = async |token: &Token| {
            let refresh_token = token.refresh_token.as_ref();
            oauth.revoke(&token.access_token, refresh_token).await;
        };
        match &refreshed {
            Some(refreshed) => {
                tokio::join!(revoke(token), revoke(refreshed));
            }
            None => revoke(token).await,
        }
    }

    /// Waits for the refresh of this token, if there is one, and returns what it issued. Otherwise
    /// prevents one for as long as this table remembers it.
    async fn finish_refresh(&self, refresh_token: &RefreshToken) -> Option<Token> {
        let refresh = self.shared(refresh_token);
        let none = async || Err(Error::NotLoggedIn);
        refresh.get_or_init(none).await.clone().ok()
    }

    async fn refresh(&self, oauth: &OAuth, refresh_token: RefreshToken) -> Result<Token> {
        let refresh = self.shared(&refresh_token);
        let (table, oauth) = (self.clone(), oauth.clone());
        // In a separate task: if a browser disconnects, a rotated token must not be lost halfway.
        let task = tokio::spawn(async move {
            let once = async || table.refresh_once(&oauth, &refresh_token).await;
            refresh.get_or_init(once).await.clone()
        });
        task.await
            .unwrap_or_else(|_| Err(Error::Provider("the refresh was interrupted".into())))
    }

    async fn refresh_once(&self, oauth: &OAuth, refresh_token: &RefreshToken) -> Result<Token> {
        match oauth.refresh(refresh_token).await {
            Err(Error::GrantRefused) => Err(Error::NotLoggedIn),
            Err(error) => {
                // The next request tries again.
                self.0.remove(refresh_token.secret());
                Err(error)
            }
            Ok(token) => Ok(token),
        }
    }

    fn shared(&self, refresh_token: &RefreshToken) -> Refresh {
        let known = self.0.update(refresh_token.secret(), |refresh| {
            if must_be_repeated(refresh, refresh_token) {
                *refresh = Refresh::default();
            }
            refresh.clone()
        });
        known.unwrap_or_else(|| {
            self.0
                .get_or_insert_with(refresh_token.secret(), Refresh::default)
        })
    }
}

/// Whether a remembered refresh is of no more use: its token has expired within the minute, and the
/// provider did not rotate the refresh token, which can be redeemed again.
fn must_be_repeated(refresh: &Refresh, refresh_token: &RefreshToken) -> bool {
    let Some(Ok(token)) = refresh.get() else {
        return false;
    };
    token.has_expired() && token.refresh_token.as_ref() == Some(refresh_token)
}
