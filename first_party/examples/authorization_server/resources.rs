//! Which API a token is for (RFC 8707).

use common::{Params, error::OAuthError};

/// The resources that an authorization request names, or else the first known one. There
/// may be several; each token is for one.
pub fn requested(params: &Params, known: &[String]) -> Result<String, OAuthError> {
    let requested = params.resources();
    if requested.iter().any(|resource| !known.contains(resource)) {
        return Err(INVALID_TARGET);
    }
    let requested = if requested.is_empty() {
        &known[..1]
    } else {
        requested
    };
    let each_once = known.iter().filter(|resource| requested.contains(resource));
    Ok(each_once.map(String::as_str).collect::<Vec<_>>().join(" "))
}

/// The audience of a token: the one of those granted that the token request names, or the first.
pub fn audience(params: &Params, granted: &str) -> Result<String, OAuthError> {
    let audience = match params.resources() {
        [] => granted.split(' ').next(),
        [requested] => granted.split(' ').find(|granted| granted == requested),
        // With one token for two resources, each could use it at the other.
        _ => None,
    };
    audience.map(str::to_owned).ok_or(INVALID_TARGET)
}

const INVALID_TARGET: OAuthError = OAuthError {
    error: "invalid_target",
    description: "a resource is unknown or was not granted, or one token was requested for two of them",
};
