//! What the server is made of, read from the settings, and the commands that log in at it.

use std::sync::Arc;

use axum::extract::FromRef;
use common::{
    database::DATABASE_URL,
    random_token,
    settings::{
        FromSettings, Home, PublicUrl, RUST_LOG, Secrets, Setting, Settings, check_endpoint,
        is_published,
    },
};
use first_party::token::Tokens;
use sqlx::SqlitePool;
use tokio::task::JoinSet;
use url::Url;

use super::{
    access_token::Accepted,
    clients::{Client, Clients},
    docs,
    keys::{Keys, SIGNING_KEY_FILE},
    scopes::names,
    store,
    users::Users,
};

/// What the routes share. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    pub users: Users,
    pub db: SqlitePool,
    pub clients: Clients,
    pub keys: Keys,
    pub public_url: PublicUrl,
    /// [`Server::public_url`] as tokens and metadata have it.
    pub issuer: String,
    /// The audiences that a token can have.
    pub resources: Arc<[String]>,
    /// How to log in here, while the client is one that was made for this.
    pub commands: Option<String>,
    /// Sweeps as long as the server is there.
    _sweeper: Arc<JoinSet<()>>,
}

impl FromRef<Server> for PublicUrl {
    fn from_ref(server: &Server) -> Self {
        server.public_url.clone()
    }
}

impl FromRef<Server> for Accepted {
    fn from_ref(server: &Server) -> Self {
        Self {
            keys: server.keys.clone(),
            issuer: server.issuer.clone(),
            audience: server.issuer.clone(),
        }
    }
}

const OWN: &[Setting] = &[
    SIGNING_KEY_FILE,
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
        help: "Where codes of AS_CLIENT_ID may be sent, separated by spaces.",
    },
    Setting {
        name: "AS_POST_LOGOUT_REDIRECT_URIS",
        default: "the start pages of the origins in AS_REDIRECT_URIS",
        help: "Where a logout that AS_CLIENT_ID began may lead, separated by spaces.",
    },
    Setting {
        name: "RESOURCES",
        default: "PUBLIC_URL",
        help: "The audiences that tokens can have (RFC 8707), separated by spaces; the first is that of a token for which none is named.",
    },
];

const SERVER: &[Setting] = &[
    Setting {
        name: "BIND_ADDR",
        default: "127.0.0.1:5003",
        help: "The address and port to listen on; port 0 takes a free one.",
    },
    Setting {
        name: "PUBLIC_URL",
        default: "http://localhost and the bound port",
        help: "The origin that browsers see, and the issuer of the tokens, such as https://login.example.com.",
    },
    RUST_LOG,
];

impl FromSettings for Server {
    const SETTINGS: &'static [&'static [Setting]] = &[OWN, &[DATABASE_URL]];

    const HOME: Home = Home {
        addr: std::net::SocketAddr::V4(std::net::SocketAddrV4::new(
            std::net::Ipv4Addr::LOCALHOST,
            5003,
        )),
        // Another site than the servers on port 5000, as a real one is.
        host: Some("localhost"),
        settings: SERVER,
    };

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let keys = Keys::from_settings(settings);
        let clients = clients(settings);
        let resources = resources(settings);
        // The tokens of the example `users`, of which nobody gets one here.
        let tokens = Tokens::new(&Secrets::random(), settings.public_url().clone());
        let users = Users::open(settings, tokens).await;
        let ((keys, (clients, commands)), users) = keys.zip(clients).zip(users)?;
        let db = users.db.clone();
        store::migrate(&db, settings, &DATABASE_URL).await?;
        let mut sweeper = JoinSet::new();
        sweeper.spawn(store::keep_sweeping(db.clone()));
        let public_url = settings.public_url().clone();
        Some(Self {
            users,
            db,
            clients: Clients(clients.into()),
            keys,
            issuer: public_url.to_string(),
            public_url,
            resources: resources.into(),
            commands,
            _sweeper: Arc::new(sweeper),
        })
    }
}

/// The clients, and the commands for the one that was made. `None` after a problem was noted.
fn clients(settings: &mut Settings) -> Option<(Vec<Client>, Option<String>)> {
    let swagger = settings.public_url().join(docs::REDIRECT);
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
        let what = "is missing; a server that others reach needs a client, with AS_REDIRECT_URIS";
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
        let what = "is too short, or printed in our documents: 32 characters or more (openssl rand -hex 32)";
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

/// A client that may ask for every scope.
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

/// The audiences, the default first.
fn resources(settings: &mut Settings) -> Vec<String> {
    let own = settings.public_url().to_string();
    let value = settings.get("RESOURCES").unwrap_or(&own);
    let resources: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
    let is_good = |uri: &String| Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none());
    if !resources.iter().all(is_good) {
        settings.problem(
            "RESOURCES",
            "has one that is no absolute URI, or has a #fragment",
        );
    }
    resources
}

/// Where the servers of this workspace are at their defaults.
const APP: &str = "http://127.0.0.1:5000";

/// What lets the other servers log in here, with everything that it depends on: a `.env` file may
/// say something else.
fn commands(issuer: &str, secret: &str) -> String {
    let at = format!("BIND_ADDR=127.0.0.1:5000 PUBLIC_URL={APP}");
    let client = format!(
        "{at} PROVIDER=custom CLIENT_ID=demo CLIENT_SECRET={secret} \
         CLIENT_AUTH_METHOD=client_secret_basic ISSUER={issuer} AUTH_URL={issuer}/authorize \
         TOKEN_URL={issuer}/token USERINFO_URL={issuer}/userinfo REVOCATION_URL={issuer}/revoke"
    );
    format!(
        "Log in here from another terminal, with one of these:\n\
         {client} SCOPES=\"openid profile offline_access\" cargo run -p sessions\n\
         {at} OIDC_ISSUER={issuer} OIDC_CLIENT_ID=demo OIDC_CLIENT_SECRET={secret} \
         cargo run -p sessions --example providers\n\
         {client} SCOPES=\"openid profile some.scope\" cargo run -p basic"
    )
}
