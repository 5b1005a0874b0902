//! What the log and `GET /flow` say about the two grants: never the password. No check depends on it:
//! a copy can leave it out, together with the calls to it.

use axum::response::Response;
use common::{
    error::OAuthError,
    flow::{
        Column::{First, Second, Third},
        Flow, Kind, Messages, Source,
    },
    random_token,
};

use crate::token::{TokenResponse, Tokens};

/// The password grant: the client sees the password.
const PASSWORD: Kind = Kind {
    title: "A password grant",
    columns: ["User", "Client", "first_party"],
};

/// The implicit grant: the token passes through the browser.
pub const IMPLICIT: Kind = Kind {
    title: "An implicit grant",
    columns: ["Client", "Browser", "first_party"],
};

/// Parameters for a diagram, which shows only those that are known to be harmless.
type Parameters = [(&'static str, String)];

/// A token request that has been granted.
pub fn password_grant(tokens: &Tokens, request: &Parameters, token: &TokenResponse) {
    let flow = tokens.flows().flow(PASSWORD, &token.access_token);
    let line = "1/2 a client sends us a user name and a password, and we accept them; the client has \
                seen the password";
    flow.step(line, TOKEN_REQUEST, |draw| {
        draw_token_request(draw, request);
    });

    let source = Source {
        rfc: "RFC 6749, sections 4.3.3 and 5.1",
        code: "LoginAttempt::answer in first_party/src/password.rs",
    };
    let line = format_args!(
        "2/2 we sign a token for [{}] and answer with Cache-Control: no-store",
        token.scope
    );
    flow.step(line, source, |draw| {
        draw.message((Third, Second), "200, as JSON", token.members());
    });
}

/// A token request that has been rejected: nothing leads to it, so it becomes a separate flow.
pub fn password_refusal(tokens: &Tokens, request: &Parameters, refusal: &Response) {
    let flow = tokens.flows().flow(PASSWORD, &random_token());
    flow.stop(reason(refusal), TOKEN_REQUEST, |draw| {
        draw_token_request(draw, request);
        let answer = format!("{}, as JSON", refusal.status().as_u16());
        draw.message((Third, Second), answer, error(refusal));
    });
}

const TOKEN_REQUEST: Source = Source {
    rfc: "RFC 6749, section 4.3.2",
    code: "token in first_party/src/password.rs",
};

fn draw_token_request(draw: &mut Messages<'_>, request: &Parameters) {
    draw.plain((First, Second), "user name and password");
    let request = request.iter().map(|(name, value)| (name, value));
    draw.message((Second, Third), "POST /token", request);
}

/// Why a request has been rejected, as its response says it.
fn reason(refusal: &Response) -> &'static str {
    let of_status = refusal.status().canonical_reason().unwrap_or("Error");
    OAuthError::of(refusal).map_or(of_status, |error| error.description)
}

fn error(refusal: &Response) -> Option<(&'static str, &'static str)> {
    Some(("error", OAuthError::of(refusal)?.error))
}

/// An authorization request that is answered with the form.
pub fn implicit_form(flow: &Flow, request: &[(&str, &str)]) {
    let source = Source {
        rfc: "RFC 6749, section 4.2.1",
        code: "form in first_party/src/form.rs",
    };
    let line = "1/3 a client sends the browser here for a token; its redirect URI is registered";
    flow.step(line, source, |draw| {
        draw.plain((First, Second), "a link or a redirect to our form");
        draw.message((Second, Third), "GET /login", request.iter().copied());
        draw.plain((Third, Second), "200, the form");
    });
}

/// A form that has been submitted, and the answer to the client.
pub fn implicit_grant(flow: &Flow, answer: &[(&str, &str)]) {
    let source = Source {
        rfc: "RFC 6749, section 4.2",
        code: "submit in first_party/src/implicit.rs",
    };
    let line = "2/3 the user gives us a user name and a password; the client sees neither";
    flow.step(line, source, |draw| {
        let post = "POST /login, with user name and password";
        draw.plain((Second, Third), post);
    });

    let source = Source {
        rfc: "RFC 6749, section 4.2.2",
        code: "ImplicitRequest::answer in first_party/src/implicit.rs",
    };
    let scope = answer.iter().find(|(name, _)| *name == "scope");
    let line = format_args!(
        "3/3 we sign a token for [{}] and put it after the # of a URL, the part that browsers send to no server",
        scope.map_or("", |(_, scope)| scope)
    );
    flow.step(line, source, |draw| {
        let redirect = "303 to the client, with this after the #";
        draw.message((Third, Second), redirect, answer.iter().copied());
        draw.plain((Second, First), REDIRECTED);
    });
}

const REDIRECTED: &str = "GET the redirect URI; a script of that page reads what is after the #";

/// An authorization request, or the form that belongs to it, that has been rejected.
pub fn implicit_refusal<V: AsRef<str>>(
    flow: &Flow,
    what: &str,
    request: impl IntoIterator<Item = (&'static str, V)>,
    refusal: &Response,
) {
    let source = Source {
        rfc: "RFC 6749, section 4.2.2.1",
        code: "ImplicitRequest in first_party/src/implicit.rs",
    };
    flow.stop(reason(refusal), source, |draw| {
        draw.message((Second, Third), what, request);
        if refusal.status().is_redirection() {
            let redirect = "303 to the client, with this after the #";
            draw.message((Third, Second), redirect, error(refusal));
            draw.plain((Second, First), REDIRECTED);
        } else {
            let answer = format!(
                "{}, to the user and not to the client",
                refusal.status().as_u16()
            );
            draw.plain((Third, Second), answer);
        }
    });
}
