//! The authorization request, from its check to the answer that the client gets.

use std::borrow::Cow;

use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

use super::{pkce, scope};
use crate::{Error, Params, error::OAuthError, params::Unchecked};

/// The longest nonce, in bytes. A server stores it until the code is redeemed, and anyone can begin
/// a login.
const MAX_NONCE: usize = 128;

/// The scopes that an authorization endpoint accepts, and its issuer identifier.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Every scope that exists here.
    pub scopes: &'a [&'a str],
    /// The issuer identifier. Each response names it, so that a client of several servers can tell
    /// whose response it is (RFC 9207). A server that publishes no metadata has none.
    pub issuer: Option<&'a str>,
}

/// A valid authorization request (RFC 6749, section 4.1.1).
pub struct AuthorizationRequest {
    /// The registered client.
    pub client_id: String,
    /// Its registered redirect URI, as the client wrote it.
    pub redirect_uri: String,
    /// The requested scopes, each once. Empty when the client leaves the choice to the server.
    pub scopes: Vec<String>,
    /// Returned to the client unchanged, which ties the response to the browser.
    pub state: Option<String>,
    /// The SHA-256 of the verifier that only the client has (RFC 7636, section 4.2).
    pub code_challenge: String,
    /// What the ID token must repeat (OpenID Connect Core, section 3.1.2.1).
    pub nonce: Option<String>,
    /// All parameters, including those that only some servers support, such as `prompt`.
    pub params: Params,
    callback: Callback,
}

/// Where the answer goes, and what it repeats.
struct Callback {
    redirect_uri: Url,
    state: Option<String>,
    issuer: Option<String>,
}

impl AuthorizationRequest {
    /// Checks a request. `is_registered` says whether the client of this identifier has this
    /// redirect URI. It must compare whole strings (RFC 9700, section 2.1); only the port of a
    /// native app's loopback address may differ (RFC 8252, section 7.3).
    ///
    /// Without a registered client and redirect URI, the `Err` is a 400 and the user stays here: a
    /// redirect would make this an open redirector (RFC 6749, section 4.1.2.1). Every other mistake
    /// is reported to the client: the `Err` is a redirect to it.
    pub fn check(
        params: Unchecked,
        policy: Policy<'_>,
        is_registered: impl Fn(&str, &str) -> bool,
    ) -> Result<Self, Response> {
        // `get` returns `None` for a parameter that is sent twice.
        let client = params.get("client_id").zip(params.get("redirect_uri"));
        let (client_id, redirect_uri) = client
            .filter(|(client_id, redirect_uri)| is_registered(client_id, redirect_uri))
            .map(|(client_id, redirect_uri)| (client_id.to_owned(), redirect_uri.to_owned()))
            .ok_or_else(|| UNREGISTERED.into_response())?;
        let state = params.get("state").map(str::to_owned);
        let callback = Callback {
            redirect_uri: Url::parse(&redirect_uri).map_err(|_| UNREGISTERED.into_response())?,
            state: state.clone(),
            issuer: policy.issuer.map(str::to_owned),
        };
        let refuse = |error| callback.with_error(error).into_response();

        let params = check_params(params).map_err(refuse)?;
        let scopes = params
            .get("scope")
            .map(|list| scope::parse(list, policy.scopes));
        Ok(Self {
            scopes: scopes.transpose().map_err(refuse)?.unwrap_or_default(),
            code_challenge: code_challenge(&params).map_err(refuse)?,
            nonce: nonce(&params).map_err(refuse)?,
            client_id,
            redirect_uri,
            state,
            params,
            callback,
        })
    }

    /// Redirects to the client with a code (RFC 6749, section 4.1.2).
    pub fn redirect_with_code(&self, code: &str) -> Redirect {
        self.callback.with(&[("code", code)])
    }

    /// Redirects to the client with an error (RFC 6749, section 4.1.2.1), such as
    /// [`ACCESS_DENIED`].
    pub fn redirect_with_error(&self, error: OAuthError) -> Redirect {
        self.callback.with_error(error)
    }
}

/// The user said no (RFC 6749, section 4.1.2.1).
pub const ACCESS_DENIED: OAuthError = OAuthError {
    error: "access_denied",
    description: "the user denied access",
};

const UNREGISTERED: Error = Error::Malformed(Cow::Borrowed(
    "client_id and redirect_uri must each be sent once, exactly as they are registered here",
));

impl Callback {
    /// Redirects to the redirect URI with this response; a query that it already has is kept (RFC
    /// 6749, section 3.1.2).
    fn with(&self, answer: &[(&str, &str)]) -> Redirect {
        let mut url = self.redirect_uri.clone();
        url.query_pairs_mut()
            .extend_pairs(answer)
            .extend_pairs(self.state.iter().map(|state| ("state", state)))
            .extend_pairs(self.issuer.iter().map(|issuer| ("iss", issuer)));
        // 303: after a 307 the browser would send the client a form with a password in it (RFC
        // 9700, section 4.12).
        Redirect::to(url.as_str())
    }

    fn with_error(&self, OAuthError { error, description }: OAuthError) -> Redirect {
        tracing::info!("rejected: {error}: {description}");
        self.with(&[("error", error), ("error_description", description)])
    }
}

/// Checks that each parameter is sent once and is well-formed (RFC 6749, section 3.1), and that the
/// client asks for a code.
fn check_params(params: Unchecked) -> Result<Params, OAuthError> {
    let twice_or_unclean = "a parameter is sent twice or is malformed";
    if params.repeats_scope() {
        return Err(OAuthError::invalid_request(twice_or_unclean));
    }
    let params = params
        .check()
        .map_err(|_| OAuthError::invalid_request(twice_or_unclean))?;
    match params.get("response_type") {
        Some("code") => Ok(params),
        Some(_) => Err(OAuthError {
            error: "unsupported_response_type",
            description: "response_type must be code",
        }),
        None => Err(OAuthError::invalid_request("response_type is missing")),
    }
}

