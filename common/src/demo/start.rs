//! Runs a demo provider next to the server, on this machine only.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use oauth2::{ClientId, ClientSecret};
use tokio::net::TcpListener;

use super::{Demo, routes, store::Store};
use crate::{
    server::{Companion, listen, protect},
    settings::{PublicUrl, Settings},
};

/// A demo provider that runs.
pub struct Running {
    /// Where browsers find it.
    pub browser_url: PublicUrl,
    /// Where this process finds it.
    pub direct_url: PublicUrl,
    /// Ends it when dropped.
    pub companion: Companion,
}

/// Starts the demo provider next to the server, with this one client registered.
///
/// It lets anyone in, so it runs on this machine only; otherwise it records a problem and returns
/// `None`.
pub async fn start(
    settings: &mut Settings,
    client: (&ClientId, &ClientSecret),
    redirect_path: &str,
) -> Option<Running> {
    let place = Place::bind(settings, "DEMO_ADDR", 5001).await?;
    let demo = place.demo(settings, client, redirect_path, &["identify", "email"]);
    Some(place.run(routes(demo.into())))
}

/// Where a demo provider is going to run.
pub(super) struct Place {
    listener: TcpListener,
    pub(super) browser_url: PublicUrl,
    direct_url: PublicUrl,
}

impl Place {
    /// Binds the address that a setting names, if nobody but this machine can reach it.
    pub(super) async fn bind(settings: &mut Settings, name: &str, port: u16) -> Option<Self> {
        let listener = listen(settings, name, ([127, 0, 0, 1], port).into()).await?;
        let addr = listener.local_addr().ok()?;
        if !settings.is_loopback() || !addr.ip().is_loopback() {
            let what = format!(
                "is demo, which lets everybody in, so BIND_ADDR, {name} and PUBLIC_URL must be on \
                 this machine; otherwise set CLIENT_ID and CLIENT_SECRET for a real provider"
            );
            settings.problem("PROVIDER", what);
            return None;
        }
        Some(Self {
            listener,
            browser_url: browser_url(settings.public_url(), addr),
            direct_url: PublicUrl::of(addr),
        })
    }

    /// A demo provider of this place, with its one client.
    pub(super) fn demo(
        &self,
        settings: &Settings,
        (client_id, client_secret): (&ClientId, &ClientSecret),
        redirect_path: &str,
        scopes: &'static [&'static str],
    ) -> Demo {
        Demo {
            client_id: client_id.to_string(),
            client_secret: client_secret.secret().clone(),
            redirect_uri: settings.public_url().join(redirect_path),
            client_url: settings.public_url().clone(),
            own_url: self.browser_url.clone(),
            scopes,
            openid: None,
            store: Store::new(),
        }
    }

    pub(super) fn run(self, routes: Router) -> Running {
        let app = protect(routes, &self.direct_url);
        Running {
            browser_url: self.browser_url,
            direct_url: self.direct_url,
            companion: Companion::start(self.listener, app),
        }
    }
}

/// Where browsers find a demo provider: under a name of this machine that the app does not use. A
/// real provider is on another site too, and cookies that would be lost there must be lost here as
/// well.
fn browser_url(app: &PublicUrl, addr: SocketAddr) -> PublicUrl {
    let host = match (app.as_url().host_str(), addr.ip()) {
        (Some("localhost"), IpAddr::V4(_)) => "127.0.0.1",
        (Some("localhost"), IpAddr::V6(_)) => "[::1]",
        _ => "localhost",
    };
    PublicUrl::of(addr).named(host)
}
