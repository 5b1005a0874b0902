//! How a session begins and ends: as in the server, and in the database.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{Redirect, Result},
};
use common::{Params, oauth::OAuth, server::check_same_origin};
use sessions::session;
use tower_cookies::Cookies;

use super::Permissions;

/// `GET /auth?code=…&state=…`: back from the provider; a session begins, here and in the database.
pub async fn auth(
    State(Permissions {
        accounts, admin, ..
    }): State<Permissions>,
    State(oauth): State<OAuth>,
    cookies: Cookies,
    callback: Params,
) -> Result<Redirect> {
    let code = oauth.verify(&cookies, &callback)?;
    let login = oauth.exchange(code).await?;
    let user = oauth.identity(&login.token).await?;
    let account = accounts.find_or_create(&user).await?;
    accounts.appoint_admin(&account, admin.as_deref()).await?;

    // The session that this browser had ends, as its cookie is overwritten.
    if let Some(old) = session::current(&oauth, &cookies) {
        accounts.end_session(&old.id).await?;
    }
    let session = session::begin(&oauth, &cookies, user, login.token)?;
    accounts.begin_session(&session.id, account.id).await?;
    tracing::info!("account {} has logged in", account.id);

    Ok(Redirect::to(login.next.as_deref().unwrap_or("/users/me")))
}

/// `POST /logout`: ends the session, so that a copy of its cookie opens nothing any more.
pub async fn logout(
    State(Permissions { accounts, .. }): State<Permissions>,
    State(oauth): State<OAuth>,
    cookies: Cookies,
    headers: HeaderMap,
) -> Result<Redirect> {
    check_same_origin(&headers, oauth.public_url())?;
    // First the row: who is told to be logged out, is.
    if let Some(session) = session::current(&oauth, &cookies) {
        accounts.end_session(&session.id).await?;
    }
    session::end(&oauth, &cookies).await;

    Ok(Redirect::to("/"))
}
