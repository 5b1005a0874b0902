//! The scopes: those of `first_party`, and those of OpenID Connect.

use first_party::scopes::SCOPES;

/// `openid`: an ID token, and userinfo.
pub const OPENID: &str = "openid";
/// `profile`: what the user is called.
pub const PROFILE: &str = "profile";
/// `email`: their address.
pub const EMAIL: &str = "email";
/// `offline_access`: a refresh token, which works while the user is away.
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The scopes that every user has.
const OF_A_PERSON: [(&str, &str); 4] = [
    (OPENID, "Know which account is yours"),
    (PROFILE, "See your name"),
    (EMAIL, "See your e-mail address"),
    (OFFLINE_ACCESS, "Keep access while you are away"),
];

/// Every scope and what it is for.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    OF_A_PERSON.into_iter().chain(SCOPES)
}

/// The names of all.
pub fn names() -> Vec<&'static str> {
    all().map(|(name, _)| name).collect()
}

/// The scopes that a client can have on its own behalf: those that describe a user make no sense
/// without one.
pub fn without_a_person(requested: Vec<String>) -> Vec<String> {
    let of_a_person = |scope: &String| OF_A_PERSON.iter().any(|(name, _)| name == scope);
    requested
        .into_iter()
        .filter(|scope| !of_a_person(scope))
        .collect()
}

/// What is granted of the scopes that were asked for: those that both the user and the client may
/// have. The others are left out, and the answer says what was granted (RFC 6749, section 3.3).
pub fn granted(requested: &[String], of_user: &str, of_client: &str) -> Vec<String> {
    let everybody = OF_A_PERSON.map(|(name, _)| name);
    let is_granted = |scope: &&String| {
        let user_may = everybody.contains(&scope.as_str()) || has(of_user, scope);
        user_may && has(of_client, scope)
    };
    requested.iter().filter(is_granted).cloned().collect()
}

/// Whether a list, separated by spaces, has this scope.
pub fn has(list: &str, scope: &str) -> bool {
    list.split(' ').any(|one| one == scope)
}
