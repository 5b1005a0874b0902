//! The demo provider: imitates Discord on this machine, so that a login works with nothing set up.
//!
//! It lets everybody in and is strict otherwise: a client that works here works elsewhere. What
//! every authorization server checks is in [`authorization`](crate::authorization); here is the
//! rest, one file per endpoint:
//!
//! | file | what it does |
//! |---|---|
//! | `start` | runs it next to the server, on this machine only |
//! | `authorize` | the authorization endpoint: Allow and Deny |
//! | `token` | the token endpoint and the revocation endpoint |
//! | `user` | the userinfo endpoint |
//! | `store` | what it has issued: in memory, bounded, gone with the process |
//! | `openid` | what makes it an OpenID provider |

mod authorize;
#[cfg(feature = "oidc")]
pub mod openid;
mod start;
mod store;
mod token;
mod user;

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::State,
    middleware::from_fn,
    routing::{get, post},
};

use self::store::{Grant, Store};
use crate::{
    Page,
    error::oauth_endpoint,
    server::{get_and_post, get_only},
    settings::PublicUrl,
};

pub use start::{Running, start};

/// A demo provider and its one client.
struct Demo {
    client_id: String,
    client_secret: String,
    redirect_uri: String,
    client_url: PublicUrl,
    /// Where browsers find the demo provider.
    own_url: PublicUrl,
    /// Every scope. The first is granted to a client that asks for none.
    scopes: &'static [&'static str],
    openid: Option<OpenId>,
    store: Store,
}

/// What an OpenID provider needs in addition.
struct OpenId {
    issuer: String,
    sign: SignIdToken,
}

/// Issues a signed ID token, with the nonce of the authorization request.
type SignIdToken = Box<dyn Fn(&Grant, Option<&str>) -> String + Send + Sync>;

fn routes(demo: Arc<Demo>) -> Router {
    let oauth_endpoints = Router::new()
        .route("/api/oauth2/token", post(token::token))
        .route("/api/oauth2/token/revoke", post(token::revoke))
        // Not `layer`: after the merge it would also answer for every unknown path.
        .route_layer(from_fn(oauth_endpoint));
    let authorize = get_and_post(authorize::authorize, authorize::decide);
    Router::new()
        .route("/", get(index))
        .route("/oauth2/authorize", authorize)
        .route("/api/users/@me", get_only(user::user))
        .merge(oauth_endpoints)
        .with_state(demo)
}

#[derive(Template)]
#[template(path = "demo_index.html")]
struct Index {
    client_url: String,
}

/// `GET /`: tells anyone who strays here what this is.
async fn index(State(demo): State<Arc<Demo>>) -> Page<Index> {
    let client_url = demo.client_url.to_string();
    Page::new("Demo provider", Index { client_url })
}
