//! `/logout`: a client, or the user, ends the session at this server (OpenID Connect RP-Initiated
//! Logout 1.0).

use askama::Template;
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response, Result},
};
use common::{
    Error, Page, Params,
    server::{PublicHost, check_same_origin},
};
use jsonwebtoken::crypto;
use serde::Deserialize;
use tower_cookies::Cookies;
use url::Url;

use super::{access_token::object, settings::Server, tokens::IdClaims};

#[derive(Template)]
#[template(path = "authorization_server/logout.html")]
struct Ask {
    user: String,
    hidden: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "authorization_server/logged_out.html")]
struct LoggedOut;

/// The logout request that a client sent.
struct Request {
    /// The user that the client believes is logged in, from one of our ID tokens.
    user: Option<String>,
    /// Where to go afterwards: a registered URI, with the client's `state`.
    next: Option<Url>,
}

/// `GET /logout?id_token_hint=…&post_logout_redirect_uri=…&state=…`: all of them can be missing.
pub async fn logout(
    _: PublicHost,
    State(server): State<Server>,
    cookies: Cookies,
    params: Params,
) -> Result<Response> {
    let request = server.logout_request(&params).await?;
    let session = server.session(&cookies).await.map_err(Error::from)?;
    // Only a client that has the user's ID token can end the session without asking the user:
    // otherwise any page could log its visitors out with a link.
    match session.map(|session| session.account.username) {
        Some(user) if request.user.as_ref() != Some(&user) => Ok(request.ask(user, &params)),
        _ => end(&server, &cookies, request).await,
    }
}

/// `POST /logout/confirm`: the user pressed the button.
pub async fn confirm(
    State(server): State<Server>,
    cookies: Cookies,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    check_same_origin(&headers, &server.public_url)?;
    let request = server.logout_request(&params).await?;
    end(&server, &cookies, request).await
}

async fn end(server: &Server, cookies: &Cookies, request: Request) -> Result<Response> {
    server.end_session(cookies).await.map_err(Error::from)?;
    tracing::info!("the session ends; refresh tokens with offline_access stay valid");
    Ok(match request.next {
        Some(next) => Redirect::to(next.as_str()).into_response(),
        None => Page::new("Logged out", LoggedOut).into_response(),
    })
}

impl Request {
    fn ask(&self, user: String, params: &Params) -> Response {
        const NAMES: [&str; 4] = [
            "id_token_hint",
            "client_id",
            "post_logout_redirect_uri",
            "state",
        ];
        let hidden = |name| Some((name, params.get(name)?.to_owned()));
        let hidden = NAMES.into_iter().filter_map(hidden).collect();
        let page = Page::new("Log out?", Ask { user, hidden });
        match &self.next {
            Some(next) => page.form_redirects_to(next).into_response(),
            None => page.into_response(),
        }
    }
}

#[derive(Deserialize)]
struct HintHeader {
    kid: String,
}

impl Server {
    /// Checks where the browser may be sent: to a URI that is registered for the client, or
    /// nowhere.
    async fn logout_request(&self, params: &Params) -> Result<Request, Response> {
        let hint = match params.get("id_token_hint") {
            Some(token) => self.id_token_hint(token).await?,
            None => None,
        };
        let audience = hint.as_ref().map(|claims| claims.aud.as_str());
        let client = params.get("client_id").or(audience);
        let is_its = audience.is_none() || client == audience;
        let client = client
            .filter(|_| is_its)
            .and_then(|id| self.clients.find(id));
        let next = params.get("post_logout_redirect_uri").map(|uri| {
            let is_registered =
                |uris: &Vec<String>| uris.iter().any(|registered| registered == uri);
            let client = client.filter(|client| is_registered(&client.post_logout_redirect_uris));
            let mut next = client
                .and_then(|_| Url::parse(uri).ok())
                .ok_or_else(unregistered)?;
            if let Some(state) = params.get("state") {
                next.query_pairs_mut().append_pair("state", state);
            }
            Ok(next)
        });
        let user = hint.filter(|_| is_its).map(|claims| claims.sub);
        Ok(Request {
            user,
            next: next.transpose()?,
        })
    }

    /// The claims of one of our ID tokens, even an expired one (RP-Initiated Logout, section 2).
    pub async fn id_token_hint(&self, token: &str) -> Result<Option<IdClaims>, Response> {
        let parts = token.rsplit_once('.').and_then(|(message, signature)| {
            let (header, claims) = message.split_once('.')?;
            Some((
                message,
                signature,
                object::<HintHeader>(header)?,
                object::<IdClaims>(claims)?,
            ))
        });
        let Some((message, signature, header, claims)) = parts else {
            return Ok(None);
        };
        let Some((key, algorithm)) = self.keys.find(&header.kid).await? else {
            return Ok(None);
        };
        let verified = crypto::verify(signature, message.as_bytes(), &key, algorithm);
        let is_ours = claims.iss == self.issuer;
        Ok((matches!(verified, Ok(true)) && is_ours).then_some(claims))
    }
}

fn unregistered() -> Response {
    let why = "this post_logout_redirect_uri is not registered here for this client";
    Error::Malformed(why.into()).into_response()
}
