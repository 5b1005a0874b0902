//! The demo provider: plays Discord on this machine, so that a login works with nothing set up.
//!
//! It lets everybody in, and is strict in all else: what is accepted here is accepted elsewhere.
//! All it knows is in memory, bounded, and ends with the process.

#[cfg(feature = "oidc")]
pub mod openid;
/// Without the feature there is no such provider.
#[cfg(not(feature = "oidc"))]
mod openid {
    pub(super) enum Issuer {}

    impl Issuer {
        pub(super) fn url(&self) -> &str {
            match *self {}
        }

        pub(super) fn id_token(&self, _: &str, _: &super::Grant, _: Option<String>) -> String {
            match *self {}
        }
    }
}

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use askama::Template;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    middleware::from_fn,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use oauth2::{AuthType, ClientId, ClientSecret, PkceCodeChallenge, PkceCodeVerifier};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::{
    Error, Page, Params, Result,
    client_auth::{ClientCredentials, INVALID_CLIENT},
    error::{Detail, NO_STORE, NoStore, OAuthError, oauth_endpoint},
    expiring::Expiring,
    provider::Provider,
    random_token,
    server::{Companion, get_only, listen, protect},
    settings::{PublicUrl, Settings},
};

/// How long a code may take from here over the browser to the client (RFC 6749, section 4.1.2).
const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// As Discord's: a week.
const ACCESS_LIFETIME: Duration = Duration::from_hours(7 * 24);
const REFRESH_LIFETIME: Duration = Duration::from_hours(30 * 24);
/// How many of each are kept.
const CAPACITY: usize = 10_000;

/// Starts the demo provider beside the server, with this one client registered.
///
/// `None` after a problem was noted: it lets everybody in, so that it runs for this machine alone.
pub async fn start(
    settings: &mut Settings,
    client_id: ClientId,
    client_secret: ClientSecret,
    redirect_path: &str,
) -> Option<(Provider, Companion)> {
    let (listener, addr) = listen_here(settings, "DEMO_ADDR", 5001).await?;
    let direct = Url::parse(&format!("http://{addr}")).ok()?;
    let browser = for_browsers(settings, addr)?;
    let scopes = &["identify", "email"];
    let demo = Demo::new(settings, &client_id, &client_secret, redirect_path, scopes);
    let own_url = PublicUrl::of(addr);
    let companion = Companion::start(listener, protect(app(demo), &own_url));
    let provider = Provider {
        id: "demo".into(),
        name: "Discord".into(),
        auth_url: browser.join("/oauth2/authorize").ok()?,
        token_url: direct.join("/api/oauth2/token").ok()?,
        userinfo_url: Some(direct.join("/api/users/@me").ok()?),
        revocation_url: Some(direct.join("/api/oauth2/token/revoke").ok()?),
        scopes: vec!["identify".into()],
        issuer: None,
        always_sends_iss: false,
        auth_type: AuthType::BasicAuth,
        client_id,
        client_secret,
    };
    Some((provider, companion))
}

/// Binds a demo provider, if nobody but this machine can reach it.
async fn listen_here(
    settings: &mut Settings,
    name: &str,
    port: u16,
) -> Option<(TcpListener, SocketAddr)> {
    let listener = listen(settings, name, ([127, 0, 0, 1], port).into()).await?;
    let addr = listener.local_addr().ok()?;
    if !settings.is_loopback() || !addr.ip().is_loopback() {
        let what = format!(
            "is demo, which lets everybody in: BIND_ADDR, {name} and PUBLIC_URL must be on this \
             machine; or set CLIENT_ID and CLIENT_SECRET of a real provider"
        );
        settings.problem("PROVIDER", what);
        return None;
    }
    Some((listener, addr))
}

/// Where browsers find a demo provider.
fn for_browsers(settings: &Settings, addr: SocketAddr) -> Option<Url> {
    let mut url = Url::parse(&format!("http://{addr}")).ok()?;
    url.set_host(Some(other_site(settings.public_url().as_url(), addr)))
        .ok()?;
    Some(url)
}

/// A name of this machine that the app does not have: a real provider is another site too, and
/// cookies that would not survive that must not survive here.
fn other_site(app: &Url, addr: SocketAddr) -> &'static str {
    match (app.host_str(), addr.ip()) {
        (Some("localhost"), IpAddr::V4(_)) => "127.0.0.1",
        (Some("localhost"), IpAddr::V6(_)) => "[::1]",
        _ => "localhost",
    }
}