/// Without PKCE, an attacker who steals the code can redeem it. `plain`, the default, shows the
/// verifier to anyone who reads the request (RFC 7636, section 4.4.1; RFC 9700, section 2.1.1).
fn code_challenge(params: &Params) -> Result<String, OAuthError> {
    let challenge = params
        .get("code_challenge")
        .filter(|challenge| pkce::is_challenge(challenge));
    match (challenge, params.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) => Ok(challenge.to_owned()),
        _ => Err(OAuthError::invalid_request(
            "a code_challenge with the code_challenge_method S256 is required",
        )),
    }
}

fn nonce(params: &Params) -> Result<Option<String>, OAuthError> {
    let nonce = params.get("nonce");
    if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE) {
        return Err(OAuthError::invalid_request(
            "the nonce is longer than 128 bytes",
        ));
    }
    Ok(nonce.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use axum::http::{StatusCode, header};

    use super::*;

    const CLIENT: &str = "client_id=client&redirect_uri=https://client.example/auth?a=b%2520c";
    const REST: &str = "response_type=code&state=s&code_challenge_method=S256\
                        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn check(query: &str) -> Result<AuthorizationRequest, Response> {
        let policy = Policy {
            scopes: &["read", "write"],
            issuer: Some("https://issuer.example"),
        };
        AuthorizationRequest::check(Unchecked::parse(query), policy, |client_id, uri| {
            client_id == "client" && uri == "https://client.example/auth?a=b%20c"
        })
    }

    /// Where a response redirects to.
    fn location(response: impl IntoResponse) -> String {
        let response = response.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        response.headers()[header::LOCATION]
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// The `error` of the redirect that this request gets.
    fn error_of(query: &str) -> String {
        let location = location(check(query).err().expect(query));
        let prefix = "https://client.example/auth?a=b%20c&";
        let answer = Params::parse(location.strip_prefix(prefix).expect(&location)).unwrap();
        assert_eq!(answer.get("iss"), Some("https://issuer.example"));
        answer.get("error").unwrap().to_owned()
    }

    #[test]
    fn a_valid_request_is_answered_at_the_redirect_uri_with_state_and_iss() {
        let request = check(&format!("{CLIENT}&{REST}&scope=write+read+write&nonce=n"))
            .ok()
            .unwrap();
        assert_eq!(request.scopes, ["write", "read"]);
        assert_eq!(request.nonce.as_deref(), Some("n"));
        let callback = "https://client.example/auth?a=b%20c";
        let rest = "&state=s&iss=https%3A%2F%2Fissuer.example";
        assert_eq!(
            location(request.redirect_with_code("c+")),
            format!("{callback}&code=c%2B{rest}")
        );
        let denied = location(request.redirect_with_error(ACCESS_DENIED));
        assert!(
            denied.starts_with(&format!("{callback}&error=access_denied")),
            "{denied}"
        );
        assert!(denied.ends_with(rest), "{denied}");
    }

    #[test]
    fn without_a_registered_client_and_redirect_uri_there_is_no_redirect() {
        let uri = "redirect_uri=https://client.example/auth?a=b%2520c";
        for client in [
            String::new(),
            "client_id=client".to_owned(),
            uri.to_owned(),
            format!("client_id=another&{uri}"),
            "client_id=client&redirect_uri=https://client.example/auth".to_owned(),
            format!("{CLIENT}&client_id=client"),
            format!("{CLIENT}&{uri}"),
            format!("{CLIENT}&{}", uri.replace("client.", "evil.")),
            format!("client_id=%ff&{uri}"),
        ] {
            let response = check(&format!("{client}&{REST}")).err().expect(&client);
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{client}");
            assert!(
                !response.headers().contains_key(header::LOCATION),
                "{client}"
            );
        }
    }

    #[test]
    fn every_other_error_is_reported_to_the_client() {
        for (change, error) in [
            ("&x=1&x=2", "invalid_request"),
            ("&state=s", "invalid_request"),
            ("&scope=read&scope=write", "invalid_request"),
            ("&nonce=%00", "invalid_request"),
            ("&scope=admin", "invalid_scope"),
            ("&scope=read++write", "invalid_scope"),
        ] {
            assert_eq!(
                error_of(&format!("{CLIENT}&{REST}{change}")),
                error,
                "{change}"
            );
        }
        for (part, other, error) in [
            ("response_type=code", "", "invalid_request"),
            (
                "response_type=code",
                "response_type=token",
                "unsupported_response_type",
            ),
            ("code_challenge_method=S256", "", "invalid_request"),
            ("=S256", "=plain", "invalid_request"),
            ("code_challenge=E9", "x=E9", "invalid_request"),
            ("code_challenge=E9", "code_challenge=+E9", "invalid_request"),
        ] {
            let rest = REST.replace(part, other);
            assert_eq!(error_of(&format!("{CLIENT}&{rest}")), error, "{rest}");
        }
    }

    #[test]
    fn a_nonce_has_at_most_128_bytes() {
        let with_nonce = |length| format!("{CLIENT}&{REST}&nonce={}", "n".repeat(length));
        assert!(check(&with_nonce(128)).is_ok());
        assert_eq!(error_of(&with_nonce(129)), "invalid_request");
    }
}
