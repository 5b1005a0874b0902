//! For whatever starts and stops the processes, and sends them requests.

use axum::{extract::State, http::StatusCode};
use common::Result;

use super::Replica;

/// `GET /healthz`: this process serves. It says nothing of the store: to restart every process
/// while the store is down would help nobody.
pub async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: the store can be written to. Otherwise 503, without details.
pub async fn readyz(State(replica): State<Replica>) -> Result<StatusCode> {
    replica.store.check().await?;
    Ok(StatusCode::OK)
}