#[derive(Clone)]
struct Demo {
    client_id: String,
    client_secret: String,
    redirect_uri: String,
    client_origin: String,
    scopes: &'static [&'static str],
    openid: Option<Arc<openid::Issuer>>,
    store: Arc<Mutex<Store>>,
}

/// Everything that was given and may come back.
struct Store {
    codes: Expiring<Code>,
    access_tokens: Expiring<Grant>,
    refresh_tokens: Expiring<Grant>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            codes: Expiring::new(CODE_LIFETIME, CAPACITY),
            access_tokens: Expiring::new(ACCESS_LIFETIME, CAPACITY),
            refresh_tokens: Expiring::new(REFRESH_LIFETIME, CAPACITY),
        }
    }
}

struct Code {
    challenge: String,
    nonce: Option<String>,
    grant: Grant,
}

/// What a person allowed. Whatever comes from one Allow has one `family` and ends together.
#[derive(Clone)]
struct Grant {
    family: String,
    username: String,
    scope: String,
    spent: bool,
}

fn app(demo: Demo) -> Router {
    let oauth_endpoints = Router::new()
        .route("/api/oauth2/token", post(token))
        .route("/api/oauth2/token/revoke", post(revoke))
        // Not `layer`, which after the merge would answer for every path that is not there.
        .route_layer(from_fn(oauth_endpoint));
    Router::new()
        .route("/", get(index))
        .route("/oauth2/authorize", get_only(authorize).post(decide))
        .route("/api/users/@me", get_only(user))
        .merge(oauth_endpoints)
        .with_state(demo)
}

#[derive(Template)]
#[template(path = "demo_index.html")]
struct Index {
    client_origin: String,
}

/// `GET /`: what this is, for who strays here.
async fn index(State(demo): State<Demo>) -> Page<Index> {
    Page::new(
        "Demo provider",
        Index {
            client_origin: demo.client_origin,
        },
    )
}

#[derive(Template)]
#[template(path = "demo_consent.html")]
struct Consent {
    client_id: String,
    scope: String,
    hidden: Vec<(&'static str, String)>,
}

/// The parameters of an authorization request (RFC 6749, section 4.1.1; RFC 7636, section 4.3).
const AUTHORIZATION_PARAMS: [&str; 8] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// `GET /oauth2/authorize?…`: the authorization endpoint; asks the person.
async fn authorize(State(demo): State<Demo>, params: Params) -> Result<Response, Response> {
    let request = demo.check(&params)?;
    // The whole request rides along in the form, and is checked again when it comes back.
    let hidden = |name| Some((name, params.get(name)?.to_owned()));
    let hidden = AUTHORIZATION_PARAMS
        .into_iter()
        .filter_map(hidden)
        .collect();
    let consent = Consent {
        client_id: demo.client_id.clone(),
        scope: request.scope,
        hidden,
    };
    let page = Page::new("Log in to the demo provider", consent);
    Ok(page.form_redirects_to(demo.client_origin).into_response())
}

/// `POST /oauth2/authorize`: the person pressed Allow or Deny.
async fn decide(State(demo): State<Demo>, params: Params) -> Result<Redirect, Response> {
    let request = demo.check(&params)?;
    if params.get("decision") != Some("allow") {
        return Ok(demo.redirect(&params, ("error", "access_denied")));
    }
    let missing = || Error::Malformed("give a user name".into()).into_response();
    let username = params
        .get("username")
        .filter(|name| name.len() <= 100)
        .ok_or_else(missing)?;
    let code = random_token();
    let grant = Grant {
        family: random_token(),
        username: username.to_owned(),
        scope: request.scope,
        spent: false,
    };
    let nonce = params.get("nonce").map(str::to_owned);
    let pending = Code {
        challenge: request.challenge,
        nonce,
        grant,
    };
    demo.store().codes.insert(code.clone(), pending);
    Ok(demo.redirect(&params, ("code", &code)))
}

/// What is needed of a valid authorization request.
struct AuthorizationRequest {
    scope: String,
    challenge: String,
}

impl Demo {
    fn new(
        settings: &Settings,
        client_id: &ClientId,
        client_secret: &ClientSecret,
        redirect_path: &str,
        scopes: &'static [&'static str],
    ) -> Self {
        Self {
            client_id: client_id.to_string(),
            client_secret: client_secret.secret().clone(),
            redirect_uri: settings.public_url().join(redirect_path),
            client_origin: settings.public_url().to_string(),
            scopes,
            openid: None,
            store: Arc::default(),
        }
    }

