//! What the server needs, read from the settings.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
};

use axum::extract::FromRef;
use common::{
    database::DATABASE_URL,
    flow::Flows,
    settings::{FromSettings, Home, PublicUrl, RUST_LOG, Secrets, Setting, Settings},
};
use first_party::token::Tokens;
use sqlx::AnyPool;
use tokio::task::JoinSet;
use url::Url;

use super::{
    access_token::Accepted,
    clients::Clients,
    keys::{Keys, SIGNING_KEY_FILE},
    registration::{self, CLIENT_SETTINGS},
    store,
    users::Users,
};

/// What the routes share. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    pub users: Users,
    pub db: AnyPool,
    pub clients: Clients,
    pub keys: Keys,
    pub public_url: PublicUrl,
    /// [`Server::public_url`] as tokens and metadata have it.
    pub issuer: String,
    /// The audiences that a token can have.
    pub resources: Arc<[String]>,
    /// How to log in here, if the client is the built-in demo client.
    pub commands: Option<String>,
    /// Sweeps until the server is dropped.
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
        name: "RESOURCES",
        default: "PUBLIC_URL",
        help: "The audiences that tokens can have (RFC 8707), separated by spaces; the first is used for tokens whose request names none.",
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
    const SETTINGS: &'static [&'static [Setting]] = &[OWN, CLIENT_SETTINGS, &[DATABASE_URL]];

    const HOME: Home = Home {
        addr: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5003)),
        // A different site from the servers on port 5000, as a real one would be.
        host: Some("localhost"),
        settings: SERVER,
    };

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let keys = Keys::from_settings(settings);
        let clients = registration::clients(settings);
        let resources = resources(settings);
        // The tokens of the example `users`, which are never issued here.
        let tokens = Tokens::new(
            &Secrets::random(),
            settings.public_url().clone(),
            Flows::default(),
        );
        let users = Users::open(settings, tokens).await;
        let ((keys, (clients, commands)), users) = keys.zip(clients).zip(users)?;
        let db = users.db.clone();
        store::migrate(&db, settings).await?;
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

/// The audiences, the default first.
fn resources(settings: &mut Settings) -> Vec<String> {
    let own = settings.public_url().to_string();
    let value = settings.get("RESOURCES").unwrap_or(&own);
    let resources: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
    let is_good = |uri: &String| Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none());
    if !resources.iter().all(is_good) {
        settings.problem(
            "RESOURCES",
            "contains one that is not an absolute URI, or that has a #fragment",
        );
    }
    resources
}
