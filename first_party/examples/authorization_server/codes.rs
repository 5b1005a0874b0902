//! Authorization codes: issued after the consent, redeemed once (RFC 6749, section 4.1).

use std::time::Duration;

use common::{
    Params,
    authorization::{CodeBinding, INVALID_GRANT, scope},
    error::OAuthError,
    random_token,
};
use sqlx::{Any, AnyExecutor, FromRow, Transaction};

use super::{
    accounts,
    clients::Client,
    refresh::{self, ABSOLUTE_LIFETIME},
    request::Request,
    resources::audience,
    scopes::{OFFLINE_ACCESS, OPENID, granted, has},
    session::Session,
    settings::Server,
    store::{after, hash, now},
    token::Failure,
    tokens::{ACCESS_LIFETIME, IdLogin, NewToken, TokenResponse},
};

/// How long a code may take to reach the client through the browser.
pub const LIFETIME: Duration = Duration::from_mins(1);

/// What a code was issued for.
#[derive(FromRow)]
pub struct Grant {
    #[sqlx(rename = "grant_id")]
    pub id: String,
    pub subject: String,
    pub client_id: String,
    pub scope: String,
    pub resources: String,
    pub auth_time: i64,
    code_expires: i64,
    session_hash: String,
    redirect_uri: String,
    code_challenge: String,
    nonce: Option<String>,
}

impl Server {
    /// Issues a code for what a user granted to the client of this request.
    pub async fn issue_code(
        &self,
        db: impl AnyExecutor<'_>,
        request: &Request,
        session: &Session,
        scopes: &[String],
    ) -> sqlx::Result<String> {
        const SQL: &str = "INSERT INTO authorization_grants (grant_id, subject, client_id, scope,
                resources, auth_time, expires, code_hash, code_expires, session_hash, redirect_uri,
                code_challenge, nonce)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        let Request {
            oauth, resources, ..
        } = request;
        let (code, scope) = (random_token(), scopes.join(" "));
        // A grant is kept as long as its code or its tokens could still be used.
        let lifetime = if has(&scope, OFFLINE_ACCESS) {
            ABSOLUTE_LIFETIME
        } else {
            LIFETIME + ACCESS_LIFETIME
        };
        sqlx::query(SQL)
            .bind(random_token())
            .bind(&session.account.username)
            .bind(&oauth.client_id)
            .bind(scope)
            .bind(resources)
            .bind(session.auth_time)
            .bind(after(lifetime))
            .bind(hash(&code))
            .bind(after(LIFETIME))
            .bind(&session.id_hash)
            .bind(&oauth.redirect_uri)
            .bind(&oauth.code_challenge)
            .bind(&oauth.nonce)
            .execute(db)
            .await?;
        Ok(code)
    }

    /// `grant_type=authorization_code` (RFC 6749, section 4.1.3), for a client that has
    /// authenticated. Code and tokens are one transaction: either the code is redeemed and its
    /// tokens are issued, or neither.
    pub async fn redeem_code(
        &self,
        client: &Client,
        params: &Params,
    ) -> Result<TokenResponse, Failure> {
        let code = params
            .get("code")
            .ok_or(OAuthError::invalid_request("code is missing"))?;
        let mut tx = self.db.begin().await?;
        let Some(grant) = claim(&mut tx, client, code).await? else {
            revoke_redeemed(&mut tx, client, code).await?;
            tx.commit().await?;
            return Err(INVALID_GRANT.into());
        };
        let checked = match check(&mut tx, &grant, client, params).await? {
            Ok(checked) => checked,
            // The code is redeemed anyway: nobody gets a second guess.
            Err(error) => {
                tx.commit().await?;
                return Err(error.into());
            }
        };
        let mut tokens = self.issue(NewToken {
            subject: &grant.subject,
            client_id: &client.id,
            audience: &checked.audience,
            scope: checked.scope,
            grant_id: Some(&grant.id),
        });
        if has(&tokens.scope, OPENID) {
            tokens.id_token = Some(self.id_token(
                &tokens.access_token,
                IdLogin {
                    subject: &grant.subject,
                    client_id: &client.id,
                    auth_time: grant.auth_time,
                    nonce: grant.nonce,
                },
            ));
        }
        if has(&tokens.scope, OFFLINE_ACCESS) {
            tokens.refresh_token = Some(refresh::issue(&mut tx, &grant.id).await?);
        }
        tx.commit().await?;
        tracing::info!(
            "5/5 the client authenticates and proves that it started this login; we sign tokens for [{}]",
            tokens.scope
        );
        Ok(tokens)
    }
}

/// Checks what the code is bound to, and whether its session and its user still exist.
async fn check(
    tx: &mut Transaction<'static, Any>,
    grant: &Grant,
    client: &Client,
    params: &Params,
) -> sqlx::Result<Result<Checked, OAuthError>> {
    const SESSION: &str = "SELECT COUNT(*) FROM authorization_sessions WHERE id_hash = $1";
    let session = sqlx::query_scalar(SESSION).bind(&grant.session_hash);
    let sessions: i64 = session.fetch_one(&mut **tx).await?;
    let account = accounts::find(&mut **tx, &grant.subject).await?;
    if params.get("code_verifier").is_none() {
        return Ok(Err(OAuthError::invalid_request("code_verifier is missing")));
    }
    let binding = CodeBinding {
        client_id: grant.client_id.clone(),
        redirect_uri: grant.redirect_uri.clone(),
        code_challenge: grant.code_challenge.clone(),
    };
    let account = account.filter(|_| sessions > 0 && now() < grant.code_expires);
    Ok(binding.check(&client.id, params).and_then(|()| {
        let account = account.ok_or(INVALID_GRANT)?;
        let scopes = scope::narrow(None, &split(&grant.scope))?;
        Ok(Checked {
            scope: granted(&scopes, &account.scopes, &client.scopes).join(" "),
            audience: audience(params, &grant.resources)?,
        })
    }))
}

struct Checked {
    scope: String,
    audience: String,
}

/// The scopes of a list.
pub fn split(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

/// Redeems a code of this client, unless it was redeemed before: even among concurrent requests in
/// several processes, only one changes the row. The code of another client is left untouched.
async fn claim(
    tx: &mut Transaction<'static, Any>,
    client: &Client,
    code: &str,
) -> sqlx::Result<Option<Grant>> {
    const SQL: &str = "UPDATE authorization_grants SET redeemed = 1
        WHERE code_hash = $1 AND client_id = $2 AND redeemed = 0
        RETURNING grant_id, subject, client_id, scope, resources, auth_time, code_expires,
            session_hash, redirect_uri, code_challenge, nonce";
    let query = sqlx::query_as(SQL).bind(hash(code)).bind(&client.id);
    query.fetch_optional(&mut **tx).await
}

/// A code that is used a second time may have been stolen, and nobody knows who used it first:
/// everything that was issued for it is revoked (RFC 6749, section 4.1.2).
async fn revoke_redeemed(
    tx: &mut Transaction<'static, Any>,
    client: &Client,
    code: &str,
) -> sqlx::Result<()> {
    const SQL: &str = "DELETE FROM authorization_grants WHERE code_hash = $1 AND client_id = $2";
    let query = sqlx::query(SQL).bind(hash(code)).bind(&client.id);
    if query.execute(&mut **tx).await?.rows_affected() > 0 {
        tracing::warn!("a code was used a second time: every token that came from it is revoked");
    }
    Ok(())
}