    /// Checks an authorization request (RFC 6749, section 4.1.1; RFC 7636, section 4.3).
    ///
    /// Without the right client and redirect URI the person stays here: to redirect would make
    /// this an open redirector (RFC 6749, section 4.1.2.1).
    fn check(&self, params: &Params) -> Result<AuthorizationRequest, Response> {
        let refuse = |why: &'static str| Error::Malformed(why.into()).into_response();
        if params.get("client_id") != Some(&self.client_id) {
            return Err(refuse("this client is not registered here"));
        }
        if params.get("redirect_uri") != Some(&self.redirect_uri) {
            return Err(refuse(
                "this redirect_uri is not registered for this client",
            ));
        }
        let problem = |error| self.redirect(params, ("error", error)).into_response();
        if params.get("response_type") != Some("code") {
            return Err(problem("unsupported_response_type"));
        }
        let challenge = params
            .get("code_challenge")
            .filter(|challenge| challenge.len() == 43);
        if params.get("code_challenge_method") != Some("S256") {
            return Err(problem("invalid_request"));
        }
        let scope = params.get("scope").unwrap_or(self.scopes[0]);
        if scope.split(' ').any(|scope| !self.scopes.contains(&scope)) {
            return Err(problem("invalid_scope"));
        }
        let challenge = challenge
            .ok_or_else(|| problem("invalid_request"))?
            .to_owned();
        Ok(AuthorizationRequest {
            scope: scope.to_owned(),
            challenge,
        })
    }

    /// Back to the client, with its `state` (RFC 6749, section 4.1.2).
    fn redirect(&self, params: &Params, answer: (&str, &str)) -> Redirect {
        let mut url = Url::parse(&self.redirect_uri).expect("the origin of a URL and a path");
        url.query_pairs_mut()
            .append_pair(answer.0, answer.1)
            .extend_pairs(params.get("state").map(|state| ("state", state)));
        // Which provider answers, so that the client does not take it for another (RFC 9207).
        if let Some(issuer) = &self.openid {
            url.query_pairs_mut().append_pair("iss", issuer.url());
        }
        Redirect::to(url.as_str())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Whoever panicked left nothing half done that matters here.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request with an access token may see (RFC 6750, section 3).
    fn granted(&self, headers: &HeaderMap) -> Result<Grant, Response> {
        let unauthorized = |challenge: &'static str| {
            let challenge = [(header::WWW_AUTHENTICATE, challenge)];
            (
                StatusCode::UNAUTHORIZED,
                challenge,
                Detail::of("401: Unauthorized"),
            )
                .into_response()
        };
        let bearer = headers
            .typed_get::<Authorization<Bearer>>()
            .ok_or_else(|| unauthorized("Bearer realm=\"demo\""))?;
        let grant = self.store().access_tokens.get_mut(bearer.token()).cloned();
        grant.ok_or_else(|| unauthorized("Bearer realm=\"demo\", error=\"invalid_token\""))
    }

    fn authenticate(&self, headers: &HeaderMap, params: &Params) -> Result<(), OAuthError> {
        let client = ClientCredentials::read(headers, params)?;
        if client.is(&self.client_id, &self.client_secret) {
            Ok(())
        } else {
            Err(INVALID_CLIENT)
        }
    }
}

const INVALID_GRANT: OAuthError = OAuthError {
    error: "invalid_grant",
    description: "the code or the refresh token is wrong, used or expired",
};

/// `POST /api/oauth2/token`: the token endpoint (RFC 6749, sections 4.1.3 and 6).
async fn token(
    State(demo): State<Demo>,
    headers: HeaderMap,
    params: Params,
) -> Result<(NoStore, Json<Value>), OAuthError> {
    demo.authenticate(&headers, &params)?;
    let mut store = demo.store();
    let (grant, nonce) = match params.get("grant_type") {
        Some("authorization_code") => store.redeem_code(&params, &demo.redirect_uri)?,
        Some("refresh_token") => (store.redeem_refresh_token(&params)?, None),
        Some(_) => {
            let description = "authorization_code and refresh_token are supported";
            return Err(OAuthError {
                error: "unsupported_grant_type",
                description,
            });
        }
        None => return Err(OAuthError::invalid_request("grant_type is missing")),
    };
    let id_token = demo
        .openid
        .as_ref()
        .map(|own| own.id_token(&demo.client_id, &grant, nonce));
    let mut answer = store.issue(grant);
    if let Some(id_token) = id_token {
        answer["id_token"] = id_token.into();
    }
    Ok((NO_STORE, Json(answer)))
}

