//! The sessions that have ended recently.

use std::{sync::Arc, time::Duration};

use common::expiring::Expiring;

use crate::session::Session;

/// The sessions that have ended here within the last minute: by a logout, or by another login in
/// the same browser. This is no list of revoked sessions: [`LoggedIn`](crate::session::LoggedIn)
/// does not look here.
///
/// A request of such a session may still be waiting for the provider. Its response must not touch
/// the cookies any more, which by then may be those of the next session. No request lasts as long
/// as a minute: [`protect`](common::server::protect) ends it sooner.
///
/// This table is per process, and it cannot recall a response that is already on its way. A refresh
/// that finishes late on another replica, or such a response, replaces the `token` cookie of the
/// next session. Nobody gets another user's data, because a token is valid only together with its
/// own session, but the user must log in again. Against the former, send the requests of one browser
/// to one replica, or keep this table where all replicas can find it.
#[derive(Clone, Debug)]
pub struct EndedSessions(Arc<Expiring<()>>);

impl Default for EndedSessions {
    fn default() -> Self {
        Self(Arc::new(Expiring::new(Duration::from_mins(1), 10_000)))
    }
}

impl EndedSessions {
    /// Remembers that a session has ended.
    pub fn add(&self, session: Session) {
        self.0.insert(session.id, ());
    }

    /// Whether a session has ended here recently.
    pub fn contains(&self, session: &Session) -> bool {
        self.0.get(&session.id).is_some()
    }
}
