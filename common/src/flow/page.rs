//! `GET /flow`: the diagrams, as a page without scripts.

use askama::Template;
use axum::{
    Router,
    extract::{FromRef, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    Flows, Recorded,
    messages::{Message, Shown},
};
use crate::Page;

/// The route of the page, for an app whose state contains its flows.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S>
where
    Flows: FromRef<S>,
{
    Router::new().route("/flow", get(flow))
}

#[derive(Template)]
#[template(path = "flow.html")]
struct Diagrams {
    /// The newest first.
    flows: Vec<Recorded>,
}

/// `GET /flow`: the last flows; 404 where others can reach the server.
async fn flow(State(flows): State<Flows>) -> Response {
    let Some(recorder) = flows.0 else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let flows = recorder.flows().iter().rev().cloned().collect();
    Page::new("Recent flows", Diagrams { flows }).into_response()
}

impl Recorded {
    /// When it began, in UTC.
    fn time(&self) -> String {
        let second = self.started % 86_400;
        let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
        format!("{hours:02}:{minutes:02}:{seconds:02} UTC")
    }
}

impl Message {
    /// The classes of the stylesheet that draw the arrow.
    fn direction(&self) -> String {
        let (from, to) = (self.from as u8, self.to as u8);
        let (left, right) = (from.min(to), from.max(to));
        let head = if from < to { "right" } else { "left" };
        format!("between-{left}-{right} {head}")
    }
}
