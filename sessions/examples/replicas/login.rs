//! How a session begins and ends.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Redirect,
};
use common::{
    Params, Result,
    oauth::OAuth,
    params::Unchecked,
    server::{PublicHost, check_same_origin},
};
use sessions::login::own_path;
use tower_cookies::Cookies;

use super::{
    Replica,
    session::{KeptToken, LoggedIn, user_key},
};

/// `GET /login?next=/path`: sends the browser to the provider. The pending login is in a cookie, so
/// another replica may finish it.
pub async fn login(
    _: PublicHost,
    State(oauth): State<OAuth>,
    cookies: Cookies,
    params: Unchecked,
) -> Result<Redirect> {
    let next = params
        .get("next")
        .and_then(|next| own_path(oauth.public_url(), next));
    oauth.begin(&cookies, next)
}

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
        let user = user_key(&session.identity);
        let token = replica.store.end(&session.key, &user).await?;
        replica.revoke(token.map(|token| (session.key, token)));
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
    let ended = replica.store.end_all(&user_key(&session.identity)).await?;
    replica.revoke(ended);
    replica.forget(&cookies);

    Ok(Redirect::to("/"))
}

impl Replica {
    /// Revokes the tokens of sessions that have ended, in the background: neither the response nor
    /// the client waits for the provider.
    fn revoke(&self, ended: impl IntoIterator<Item = (String, Vec<u8>)>) {
        for (key, token) in ended {
            if let Some(token) = self.open_token(&key, &token) {
                self.revoke_token(token);
            }
        }
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
