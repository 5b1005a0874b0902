//! What the log and `GET /flow` tell of the two grants: never the password.

use common::flow::{
    Column::{First, Second, Third},
    Flow, Kind, Source,
};

use crate::token::TokenResponse;

/// The password grant: the client sees the password.
pub const PASSWORD: Kind = Kind {
    title: "A password grant",
    columns: ["User", "Client", "first_party"],
};

/// The implicit grant: the token passes through the browser.
pub const IMPLICIT: Kind = Kind {
    title: "An implicit grant",
    columns: ["Client", "Browser", "first_party"],
};

/// A token request that has been granted.
pub fn password_grant(flow: &Flow, client_id: &str, requested: &str, token: &TokenResponse) {
    let source = Source {
        rfc: "RFC 6749, section 4.3.2",
        code: "token in first_party/src/password.rs",
    };
    let line = "1/2 a client gives us a user name and a password, which we accept; the client has \
                seen the password";
    flow.step(line, source, |draw| {
        draw.plain((First, Second), "user name and password");
        let request = [
            ("grant_type", "password"),
            ("client_id", client_id),
            ("scope", requested),
        ];
        draw.message((Second, Third), "POST /token", request);
    });

    let source = Source {
        rfc: "RFC 6749, sections 4.3.3 and 5.1",
        code: "Login::answer in first_party/src/password.rs",
    };
    let line = format!(
        "2/2 we sign a token for [{}] and answer with Cache-Control: no-store",
        token.scope
    );
    flow.step(line, source, |draw| {
        draw.message((Third, Second), "200, as JSON", token.members());
    });
}

/// An authorization request that is answered with the form.
pub fn implicit_form(flow: &Flow, request: &[(&str, &str)]) {
    let source = Source {
        rfc: "RFC 6749, section 4.2.1",
        code: "form in first_party/src/form.rs",
    };
    let line = "1/3 a client sends the browser for a token; we know where the answer may go";
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
        code: "AuthorizationRequest::answer in first_party/src/implicit.rs",
    };
    let scope = answer.iter().find(|(name, _)| *name == "scope");
    let line = format!(
        "3/3 we sign a token for [{}] and put it after the # of a URL, which browsers send to no server",
        scope.map_or("", |(_, scope)| scope)
    );
    flow.step(line, source, |draw| {
        let redirect = "303 to the client, with this after the #";
        draw.message((Third, Second), redirect, answer.iter().copied());
        let get = "GET the redirect URI; a script of that page reads what is after the #";
        draw.plain((Second, First), get);
    });
}
