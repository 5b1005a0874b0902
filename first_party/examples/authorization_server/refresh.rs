//! Refresh tokens: a new one with each use, and what happens when an old one comes back (RFC 9700,
//! section 4.14.2).

use std::time::Duration;

use common::{
    Params,
    authorization::{INVALID_GRANT, scope},
    error::OAuthError,
    random_token,
};
use sqlx::{Any, Transaction};

use super::{
    accounts,
    clients::Client,
    codes::{Grant, split},
    resources::audience,
    scopes::granted,
    settings::Server,
    store::{after, hash, now},
    token::Failure,
    tokens::{NewToken, TokenResponse},
};

/// How long an unused refresh token stays valid.
pub const IDLE_LIFETIME: Duration = Duration::from_hours(14 * 24);
/// How long one login can be refreshed in all.
pub const ABSOLUTE_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// Issues a new refresh token for a grant.
pub async fn issue(tx: &mut Transaction<'static, Any>, grant_id: &str) -> sqlx::Result<String> {
    const SQL: &str = "INSERT INTO authorization_refresh_tokens (token_hash, grant_id, expires)
        VALUES ($1, $2, $3)";
    let token = random_token();
    let query = sqlx::query(SQL).bind(hash(&token)).bind(grant_id);
    query.bind(after(IDLE_LIFETIME)).execute(&mut **tx).await?;
    Ok(token)
}

impl Server {
    /// `grant_type=refresh_token` (RFC 6749, section 6), for a client that has authenticated. Using
    /// the old token and issuing the new one are one transaction, as in [`Server::redeem_code`].
    pub async fn refresh(
        &self,
        client: &Client,
        params: &Params,
    ) -> Result<TokenResponse, Failure> {
        let missing = OAuthError::invalid_request("refresh_token is missing");
        let token = params.get("refresh_token").ok_or(missing)?;
        let mut tx = self.db.begin().await?;
        let Some(grant) = claim(&mut tx, client, token).await? else {
            revoke_family(&mut tx, client, token).await?;
            tx.commit().await?;
            return Err(INVALID_GRANT.into());
        };
        let account = accounts::find(&mut *tx, &grant.subject)
            .await?
            .ok_or(INVALID_GRANT)?;
        // A client may ask for less, never for more. An error here rolls back, so the old token
        // stays valid.
        let scopes = scope::narrow(params.get("scope"), &split(&grant.scope))?;
        let audience = audience(params, &grant.resources)?;
        let mut tokens = self.issue(NewToken {
            subject: &grant.subject,
            client_id: &client.id,
            audience: &audience,
            scope: granted(&scopes, &account.scopes, &client.scopes).join(" "),
            grant_id: Some(&grant.id),
        });
        tokens.refresh_token = Some(issue(&mut tx, &grant.id).await?);
        tx.commit().await?;
        tracing::info!(
            "a refresh token was used and replaced; the new access token is for [{}]",
            tokens.scope
        );
        Ok(tokens)
    }
}

/// Marks a token of this client as used, if it is neither used nor expired: of several concurrent
/// requests, only one changes the row. The grant's row comes first, as in a revocation: in opposite
/// orders, each could wait for the other.
async fn claim(
    tx: &mut Transaction<'static, Any>,
    client: &Client,
    token: &str,
) -> sqlx::Result<Option<Grant>> {
    const HOLD: &str = "UPDATE authorization_grants SET redeemed = 1
        WHERE client_id = $1 AND expires > $2 AND grant_id IN
            (SELECT grant_id FROM authorization_refresh_tokens WHERE token_hash = $3)
        RETURNING *";
    const CLAIM: &str = "UPDATE authorization_refresh_tokens SET used = 1
        WHERE token_hash = $1 AND used = 0 AND expires > $2";
    let query = sqlx::query_as(HOLD).bind(&client.id).bind(now());
    let Some(grant) = query.bind(hash(token)).fetch_optional(&mut **tx).await? else {
        return Ok(None);
    };
    let query = sqlx::query(CLAIM).bind(hash(token)).bind(now());
    let claimed = query.execute(&mut **tx).await?.rows_affected() > 0;
    Ok(claimed.then_some(grant))
}

/// A used token that comes back may have been stolen, and nobody knows who holds the real one: the
/// whole family is revoked, with its access tokens. The user's other logins are not affected.
async fn revoke_family(
    tx: &mut Transaction<'static, Any>,
    client: &Client,
    token: &str,
) -> sqlx::Result<()> {
    const SQL: &str = "DELETE FROM authorization_grants WHERE client_id = $1 AND grant_id IN
        (SELECT grant_id FROM authorization_refresh_tokens WHERE token_hash = $2 AND used = 1)";
    let query = sqlx::query(SQL).bind(&client.id).bind(hash(token));
    if query.execute(&mut **tx).await?.rows_affected() > 0 {
        tracing::warn!("a refresh token was used a second time: its whole family is revoked");
    }
    Ok(())
}