impl Store {
    /// What was allowed with a code, and the nonce that its ID token must repeat.
    fn redeem_code(
        &mut self,
        params: &Params,
        redirect_uri: &str,
    ) -> Result<(Grant, Option<String>), OAuthError> {
        let code = params
            .get("code")
            .ok_or(OAuthError::invalid_request("code is missing"))?;
        let code = self.codes.get_mut(code).ok_or(INVALID_GRANT)?;
        let proven = params.get("code_verifier").is_some_and(|verifier| {
            challenge_of(verifier).is_some_and(|challenge| challenge == code.challenge)
        });
        let (grant, nonce) = (code.grant.clone(), code.nonce.clone());
        // Tried is spent, whether it succeeds or not.
        code.grant.spent = true;
        self.once(&grant)?;
        if !proven || params.get("redirect_uri") != Some(redirect_uri) {
            return Err(INVALID_GRANT);
        }
        Ok((grant, nonce))
    }

    fn redeem_refresh_token(&mut self, params: &Params) -> Result<Grant, OAuthError> {
        let missing = OAuthError::invalid_request("refresh_token is missing");
        let token = params.get("refresh_token").ok_or(missing)?;
        let token = self.refresh_tokens.get_mut(token).ok_or(INVALID_GRANT)?;
        let mut grant = token.clone();
        token.spent = true;
        self.once(&grant)?;
        // Less may be asked for, never more (RFC 6749, section 6).
        if let Some(scope) = params.get("scope") {
            if scope
                .split(' ')
                .any(|one| !grant.scope.split(' ').any(|allowed| allowed == one))
            {
                return Err(OAuthError {
                    error: "invalid_scope",
                    description: "not granted",
                });
            }
            scope.clone_into(&mut grant.scope);
        }
        Ok(grant)
    }

    /// A code or a refresh token that comes a second time was stolen from somebody: all that came
    /// from it ends (RFC 6749, section 4.1.2; RFC 9700, section 4.14.2).
    fn once(&mut self, grant: &Grant) -> Result<(), OAuthError> {
        if grant.spent {
            self.revoke(&grant.family);
            return Err(INVALID_GRANT);
        }
        Ok(())
    }

    fn issue(&mut self, grant: Grant) -> Value {
        let (access_token, refresh_token) = (random_token(), random_token());
        let answer = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": ACCESS_LIFETIME.as_secs(),
            "refresh_token": refresh_token,
            "scope": grant.scope,
        });
        self.access_tokens.insert(access_token, grant.clone());
        self.refresh_tokens.insert(refresh_token, grant);
        answer
    }

    fn revoke(&mut self, family: &str) {
        self.access_tokens.retain(|grant| grant.family != family);
        self.refresh_tokens.retain(|grant| grant.family != family);
    }
}

/// `POST /api/oauth2/token/revoke`: the revocation endpoint (RFC 7009), which like Discord's ends
/// everything that the person allowed. A token that is not known has ended already: 200.
async fn revoke(
    State(demo): State<Demo>,
    headers: HeaderMap,
    params: Params,
) -> Result<StatusCode, OAuthError> {
    demo.authenticate(&headers, &params)?;
    let token = params
        .get("token")
        .ok_or(OAuthError::invalid_request("token is missing"))?;
    let mut store = demo.store();
    let access = store
        .access_tokens
        .get_mut(token)
        .map(|grant| grant.family.clone());
    let refresh = store
        .refresh_tokens
        .get_mut(token)
        .map(|grant| grant.family.clone());
    if let Some(family) = access.or(refresh) {
        store.revoke(&family);
    }
    Ok(StatusCode::OK)
}

/// `GET /api/users/@me`: who the user is (Discord's own format).
async fn user(State(demo): State<Demo>, headers: HeaderMap) -> Result<Json<Value>, Response> {
    let grant = demo.granted(&headers)?;
    Ok(Json(json!({
        "id": id_of(&grant.username),
        "username": grant.username,
        "discriminator": "0",
        "global_name": grant.username,
        "avatar": null,
    })))
}

/// An id like Discord's, always the same for a name: FNV-1a.
fn id_of(username: &str) -> String {
    let hash = username
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash.to_string()
}

/// `BASE64URL(SHA256(verifier))`, for a verifier of the right length (RFC 7636, sections 4.1, 4.6).
fn challenge_of(verifier: &str) -> Option<String> {
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    let right_length = (43..=128).contains(&verifier.secret().len());
    right_length.then(|| {
        PkceCodeChallenge::from_code_verifier_sha256(&verifier)
            .as_str()
            .to_owned()
    })
}
