//! Where a user is logged in.

use askama::Template;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use common::{Page, Result, unix_now};
use serde::Serialize;

use super::{
    Replica,
    session::{LoggedIn, user_key},
    store::Listed,
};

/// One session of this user. Times are in Unix seconds.
#[derive(Serialize)]
struct Entry {
    since: u64,
    last_seen: u64,
    browser: String,
    /// Whether it is the session that sent this request.
    current: bool,
}

#[derive(Template)]
#[template(path = "replicas_sessions.html")]
struct List {
    name: String,
    now: u64,
    entries: Vec<Entry>,
}

/// `GET /sessions`: this user's sessions, the newest first.
pub async fn sessions(
    LoggedIn(session): LoggedIn,
    State(replica): State<Replica>,
    headers: HeaderMap,
) -> Result<Response> {
    let kept = replica.store.sessions(&user_key(&session.identity)).await?;
    let entry = |kept: Listed| {
        let login = replica.open_login(&kept.key, &kept.login)?;
        Some(Entry {
            since: login.since,
            last_seen: kept.seen,
            browser: login.browser,
            current: kept.key == session.key,
        })
    };
    let mut entries: Vec<_> = kept.into_iter().filter_map(entry).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.since));
    if !accepts_html(&headers) {
        return Ok(Json(entries).into_response());
    }
    let list = List {
        name: session.identity.name,
        now: unix_now(),
        entries,
    };
    Ok(Page::new("replicas: where you are logged in", list).into_response())
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"))
}

/// How long ago that was, for people.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the template passes references"
)]
fn ago(now: &u64, then: &u64) -> String {
    let seconds = now.saturating_sub(*then);
    let (number, unit) = match seconds {
        0..60 => return "just now".into(),
        60..3600 => (seconds / 60, "minute"),
        3600..86400 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}
