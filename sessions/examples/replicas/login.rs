//! How a session begins and ends.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Redirect,
};
use common::{Error, Params, Result, server::check_same_origin};
use tower_cookies::Cookies;

use super::{
    Replica,
    session::{KeptToken, LoggedIn, Session, user_key},
};

/// `GET /auth?code=…&state=…`: back from the provider; a session begins.
pub async fn auth(
    State(replica): State<Replica>,
    cookies: Cookies,
    headers: HeaderMap,
    callback: Params,
) -> Result<Redirect> {
    let oauth = &replica.oauth;
    let verified = oauth.verify(&cookies, &callback)?; // step 2: ours, from this browser, once
    let login = oauth.exchange(verified).await?; // step 3: the code for a token
    let identity = oauth.identity(&login.token).await?; // step 4: whose token it is
    let browser = headers.get(header::USER_AGENT);
    let browser = browser.and_then(|name| name.to_str().ok());
    replica
        .begin(
            &cookies,
            (identity, login.token),
            browser.unwrap_or("unknown"),
        )
        .await?;

    Ok(Redirect::to(login.next.as_deref().unwrap_or("/users/me")))
}

/// `POST /logout`: ends this session on all replicas, and revokes the token at the provider.
///
/// While the store is down it fails and says so: the session has not ended.
pub async fn logout(
    State(replica): State<Replica>,
    cookies: Cookies,
    headers: HeaderMap,
) -> Result<Redirect> {
    check_same_origin(&headers, replica.oauth.public_url())?;
    if let Some(session) = replica.session(&cookies).await? {
        replica.end(session, false).await?;
    }
    replica.forget(&cookies);

    Ok(Redirect::to("/"))
}

/// `POST /logout/everywhere`: ends all sessions of this user, and revokes their tokens at the
/// provider.
pub async fn logout_everywhere(
    State(replica): State<Replica>,
    LoggedIn(session): LoggedIn,
    cookies: Cookies,
    headers: HeaderMap,
) -> Result<Redirect> {
    check_same_origin(&headers, replica.oauth.public_url())?;
    replica.end(session, true).await?;
    replica.forget(&cookies);

    Ok(Redirect::to("/"))
}

impl Replica {
    /// Ends a session, or all of its user, and has the provider revoke their tokens in the
    /// background.
    ///
    /// In a task of its own: if a browser disconnects, a session must not end without its token.
    async fn end(&self, session: Session, everywhere: bool) -> Result<()> {
        let replica = self.clone();
        let task = self.background.spawn(async move {
            let user = user_key(&session.identity);
            let ended = if everywhere {
                replica.store.end_all(&user).await?
            } else {
                let token = replica.store.end(&session.key, &user).await?;
                Vec::from_iter(token.map(|token| (session.key, token)))
            };
            for (key, token) in ended {
                if let Some(token) = replica.open_token(&key, &token) {
                    replica.revoke_token(token);
                }
            }
            Ok(())
        });
        task.await
            .unwrap_or_else(|_| Err(Error::Database("the logout was interrupted".into())))
    }

    /// Revokes a token in the background.
    pub fn revoke_token(&self, token: KeptToken) {
        let oauth = self.oauth.clone();
        self.background.spawn(async move {
            let refresh_token = token.refresh_token.as_ref();
            oauth.revoke(&token.access_token, refresh_token).await;
        });
    }
}
