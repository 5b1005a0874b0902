//! `/consent`: the user allows a client what it asks for, or not.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use common::{Page, authorization::ACCESS_DENIED, params::Unchecked, server::check_same_origin};
use sqlx::{Any, Transaction};
use tower_cookies::Cookies;

use super::{
    refresh::ABSOLUTE_LIFETIME,
    request::Request,
    scopes::all,
    session::Session,
    settings::Server,
    store::{after, now},
};

/// Only the consent for a confidential client is remembered, because it authenticates. Anyone can
/// claim to be a public client, so the user is asked each time (RFC 8252, section 8.6).
const LIFETIME: Duration = ABSOLUTE_LIFETIME;

#[derive(Template)]
#[template(path = "authorization_server/consent.html")]
struct Consent {
    client: String,
    user: String,
    scopes: Vec<(&'static str, &'static str)>,
    /// Requested, but not allowed for this user or this client.
    left_out: Vec<String>,
    hidden: Vec<(&'static str, String)>,
}

/// `POST /consent`: the user pressed Allow or Deny.
pub async fn decide(
    State(server): State<Server>,
    cookies: Cookies,
    headers: HeaderMap,
    params: Unchecked,
) -> axum::response::Result<Response> {
    check_same_origin(&headers, &server.public_url)?;
    let allowed = params.get("decision") == Some("allow");
    let user = params.get("user").unwrap_or_default().to_owned();
    // The form came back through the browser, so all of it is checked again.
    let request = server.check(params)?;
    if !allowed {
        tracing::info!("3/5 the user denies access; nothing is remembered");
        return Ok(request
            .oauth
            .redirect_with_error(ACCESS_DENIED)
            .into_response());
    }
    let session = server
        .session(&cookies)
        .await
        .map_err(|error| request.unavailable(&error))?;
    // If someone has logged in or out since the page was shown, the current user has not seen it.
    let is_same = |session: &Session| session.account.username == user && request.accepts(session);
    let Some(session) = session.filter(is_same) else {
        return Ok(server.proceed(&cookies, request).await?);
    };
    let scopes = server.granted(&request, &session);
    let code = server.allow(&request, &session, &scopes).await;
    let code = code.map_err(|error| request.unavailable(&error))?;
    tracing::info!("3/5 the user allows [{}]", scopes.join(" "));
    Ok(request.redirect_with_code(&code))
}

/// The consent page.
pub fn page(request: &Request, session: &Session, scopes: &[String]) -> Response {
    let is_granted = |scope: &&String| scopes.contains(scope);
    let left_out = request
        .oauth
        .scopes
        .iter()
        .filter(|scope| !is_granted(scope))
        .cloned();
    let mut hidden = request.fields();
    hidden.push(("user", session.account.username.clone()));
    let consent = Consent {
        client: request.oauth.client_id.clone(),
        user: session.account.username.clone(),
        scopes: all()
            .filter(|(name, _)| scopes.iter().any(|scope| scope == name))
            .collect(),
        left_out: left_out.collect(),
        hidden,
    };
    request.page(Page::new("Allow access?", consent))
}

impl Server {
    /// Whether this client already has the user's consent for all of these scopes.
    pub async fn has_consented(
        &self,
        request: &Request,
        session: &Session,
        scopes: &[String],
    ) -> sqlx::Result<bool> {
        const SQL: &str = "SELECT scope FROM authorization_consents
            WHERE subject = $1 AND client_id = $2 AND expires > $3";
        if self.client(request).secret.is_none() || request.prompts("consent") {
            return Ok(false);
        }
        let query = sqlx::query_scalar(SQL).bind(&session.account.username);
        let query = query.bind(&request.oauth.client_id).bind(now());
        let given: Vec<String> = query.fetch_all(&self.db).await?;
        Ok(needed(scopes).all(|scope| given.iter().any(|given| given == scope)))
    }

    /// Remembers a consent and issues a code for it, in one transaction.
    async fn allow(
        &self,
        request: &Request,
        session: &Session,
        scopes: &[String],
    ) -> sqlx::Result<String> {
        let mut tx = self.db.begin().await?;
        let code = self.issue_code(&mut *tx, request, session, scopes).await?;
        if self.client(request).secret.is_some() {
            remember(&mut tx, request, session, scopes).await?;
        }
        tx.commit().await?;
        Ok(code)
    }
}

/// What a consent has to cover: the scopes, and an empty one, which stands for this client learning
/// who the user is at all.
fn needed(scopes: &[String]) -> impl Iterator<Item = &str> {
    scopes.iter().map(String::as_str).chain([""])
}

async fn remember(
    tx: &mut Transaction<'static, Any>,
    request: &Request,
    session: &Session,
    scopes: &[String],
) -> sqlx::Result<()> {
    const SQL: &str = "INSERT INTO authorization_consents (subject, client_id, scope, expires)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject, client_id, scope) DO UPDATE SET expires = excluded.expires";
    for scope in needed(scopes) {
        let query = sqlx::query(SQL).bind(&session.account.username);
        let query = query
            .bind(&request.oauth.client_id)
            .bind(scope)
            .bind(after(LIFETIME));
        query.execute(&mut **tx).await?;
    }
    Ok(())
}
