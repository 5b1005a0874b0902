//! How a session begins and ends.

use axum::{extract::State, http::HeaderMap, response::Redirect};
use common::{
    Params, Result,
    oauth::OAuth,
    params::Unchecked,
    server::{PublicHost, check_same_origin},
    settings::PublicUrl,
};
use tower_cookies::Cookies;
use url::Position;

use crate::{AppState, session::SessionCookies};

/// The longest path that a login remembers, in bytes. Each pending login is a cookie, and together
/// with the session's cookies they must fit into a header that proxies accept.
const MAX_NEXT: usize = 128;

/// `GET /login?next=/path`: sends the browser to the provider. On this machine, which has several
/// names, [`PublicHost`] makes sure that the cookie is set on the one where the login ends.
pub async fn login(
    _: PublicHost,
    State(oauth): State<OAuth>,
    cookies: Cookies,
    params: Unchecked,
) -> Result<Redirect> {
    let next = params
        .get("next")
        .and_then(|next| own_path(oauth.public_url(), next));
    oauth.begin(&cookies, next) // step 1
}

/// `GET /auth?code=…&state=…`: back from the provider; a session begins.
pub async fn auth(
    State(oauth): State<OAuth>,
    cookies: Cookies,
    session: SessionCookies,
    callback: Params,
) -> Result<Redirect> {
    let verified = oauth.verify(&cookies, &callback)?; // step 2: ours, from this browser, once
    let login = oauth.exchange(verified).await?; // step 3: the code for a token
    let identity = oauth.identity(&login.token).await?; // step 4: whose token it is
    // Replace this with your own: find the account of (provider, subject), or create it, and begin
    // its session. Never look it up by name or e-mail address, which change hands.
    session.begin(identity, login.token)?;

    Ok(Redirect::to(login.next.as_deref().unwrap_or("/users/me")))
}

/// `POST /logout`: ends the session here, and revokes the token at the provider.
pub async fn logout(
    State(state): State<AppState>,
    cookies: SessionCookies,
    headers: HeaderMap,
) -> Result<Redirect> {
    check_same_origin(&headers, state.oauth.public_url())?;
    state.end(&cookies);

    Ok(Redirect::to("/"))
}

impl AppState {
    /// Ends the session of this browser, whatever the provider does: a separate task revokes the
    /// token, and the response does not wait for it.
    pub fn end(&self, cookies: &SessionCookies) {
        // Before `end`: afterwards the token cannot be read any more.
        let session = cookies.session(self.oauth.provider());
        let token = session.and_then(|session| cookies.token(&session));
        cookies.end();
        if let Some(token) = token {
            let (oauth, refreshes) = (self.oauth.clone(), self.refreshes.clone());
            self.background
                .spawn(async move { refreshes.revoke(&oauth, &token).await });
        }
    }
}

/// A path on this server, or nothing: an attacker who could choose where a login ends would send
/// people from our address to a copy of our page (open redirector, RFC 9700, section 4.11).
pub fn own_path(own: &PublicUrl, next: &str) -> Option<String> {
    // Parsed as a browser does: `\` counts as `/`, and `/.//host` becomes `//host`.
    let url = own.as_url().join(next).ok()?;
    let path = url[Position::BeforePath..].to_owned();
    let stays = next.starts_with('/') && url.origin() == own.as_url().origin();
    (stays && !path.starts_with("//") && path.len() <= MAX_NEXT).then_some(path)
}
