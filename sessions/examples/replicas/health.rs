//! Health checks, for the orchestrator and the load balancer.

use axum::{extract::State, http::StatusCode};
use common::Result;

use super::Replica;

/// `GET /healthz`: this process is alive. It does not check the store: restarting every process
/// while the store is down would not help.
pub async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: the store can be written to. Otherwise 503, without details.
pub async fn readyz(State(replica): State<Replica>) -> Result<StatusCode> {
    replica.store.check().await?;
    Ok(StatusCode::OK)
}
