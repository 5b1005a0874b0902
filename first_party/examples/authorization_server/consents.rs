//! `/consents`: what a user has allowed each client, and how they withdraw it.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use common::{
    Error, Page, Params,
    server::{PublicHost, check_same_origin},
};
use tower_cookies::Cookies;

use super::{codes::split, login, settings::Server, store::now};

#[derive(Template)]
#[template(path = "authorization_server/consents.html")]
struct Consents {
    user: String,
    /// The clients, and the scopes that each has.
    clients: BTreeMap<String, Vec<String>>,
}

/// `GET /consents`: what this user has allowed each client.
pub async fn consents(
    _: PublicHost,
    State(server): State<Server>,
    cookies: Cookies,
) -> Result<Response, Error> {
    let Some(session) = server.session(&cookies).await? else {
        return Ok(login::page(None, None));
    };
    let user = session.account.username;
    let clients = server.clients_of(&user).await?;
    Ok(Page::new("What you have allowed", Consents { user, clients }).into_response())
}

/// `POST /consents`: withdraws the consent for one client, and revokes what was issued to it.
pub async fn withdraw(
    State(server): State<Server>,
    cookies: Cookies,
    headers: HeaderMap,
    params: Params,
) -> axum::response::Result<Redirect> {
    const SQL: [&str; 2] = [
        "DELETE FROM authorization_consents WHERE subject = $1 AND client_id = $2",
        "DELETE FROM authorization_grants WHERE subject = $1 AND client_id = $2",
    ];
    check_same_origin(&headers, &server.public_url)?;
    let client = params.get("client_id").unwrap_or_default();
    let withdrawn = async {
        let Some(session) = server.session(&cookies).await? else {
            return Ok(());
        };
        let mut tx = server.db.begin().await?;
        for sql in SQL {
            let query = sqlx::query(sql)
                .bind(&session.account.username)
                .bind(client);
            query.execute(&mut *tx).await?;
        }
        tx.commit().await
    };
    withdrawn.await.map_err(Error::from)?;
    Ok(Redirect::to("/consents"))
}

impl Server {
    async fn clients_of(&self, user: &str) -> sqlx::Result<BTreeMap<String, Vec<String>>> {
        const SQL: &str = "SELECT client_id, scope FROM authorization_consents
                WHERE subject = $1 AND expires > $2
            UNION SELECT client_id, scope FROM authorization_grants
                WHERE subject = $1 AND expires > $2";
        let query = sqlx::query_as(SQL).bind(user).bind(now());
        let rows: Vec<(String, String)> = query.fetch_all(&self.db).await?;
        let mut clients = BTreeMap::<_, Vec<_>>::new();
        for (client, scopes) in rows {
            let known = clients.entry(client).or_default();
            known.extend(split(&scopes));
            known.sort();
            known.dedup();
        }
        Ok(clients)
    }
}
