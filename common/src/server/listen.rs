//! Where servers of this process listen.

use std::net::SocketAddr;

use axum::Router;
use tokio::{net::TcpListener, task::JoinSet};

use super::serve::serve;
use crate::settings::Settings;

/// Binds the address that a setting names; if the port is 0, the listener knows the real one.
///
/// Returns `None` after recording a problem.
pub async fn listen(
    settings: &mut Settings,
    name: &str,
    default: SocketAddr,
) -> Option<TcpListener> {
    let address = match settings.get(name) {
        Some(_) => settings.parse(name, "an IP address and a port, such as 127.0.0.1:5000")?,
        None => default,
    };
    if matches!(address, SocketAddr::V6(address) if address.scope_id() != 0) {
        let what = "has a scope id (the part after %), which no URL can have; leave it out";
        settings.problem(name, what);
        return None;
    }
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            let airplay = if cfg!(target_os = "macos") && address.port() == 5000 {
                " (on macOS, the AirPlay receiver uses port 5000)"
            } else {
                ""
            };
            let what = format!("{address} cannot be bound: {error}{airplay}; choose another port");
            settings.problem(name, what);
            None
        }
    }
}

/// A second server in this process, such as the demo provider. It runs until it is dropped.
#[derive(Debug)]
pub struct Companion {
    _aborted_on_drop: JoinSet<()>,
}

impl Companion {
    /// Serves an app from now on.
    pub fn start(listener: TcpListener, app: Router) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, app, std::future::pending()));
        Self {
            _aborted_on_drop: tasks,
        }
    }
}
