//! How a session begins and ends: as in the server `sessions`, and in the database too.

use axum::{extract::State, http::HeaderMap, response::Redirect};
use common::{Params, Result, oauth::OAuth, server::check_same_origin};
use sessions::session::SessionCookies;
use tower_cookies::Cookies;

use super::Permissions;

/// `GET /auth?code=…&state=…`: back from the provider; a session begins, here and in the database.
pub async fn auth(
    State(Permissions {
        accounts, admin, ..
    }): State<Permissions>,
    State(oauth): State<OAuth>,
    cookies: Cookies,
    session_cookies: SessionCookies,
    callback: Params,
) -> Result<Redirect> {
    let verified = oauth.verify(&cookies, &callback)?;
    let login = oauth.exchange(verified).await?;
    let identity = oauth.identity(&login.token).await?;
    let account = accounts.find_or_create(&identity).await?;
    accounts.appoint_admin(&account, admin.as_deref()).await?;

    // The previous session of this browser ends, because its cookie is overwritten.
    if let Some(old) = session_cookies.session(oauth.provider()) {
        accounts.end_session(&old.id).await?;
    }
    let session = session_cookies.begin(identity, login.token)?;
    accounts.begin_session(&session.id, account.id).await?;
    tracing::info!("account {} has logged in", account.id);

    Ok(Redirect::to(login.next.as_deref().unwrap_or("/users/me")))
}

/// `POST /logout`: ends the session, so that a copy of its cookie grants no access any more.
pub async fn logout(
    State(Permissions {
        sessions, accounts, ..
    }): State<Permissions>,
    State(oauth): State<OAuth>,
    cookies: SessionCookies,
    headers: HeaderMap,
) -> Result<Redirect> {
    check_same_origin(&headers, oauth.public_url())?;
    // The row goes first: a user who is told that they are logged out really is.
    if let Some(session) = cookies.session(oauth.provider()) {
        accounts.end_session(&session.id).await?;
    }
    sessions.end(&cookies);

    Ok(Redirect::to("/"))
}
