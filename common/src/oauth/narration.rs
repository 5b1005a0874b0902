//! What the log and `GET /flow` say about the flow.

use std::fmt::Display;

use oauth2::{AccessToken, AuthorizationCode, RefreshToken};
use url::Url;

use super::OAuth;
use crate::{
    Params, Result,
    flow::{
        Column::{First as Browser, Second as Server, Third as Provider},
        Flow, Kind, Source,
    },
    provider::Identity,
    token::Token,
};

const COLUMNS: [&str; 3] = ["Browser", "This server", "Provider"];
const LOGIN: Kind = Kind {
    title: "A login",
    columns: COLUMNS,
};
const REFRESH: Kind = Kind {
    title: "A refresh",
    columns: COLUMNS,
};
const REVOCATION: Kind = Kind {
    title: "A revocation",
    columns: COLUMNS,
};

impl OAuth {
    pub(super) fn narrate_begin(&self, state: &str, url: &Url) {
        let line = format_args!(
            "1/4 we send the browser to {} with a state and a PKCE challenge; an encrypted cookie holds the verifier",
            self.inner.provider.name
        );
        let source = Source {
            rfc: "RFC 6749, section 4.1.1; RFC 7636, section 4.3",
            code: "OAuth::begin in common/src/oauth.rs",
        };
        self.login_flow(state).step(line, source, |draw| {
            draw.plain((Browser, Server), "GET /login");
            draw.plain((Server, Browser), "303 to the provider, with a cookie");
            draw.message((Browser, Provider), get(url), url.query_pairs());
        });
    }

    pub(super) fn narrate_callback<T>(&self, callback: &Params, result: &Result<T>) {
        let source = Source {
            rfc: "RFC 6749, sections 4.1.2 and 10.12; RFC 9207",
            code: "OAuth::verify in common/src/oauth.rs",
        };
        let line = format_args!(
            "2/4 the browser brings a code from {}; it has the cookie for this state, so it started this login",
            self.inner.provider.name
        );
        let flow = self.login_flow(callback.get("state").unwrap_or_default());
        flow.outcome(result, line, source, |draw| {
            if result.is_ok() {
                draw.plain((Provider, Browser), "303 to our redirect URI");
            }
            let names = ["code", "state", "iss", "error"].into_iter();
            let members = names.filter_map(|name| Some((name, callback.get(name)?)));
            draw.message((Browser, Server), "GET /auth", members);
            if let Err(error) = result {
                let response = format!("{}, and no token", error.status().as_u16());
                draw.plain((Server, Browser), response);
            }
        });
    }

    pub(super) fn narrate_exchange(
        &self,
        state: &str,
        (code, verifier): (AuthorizationCode, String),
        result: &Result<Token>,
    ) {
        let source = Source {
            rfc: "RFC 6749, sections 4.1.3 and 4.1.4; RFC 7636, section 4.5",
            code: "OAuth::exchange in common/src/oauth.rs",
        };
        let request = [
            ("grant_type", "authorization_code"),
            ("code", code.secret()),
            ("code_verifier", &verifier),
            ("redirect_uri", &self.inner.redirect_uri),
            ("client_id", &self.inner.provider.client_id),
        ];
        let line = format_args!(
            "3/4 we give {} the code and the PKCE verifier; the token comes to us, and not through the browser",
            self.inner.provider.name
        );
        let flow = self.login_flow(state);
        self.narrate_token(&flow, line, source, &request, result);
    }

    pub(super) fn narrate_refresh(&self, refresh_token: &RefreshToken, result: &Result<Token>) {
        let source = Source {
            rfc: "RFC 6749, section 6",
            code: "OAuth::refresh in common/src/oauth/refresh.rs",
        };
        let request = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &**refresh_token.secret()),
        ];
        let name = &self.inner.provider.name;
        let line = format_args!("the token had expired; {name} issued the next one");
        let flow = self.inner.flows.flow(REFRESH, refresh_token.secret());
        self.narrate_token(&flow, line, source, &request, result);
    }

    fn narrate_token(
        &self,
        flow: &Flow,
        line: impl Display,
        source: Source,
        request: &[(&str, &str)],
        result: &Result<Token>,
    ) {
        let post = format!("POST {}", self.inner.provider.token_url.path());
        flow.outcome(result, line, source, |draw| {
            draw.message((Server, Provider), post, request.iter().copied());
            if let Ok(token) = result {
                draw.message((Provider, Server), "200, as JSON", members(token));
            }
        });
        if let Ok(token) = result {
            flow.continues_with(token.access_token.secret());
        }
    }

    pub(super) fn narrate_identity(&self, token: &Token, result: &Result<Identity>) {
        let source = Source {
            rfc: "RFC 6750, section 2.1",
            code: "OAuth::identity in common/src/oauth/userinfo.rs",
        };
        let line = format_args!(
            "4/4 we use the token to ask {} who the user is, so we need not trust the browser",
            self.inner.provider.name
        );
        let flow = self.login_flow(token.access_token.secret());
        flow.outcome(result, line, source, |draw| {
            let get = self.inner.provider.userinfo_url.as_ref().map(get);
            let header = [("access_token", token.access_token.secret())];
            draw.message((Server, Provider), get.unwrap_or_default(), header);
            if let Ok(user) = result {
                draw.message((Provider, Server), "200, as JSON", [("sub", &user.subject)]);
                draw.plain((Server, Browser), "303, with the cookies of a session");
            }
        });
    }

    /// The last step of a server that shows the token.
    pub fn narrate_shown(&self, token: &Token) {
        let source = Source {
            rfc: "RFC 6749, section 5.1",
            code: "auth in basic/src/lib.rs",
        };
        let line = "4/4 we show you the token; a real application keeps it to itself";
        self.login_flow(token.access_token.secret())
            .step(line, source, |draw| {
                draw.message((Server, Browser), "200, as JSON", members(token));
            });
    }

    pub(super) fn narrate_revocation(
        &self,
        access_token: &AccessToken,
        refresh_token: Option<&RefreshToken>,
    ) {
        let source = Source {
            rfc: "RFC 7009, section 2.1",
            code: "OAuth::revoke in common/src/oauth/revoke.rs",
        };
        let line = format_args!("{} has revoked the token", self.inner.provider.name);
        let flow = self.inner.flows.flow(REVOCATION, access_token.secret());
        flow.step(line, source, |draw| {
            let url = self.inner.provider.revocation_url.as_ref();
            let post = format!("POST {}", url.map_or("", Url::path));
            let refresh_token = refresh_token.map(RefreshToken::secret);
            for token in refresh_token.into_iter().chain([access_token.secret()]) {
                draw.message((Server, Provider), &*post, [("token", token)]);
                draw.plain((Provider, Server), "200");
            }
        });
    }

    fn login_flow(&self, value: &str) -> Flow {
        self.inner.flows.flow(LOGIN, value)
    }
}

fn get(url: &Url) -> String {
    format!("GET {}", url.path())
}

/// The members of a token response.
fn members(token: &Token) -> impl Iterator<Item = (&'static str, String)> {
    let expires_in = token.expires_in.map(|seconds| seconds.to_string());
    let refresh_token = token.refresh_token.as_ref().map(|t| t.secret().clone());
    let members = [
        ("access_token", Some(token.access_token.secret().clone())),
        ("expires_in", expires_in),
        ("refresh_token", refresh_token),
        ("scope", token.scope.clone()),
    ];
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}
