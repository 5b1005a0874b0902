//! `cargo run -p first_party --example users`: the password grant with real users.
//!
//! What `first_party` lacks: users in a database, a password check that is slow on purpose and
//! limits guesses, scopes for each user, and `/users/me/`. Log in as `johndoe` with `secret123`;
//! `alice` with `password456` is disabled.
//!
//! | file | what it does |
//! |---|---|
//! | `main.rs` | the routes, and the guard that asks the database for the user of a token |
//! | `users.rs` | the users, and who may log in |
//! | `passwords.rs` | Argon2id, a few at a time |

use std::process::ExitCode;

use axum::{
    Json, Router,
    extract::{FromRequestParts, State},
    http::{HeaderMap, request::Parts},
    middleware::{from_extractor_with_state, from_fn},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use common::{
    Error,
    error::{NoStore, oauth_endpoint},
    flow,
    params::{Strict, Unchecked},
    server::{get_and_post, get_only, protect},
};
use first_party::{
    bearer::BearerError,
    docs, endpoint3, form,
    implicit::ImplicitRequest,
    password::TokenRequest,
    token::{Claims, TokenResponse},
};

pub(crate) mod passwords;
pub(crate) mod users;

use users::{Item, Profile, Users};

fn main() -> ExitCode {
    common::run(app)
}

/// The routes of `first_party` with our own users, and two more.
pub fn app(users: Users) -> Router {
    // A token lives for half an hour, and its user may be gone sooner.
    let active = from_extractor_with_state::<Profile, _>(users.clone());
    let endpoints = first_party::endpoints().route_layer(active);

    let public_url = users.tokens.public_url().clone();
    let routes = Router::new()
        .route("/", get(async || Redirect::to("/docs/")))
        .route("/users/me/", get_only(me))
        .route("/users/me/items/", get_only(items))
        .route("/endpoint3", get_only(endpoint3))
        .route("/login", get_and_post(form::form, submit))
        .route("/token", post(token).layer(from_fn(oauth_endpoint)))
        .merge(docs::routes(&public_url))
        .with_state(users.clone())
        .merge(endpoints.merge(flow::routes()).with_state(users.tokens));

    protect(routes, &public_url)
}

/// `POST /token`: the password grant, with the password of one of our users.
async fn token(
    State(users): State<Users>,
    Strict(request): Strict<TokenRequest>,
) -> Result<(NoStore, Json<TokenResponse>), Response> {
    let attempt = request.check(&users.tokens)?;
    let user = users
        .authenticate(&attempt.username, &attempt.password)
        .await
        .map_err(|refusal| attempt.refused(&users.tokens, refusal))?;

    Ok(attempt.answer(&users.tokens, &user))
}

/// `POST /login`: the implicit grant, likewise.
async fn submit(
    State(users): State<Users>,
    headers: HeaderMap,
    params: Unchecked,
) -> Result<Redirect, Response> {
    let request = ImplicitRequest::submitted(&users.tokens, &headers, params)?;
    let attempt = request.login()?;
    let user = users
        .authenticate(&attempt.username, &attempt.password)
        .await
        .map_err(|refusal| request.refused(refusal))?;

    Ok(request.answer(&users.tokens, &attempt, &user))
}

/// `GET /users/me/`: who the token belongs to.
async fn me(profile: Profile) -> Json<Profile> {
    Json(profile)
}

/// `GET /users/me/items/`: the items of the user, and nobody else's.
async fn items(profile: Profile, State(users): State<Users>) -> Result<Json<Vec<Item>>, Error> {
    Ok(Json(users.items(&profile.username).await?))
}

/// The guard: a valid token whose user still exists (otherwise 401) and is still active (otherwise
/// 400).
impl FromRequestParts<Users> for Profile {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, users: &Users) -> Result<Self, Response> {
        let claims = Claims::from_request_parts(parts, users).await;
        let username = claims.map_err(IntoResponse::into_response)?.sub;
        let profile = users
            .profile(&username)
            .await
            .map_err(IntoResponse::into_response)?;
        match profile {
            None => Err(BearerError::InvalidToken.into_response()),
            Some(profile) if profile.disabled => {
                Err(Error::Malformed("Inactive user".into()).into_response())
            }
            Some(profile) => Ok(profile),
        }
    }
}
