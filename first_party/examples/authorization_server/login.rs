//! `/login`: the password, which no client ever sees.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response, Result},
};
use common::{Error, Page, params::Unchecked, server::check_same_origin};
use tower_cookies::Cookies;

use super::{request::Request, settings::Server};

#[derive(Template)]
#[template(path = "authorization_server/login.html")]
struct Login {
    client: Option<String>,
    mistake: Option<&'static str>,
    /// The authorization request rides along, and is checked again when it comes back.
    hidden: Vec<(&'static str, String)>,
}

/// `POST /login`: the form was submitted. Continues where the browser wanted to go.
pub async fn login(
    State(server): State<Server>,
    cookies: Cookies,
    headers: HeaderMap,
    params: Unchecked,
) -> Result<Redirect> {
    // Otherwise another site could log its visitors in as someone else (login CSRF).
    check_same_origin(&headers, &server.public_url)?;
    let username = params.get("username").unwrap_or_default().to_owned();
    let password = params.get("password").unwrap_or_default().to_owned();
    let is_for_client = params.has("client_id");
    let request = is_for_client.then(|| server.check(params)).transpose()?;
    let user = match server.users.authenticate(&username, &password).await {
        Ok(user) => user,
        Err(refusal) => return Err(try_again(request.as_ref(), refusal).into()),
    };
    let begun = server.begin_session(&cookies, &user.subject).await;
    begun.map_err(Error::from)?;
    tracing::info!("2/5 the user gives us a user name and a password; the client sees neither");
    // Nobody else chooses the target: it is one of our own pages, which checks everything again.
    let next = request.map_or("/consents".to_owned(), |request| request.after_login());
    Ok(Redirect::to(&next))
}

/// The form. A user who logs in for a client returns to its request.
pub fn page(request: Option<&Request>, mistake: Option<&'static str>) -> Response {
    let form = Login {
        client: request.map(|request| request.oauth.client_id.clone()),
        mistake,
        hidden: request.map(Request::fields).unwrap_or_default(),
    };
    let page = Page::new("Log in", form);
    match request {
        Some(request) => request.page(page),
        None => page.into_response(),
    }
}

/// The form again. A wrong password, an unknown user and a disabled one look the same; too many
/// guesses and our own failures keep their status.
fn try_again(request: Option<&Request>, refusal: Response) -> Response {
    let (status, mistake) = match refusal.status() {
        status if status.is_server_error() => return refusal,
        StatusCode::TOO_MANY_REQUESTS => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong passwords for this user name; try again in a few minutes",
        ),
        _ => (StatusCode::BAD_REQUEST, "Incorrect user name or password"),
    };
    let wait = refusal.headers().get(header::RETRY_AFTER).cloned();
    let mut response = page(request, Some(mistake));
    response
        .headers_mut()
        .extend(wait.map(|wait| (header::RETRY_AFTER, wait)));
    *response.status_mut() = status;
    response
}
