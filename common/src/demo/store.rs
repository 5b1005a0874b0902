//! What the demo provider has issued: in memory, bounded, and gone with the process.

use std::time::Duration;

use crate::{
    Params,
    authorization::{AuthorizationRequest, CodeBinding, INVALID_GRANT, scope},
    error::OAuthError,
    expiring::Expiring,
    random_token,
};

/// How long a code may take to reach the client through the browser (RFC 6749, section 4.1.2).
const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// A week, as Discord's.
pub(super) const ACCESS_LIFETIME: Duration = Duration::from_hours(7 * 24);
const REFRESH_LIFETIME: Duration = Duration::from_hours(30 * 24);
/// How long a consent lasts, however often its tokens are refreshed: a year.
const GRANT_LIFETIME: Duration = Duration::from_hours(365 * 24);
/// How many of each are stored at most.
const CAPACITY: usize = 10_000;

pub(super) struct Store {
    /// What users allowed, by grant id. What was issued for a grant is valid only while the grant
    /// is here, so that all of it is revoked at once, even a token that is being issued at that
    /// moment.
    grants: Expiring<Grant>,
    codes: Expiring<Code>,
    /// The id of the grant, by access token.
    access_tokens: Expiring<String>,
    refresh_tokens: Expiring<Single>,
}

/// What a user allowed.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) username: String,
    pub(super) scopes: Vec<String>,
}

struct Code {
    single: Single,
    binding: CodeBinding,
    nonce: Option<String>,
}

/// Something that can be redeemed once. It stays here afterwards, so that a second use is noticed.
#[derive(Clone)]
struct Single {
    grant_id: String,
    is_used: bool,
}

/// What a code or a refresh token was redeemed for.
pub(super) struct Redeemed {
    pub(super) grant: Grant,
    /// Those of the grant, or fewer.
    pub(super) scopes: Vec<String>,
    pub(super) nonce: Option<String>,
    grant_id: String,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            grants: Expiring::new(GRANT_LIFETIME, CAPACITY),
            codes: Expiring::new(CODE_LIFETIME, CAPACITY),
            access_tokens: Expiring::new(ACCESS_LIFETIME, CAPACITY),
            refresh_tokens: Expiring::new(REFRESH_LIFETIME, CAPACITY),
        }
    }

    /// Issues a code after the user allowed what the request asks for.
    pub(super) fn issue_code(&self, request: &AuthorizationRequest, username: &str) -> String {
        let (code, grant_id) = (random_token(), random_token());
        let grant = Grant {
            username: username.to_owned(),
            scopes: request.scopes.clone(),
        };
        self.grants.insert(grant_id.clone(), grant);
        let pending = Code {
            single: Single::new(grant_id),
            binding: request.into(),
            nonce: request.nonce.clone(),
        };
        self.codes.insert(code.clone(), pending);
        code
    }

    /// Redeems a code for this client (RFC 6749, section 4.1.3).
    pub(super) fn redeem_code(
        &self,
        client_id: &str,
        request: &Params,
    ) -> Result<Redeemed, OAuthError> {
        let missing = OAuthError::invalid_request("code is missing");
        let code = request.get("code").ok_or(missing)?;
        // A code is consumed by its first use, successful or not.
        let take = |code: &mut Code| {
            let parts = (code.binding.clone(), code.nonce.clone());
            (code.single.take(), parts)
        };
        let (single, (binding, nonce)) = self.codes.update(code, take).ok_or(INVALID_GRANT)?;
        let grant = self.first_use(&single)?;
        binding.check(client_id, request)?;
        Ok(Redeemed {
            scopes: grant.scopes.clone(),
            grant,
            nonce,
            grant_id: single.grant_id,
        })
    }

    /// Redeems a refresh token (RFC 6749, section 6), which is replaced by another.
    pub(super) fn redeem_refresh_token(&self, request: &Params) -> Result<Redeemed, OAuthError> {
        let missing = OAuthError::invalid_request("refresh_token is missing");
        let token = request.get("refresh_token").ok_or(missing)?;
        let single = self.refresh_tokens.update(token, Single::take);
        let single = single.ok_or(INVALID_GRANT)?;
        let grant = self.first_use(&single)?;
        Ok(Redeemed {
            scopes: scope::narrow(request.get("scope"), &grant.scopes)?,
            grant,
            nonce: None,
            grant_id: single.grant_id,
        })
    }

    /// If a code or a refresh token is used twice, one use may be a thief's, and nobody knows
    /// which: everything that the user allowed is revoked (RFC 6749, section 4.1.2; RFC 9700,
    /// section 4.14.2).
    fn first_use(&self, single: &Single) -> Result<Grant, OAuthError> {
        if single.is_used {
            self.end(&single.grant_id);
            return Err(INVALID_GRANT);
        }
        // The grant may also have been revoked or have expired in the meantime.
        self.grants.get(&single.grant_id).ok_or(INVALID_GRANT)
    }

    /// A new access token and a new refresh token.
    pub(super) fn issue_tokens(&self, redeemed: Redeemed) -> (String, String) {
        let (access_token, refresh_token) = (random_token(), random_token());
        let grant_id = redeemed.grant_id;
        self.access_tokens
            .insert(access_token.clone(), grant_id.clone());
        self.refresh_tokens
            .insert(refresh_token.clone(), Single::new(grant_id));
        (access_token, refresh_token)
    }

    /// What an access token was issued for.
    pub(super) fn grant_of(&self, access_token: &str) -> Option<Grant> {
        let grant_id = self.access_tokens.get(access_token)?;
        self.grants.get(&grant_id)
    }

    /// Revokes the grant of an access token or a refresh token (RFC 7009, section 2.1).
    pub(super) fn revoke(&self, token: &str) {
        let refresh = || Some(self.refresh_tokens.get(token)?.grant_id);
        if let Some(grant_id) = self.access_tokens.get(token).or_else(refresh) {
            self.end(&grant_id);
        }
    }

    fn end(&self, grant_id: &str) {
        self.grants.remove(grant_id);
        // These grant nothing any more, but they would take up room.
        self.access_tokens.retain(|of| of != grant_id);
        self.refresh_tokens.retain(|of| of.grant_id != grant_id);
    }
}

impl Single {
    fn new(grant_id: String) -> Self {
        Self {
            grant_id,
            is_used: false,
        }
    }

    /// Marks it as used, and returns it as it was before.
    fn take(&mut self) -> Self {
        let before = self.clone();
        self.is_used = true;
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{authorization::Policy, params::Unchecked};

    const REQUEST: &str = "response_type=code&client_id=c&redirect_uri=http://localhost/auth\
                           &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                           &code_challenge_method=S256";
    const EXCHANGE: &str = "redirect_uri=http://localhost/auth\
                            &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn a_code_used_twice_revokes_a_token_that_is_being_issued() {
        let store = Store::new();
        let policy = Policy {
            scopes: &[],
            issuer: None,
        };
        let request = AuthorizationRequest::check(Unchecked::parse(REQUEST), policy, |_, _| true);
        let code = store.issue_code(&request.ok().unwrap(), "ada");
        let exchange = Params::parse(&format!("{EXCHANGE}&code={code}")).unwrap();

        let first = store.redeem_code("c", &exchange).ok().unwrap();
        assert!(store.redeem_code("c", &exchange).is_err());
        let (access_token, refresh_token) = store.issue_tokens(first);
        assert!(store.grant_of(&access_token).is_none());
        let refresh = Params::parse(&format!("refresh_token={refresh_token}")).unwrap();
        assert!(store.redeem_refresh_token(&refresh).is_err());
    }
}
