//! `/revoke`: a client revokes a token (RFC 7009). `/introspect`: a client asks whether a token is
//! still valid (RFC 7662).

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use common::{
    Params,
    authorization::INVALID_GRANT,
    client_auth::INVALID_CLIENT,
    error::{NO_STORE, NoStore, OAuthError},
};
use serde_json::{Value, json};
use sqlx::FromRow;

use super::{
    access_token::{Claims, verify},
    accounts,
    clients::Client,
    settings::Server,
    store::{hash, now},
    token::{Failure, InBodyAlone},
    tokens::is_alive,
};

/// `POST /revoke`: revokes a token. An unknown token also gets 200, because it is already invalid
/// (RFC 7009, section 2.2).
pub async fn revoke(
    State(server): State<Server>,
    _: InBodyAlone,
    headers: HeaderMap,
    params: Params,
) -> Result<StatusCode, Failure> {
    let client = server.clients.authenticate(&headers, &params)?;
    let token = params.get("token").ok_or(NO_TOKEN)?;
    match server.access_token(token).await? {
        Some(claims) => server.revoke_access_token(client, &claims).await?,
        None => server.revoke_family(client, token).await?,
    }
    Ok(StatusCode::OK)
}

/// `POST /introspect`: what a token says, for the client that it was issued to and for the client
/// that serves its resource. For any other client the token is inactive.
pub async fn introspect(
    State(server): State<Server>,
    _: InBodyAlone,
    headers: HeaderMap,
    params: Params,
) -> Result<(NoStore, Json<Value>), Failure> {
    let client = server.clients.authenticate(&headers, &params)?;
    if client.secret.is_none() {
        return Err(INVALID_CLIENT.into());
    }
    let token = params.get("token").ok_or(NO_TOKEN)?;
    let answer = match server.access_token(token).await? {
        Some(claims) => server.introspect_access_token(client, &claims).await?,
        None => server.introspect_refresh_token(client, token).await?,
    };
    let inactive = json!({ "active": false });
    Ok((NO_STORE, Json(answer.unwrap_or(inactive))))
}

const NO_TOKEN: OAuthError = OAuthError {
    error: "invalid_request",
    description: "token is missing",
};

/// A stored refresh token, and the grant that it belongs to.
#[derive(FromRow)]
struct Kept {
    grant_id: String,
    subject: String,
    client_id: String,
    scope: String,
    expires: i64,
    used: i64,
}

impl Server {
    async fn access_token(&self, token: &str) -> Result<Option<Claims>, Failure> {
        verify(token, &self.keys, &self.issuer)
            .await
            .map_err(Failure::Other)
    }

    async fn revoke_access_token(&self, client: &Client, claims: &Claims) -> Result<(), Failure> {
        const SQL: &str = "INSERT INTO authorization_revoked_tokens (jti, expires) VALUES ($1, $2)
            ON CONFLICT (jti) DO NOTHING";
        if claims.client_id != client.id {
            return Err(INVALID_GRANT.into());
        }
        let expires = i64::try_from(claims.exp).unwrap_or(i64::MAX);
        sqlx::query(SQL)
            .bind(&claims.jti)
            .bind(expires)
            .execute(&self.db)
            .await?;
        tracing::info!("a client revoked an access token");
        Ok(())
    }

    /// Revoking a refresh token also revokes everything else from the same grant (section 2.1).
    async fn revoke_family(&self, client: &Client, token: &str) -> Result<(), Failure> {
        const SQL: &str = "DELETE FROM authorization_grants WHERE grant_id = $1";
        let Some(kept) = self.refresh_token(token).await? else {
            return Ok(());
        };
        if kept.client_id != client.id {
            return Err(INVALID_GRANT.into());
        }
        sqlx::query(SQL)
            .bind(kept.grant_id)
            .execute(&self.db)
            .await?;
        tracing::info!("a client revoked a refresh token, and its access tokens with it");
        Ok(())
    }

    async fn introspect_access_token(
        &self,
        client: &Client,
        claims: &Claims,
    ) -> sqlx::Result<Option<Value>> {
        let may_know = claims.client_id == client.id || client.resources.contains(&claims.aud);
        if !may_know || !is_alive(&self.db, claims).await? {
            return Ok(None);
        }
        let mut answer = json!(claims);
        answer["active"] = true.into();
        answer["token_type"] = "Bearer".into();
        Ok(Some(answer))
    }

    async fn introspect_refresh_token(
        &self,
        client: &Client,
        token: &str,
    ) -> sqlx::Result<Option<Value>> {
        let kept = self.refresh_token(token).await?;
        let is_good =
            |kept: &Kept| kept.client_id == client.id && kept.used == 0 && now() < kept.expires;
        let Some(kept) = kept.filter(is_good) else {
            return Ok(None);
        };
        let account = accounts::find(&self.db, &kept.subject).await?;
        Ok(account.map(|account| {
            json!({
                "active": true,
                "iss": self.issuer,
                "sub": account.username,
                "client_id": kept.client_id,
                "scope": kept.scope,
                "exp": kept.expires,
            })
        }))
    }

    async fn refresh_token(&self, token: &str) -> sqlx::Result<Option<Kept>> {
        const SQL: &str = "SELECT g.grant_id, g.subject, g.client_id, g.scope, t.used,
                CASE WHEN t.expires < g.expires THEN t.expires ELSE g.expires END AS expires
            FROM authorization_refresh_tokens t JOIN authorization_grants g ON g.grant_id = t.grant_id
            WHERE t.token_hash = $1";
        sqlx::query_as(SQL)
            .bind(hash(token))
            .fetch_optional(&self.db)
            .await
    }
}
