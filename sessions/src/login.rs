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

use crate::session;

/// `GET /login?next=/path`: to the provider.
///
/// # Errors
/// Those of [`OAuth::begin`].
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
///
/// # Errors
/// Those of [`OAuth::verify`], [`OAuth::exchange`] and [`OAuth::identity`].
pub async fn auth(
    State(oauth): State<OAuth>,
    cookies: Cookies,
    callback: Params,
) -> Result<Redirect> {
    let code = oauth.verify(&cookies, &callback)?; // step 2: ours, from this browser, once
    let login = oauth.exchange(code).await?; // step 3: the code for a token
    let user = oauth.identity(&login.token).await?;
    // Replace this with your own: find the account of (provider, subject), or create it. Never by
    // name or e-mail address, which change hands.
    session::begin(&oauth, &cookies, user, login.token)?;

    Ok(Redirect::to(login.next.as_deref().unwrap_or("/users/me")))
}

/// `POST /logout`: ends the session here and the token at the provider.
///
/// # Errors
/// [`CrossSite`](common::Error::CrossSite); never because of the provider.
pub async fn logout(
    State(oauth): State<OAuth>,
    cookies: Cookies,
    headers: HeaderMap,
) -> Result<Redirect> {
    check_same_origin(&headers, oauth.public_url())?;
    session::end(&oauth, &cookies).await;

    Ok(Redirect::to("/"))
}

/// A path on this server, or nothing: who could choose the end of a login freely would send people
/// from our address to a copy of our page (open redirector, RFC 9700, section 4.11).
pub fn own_path(own: &PublicUrl, next: &str) -> Option<String> {
    // Browsers read `\` as `/` and resolve `/.//host`, so they are asked what they would do.
    let url = own.as_url().join(next).ok()?;
    let path = url[url::Position::BeforePath..].to_owned();
    let stays = next.starts_with('/') && url.origin() == own.as_url().origin();
    (stays && !path.starts_with("//") && path.len() <= 256).then_some(path)
}
