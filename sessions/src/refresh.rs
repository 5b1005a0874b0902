//! The provider's token, renewed when it has run out.

use std::{sync::Arc, time::Duration};

use common::{Error, Result, expiring::Expiring, oauth::OAuth, token::Token, unix_now};
use oauth2::{AccessToken, RefreshToken};
use tokio::sync::OnceCell;
use tower_cookies::Cookies;

use crate::session::{self, Session};

/// The refreshes of the last minute, by the old refresh token.
///
/// A provider that rotates refresh tokens takes the second use of one for theft and ends
/// everything (RFC 9700, section 4.14.2). But a page sends many requests at once, and some come
/// with the old cookie just after: they share one refresh. Per process: give the requests of one
/// session to one replica, or keep this table where all replicas find it.
#[derive(Clone, Debug)]
pub struct Refreshes(Arc<Expiring<Refresh>>);

/// Done by whoever comes first, for all.
type Refresh = Arc<OnceCell<Result<Token>>>;

impl Default for Refreshes {
    fn default() -> Self {
        Self(Arc::new(Expiring::new(Duration::from_mins(1), 1000)))
    }
}

impl Refreshes {
    /// The provider's access token of this session, a new one if the last has run out.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`] when there is no token or the provider gives no other any more;
    /// [`Error::Provider`] when it cannot be asked, and then the person stays logged in.
    pub async fn access_token(
        &self,
        oauth: &OAuth,
        cookies: &Cookies,
        session: &Session,
    ) -> Result<AccessToken> {
        let token = session::token(oauth, cookies, session).ok_or(Error::NotLoggedIn)?;
        let has_run_out = token.expires_at.is_some_and(|end| end <= unix_now());
        match token.refresh_token {
            Some(refresh_token) if has_run_out => {
                let next = self.refresh(oauth, refresh_token).await?;
                let access_token = next.access_token.clone();
                session::set_token(oauth, cookies, session, next)?;
                Ok(access_token)
            }
            _ => Ok(token.access_token),
        }
    }

    async fn refresh(&self, oauth: &OAuth, refresh_token: RefreshToken) -> Result<Token> {
        let refresh = self.shared(&refresh_token);
        let (table, oauth) = (self.clone(), oauth.clone());
        // A task of its own: when a browser hangs up, a rotated token must not be lost half way.
        let task = tokio::spawn(async move {
            let once = async || table.refresh_once(&oauth, &refresh_token).await;
            refresh.get_or_init(once).await.clone()
        });
        task.await
            .unwrap_or_else(|_| Err(Error::Provider("the refresh broke off".into())))
    }

    async fn refresh_once(&self, oauth: &OAuth, refresh_token: &RefreshToken) -> Result<Token> {
        match oauth.refresh(refresh_token).await {
            Err(Error::GrantRefused) => Err(Error::NotLoggedIn),
            Err(error) => {
                // Whoever comes later tries again.
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

/// Whether the new token has run out already, and the refresh token is good for another.
fn must_be_repeated(refresh: &Refresh, refresh_token: &RefreshToken) -> bool {
    let Some(Ok(token)) = refresh.get() else {
        return false;
    };
    let has_run_out = token.expires_at.is_some_and(|end| end <= unix_now());
    has_run_out && token.refresh_token.as_ref() == Some(refresh_token)
}
