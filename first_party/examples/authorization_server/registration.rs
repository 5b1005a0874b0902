//! The registered clients, built in or from the settings, and the commands that log in as one.

use common::{
    random_token,
    settings::{Setting, Settings, check_endpoint, is_published},
};
use first_party::docs::REDIRECT;
use url::Url;

use super::{clients::Client, scopes::names};

/// The settings of the only client that is not built in.
pub const CLIENT_SETTINGS: &[Setting] = &[
    Setting {
        name: "AS_CLIENT_ID",
        default: "demo, with a new secret at each start; required when others can reach the server",
        help: "The id of the client that is registered.",
    },
    Setting {
        name: "AS_CLIENT_SECRET",
        default: "none: a public client",
        help: "The secret that belongs to AS_CLIENT_ID (openssl rand -hex 32).",
    },
    Setting {
        name: "AS_REDIRECT_URIS",
        default: "none; required with AS_CLIENT_ID",
        help: "The redirect URIs of AS_CLIENT_ID, separated by spaces.",
    },
    Setting {
        name: "AS_POST_LOGOUT_REDIRECT_URIS",
        default: "the start pages of the origins in AS_REDIRECT_URIS",
        help: "Where the browser may go after a logout that AS_CLIENT_ID started, separated by spaces.",
    },
];

/// The clients, and the commands for the demo client if there is one. `None` after recording a
/// problem.
pub fn clients(settings: &mut Settings) -> Option<(Vec<Client>, Option<String>)> {
    let swagger = settings.public_url().join(REDIRECT);
    let mut clients = vec![client("swagger", None, vec![swagger])];
    if settings.get("AS_CLIENT_ID").is_some() {
        clients.push(registered(settings)?);
        return Some((clients, None));
    }
    for name in [
        "AS_CLIENT_SECRET",
        "AS_REDIRECT_URIS",
        "AS_POST_LOGOUT_REDIRECT_URIS",
    ] {
        if settings.get(name).is_some() {
            settings.problem("AS_CLIENT_ID", format!("is missing; {name} belongs to it"));
        }
    }
    if !settings.is_loopback() {
        let what =
            "is missing; a server that others can reach needs a client and its AS_REDIRECT_URIS";
        settings.problem("AS_CLIENT_ID", what);
        return None;
    }
    let secret = random_token();
    let commands = commands(&settings.public_url().to_string(), &secret);
    let redirect_uris = [format!("{APP}/auth"), format!("{APP}/auth/oidc")];
    clients.push(client("demo", Some(secret), redirect_uris.into()));
    Some((clients, Some(commands)))
}

/// The client of the settings.
fn registered(settings: &mut Settings) -> Option<Client> {
    let id = settings.get("AS_CLIENT_ID")?.to_owned();
    let secret = settings.secret("AS_CLIENT_SECRET");
    let redirect_uris = uris(settings, "AS_REDIRECT_URIS");
    let after_logout = uris(settings, "AS_POST_LOGOUT_REDIRECT_URIS");
    if id == "swagger" || !id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        settings.problem(
            "AS_CLIENT_ID",
            "is the client of /docs or not ASCII; choose another",
        );
    }
    if redirect_uris.is_empty() {
        settings.problem("AS_REDIRECT_URIS", "is missing; it belongs to AS_CLIENT_ID");
    }
    if let Some(secret) = &secret
        && !settings.is_loopback()
        && is_weak(secret)
    {
        let what = "is too short, or is one of those in our documents: 32 characters or more (openssl rand -hex 32)";
        settings.problem("AS_CLIENT_SECRET", what);
    }
    let mut client = client(&id, secret, redirect_uris);
    if !after_logout.is_empty() {
        client.post_logout_redirect_uris = after_logout;
    }
    Some(client)
}

fn is_weak(secret: &str) -> bool {
    secret.len() < 32 || is_published(secret)
}

/// A client that may request every scope.
fn client(id: &str, secret: Option<String>, redirect_uris: Vec<String>) -> Client {
    let start_page = |uri: &String| Some(Url::parse(uri).ok()?.join("/").ok()?.into());
    Client {
        id: id.to_owned(),
        secret,
        post_logout_redirect_uris: redirect_uris.iter().filter_map(start_page).collect(),
        redirect_uris,
        scopes: names().join(" "),
        resources: Vec::new(),
    }
}

/// The URIs of a setting, to which a browser may be sent with a code.
fn uris(settings: &mut Settings, name: &str) -> Vec<String> {
    let value = settings.get(name).unwrap_or_default();
    let uris: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
    for uri in &uris {
        let checked = Url::parse(uri).map_err(|_| "is not an absolute URI");
        if let Err(what) = checked.and_then(|uri| check_endpoint(&uri)) {
            settings.problem(name, format!("has {uri}, which {what}"));
        }
    }
    uris
}

/// Where the other servers of this workspace listen by default.
const APP: &str = "http://127.0.0.1:5000";

/// The commands that let the other servers log in here. They set everything that matters, because a
/// `.env` file may set something else.
fn commands(issuer: &str, secret: &str) -> String {
    let at = format!("BIND_ADDR=127.0.0.1:5000 PUBLIC_URL={APP}");
    let client = format!(
        "{at} PROVIDER=custom CLIENT_ID=demo CLIENT_SECRET={secret} \
         CLIENT_AUTH_METHOD=client_secret_basic ISSUER={issuer} AUTH_URL={issuer}/authorize \
         TOKEN_URL={issuer}/token USERINFO_URL={issuer}/userinfo REVOCATION_URL={issuer}/revoke"
    );
    format!(
        "To log in here, run one of these in another terminal:\n\
         {client} SCOPES=\"openid profile offline_access\" cargo run -p sessions\n\
         {at} OIDC_ISSUER={issuer} OIDC_CLIENT_ID=demo OIDC_CLIENT_SECRET={secret} \
         cargo run -p sessions --example providers\n\
         {client} SCOPES=\"openid profile some.scope\" cargo run -p basic"
    )
}
