//! Whose token it is.

use oauth2::AccessToken;
use serde_json::{Map, Value};

use super::OAuth;
use crate::{Error, Result, provider::Identity, token::Token};

impl OAuth {
    /// Step 4: asks the provider whose token this is. The browser is not asked.
    pub async fn identity(&self, token: &Token) -> Result<Identity> {
        let user = self.userinfo_of_new_token(token).await;
        let identity = user.and_then(|user| self.inner.provider.identify(&user));
        self.narrate_identity(token, &identity);
        identity
    }

    /// What the provider knows about the user of a token that it has just issued.
    pub async fn userinfo_of_new_token(&self, token: &Token) -> Result<Map<String, Value>> {
        self.userinfo(&token.access_token)
            .await
            .map_err(|error| match error {
                Error::NotLoggedIn => {
                    Error::Provider("it does not accept the token that it has just issued".into())
                }
                other => other,
            })
    }

    /// What the provider knows about the user. [`Error::NotLoggedIn`] means that it does not accept
    /// the token any more.
    pub async fn userinfo(&self, access_token: &AccessToken) -> Result<Map<String, Value>> {
        let no_endpoint = || Error::Provider("no USERINFO_URL is set".into());
        let url = self.inner.provider.userinfo_url.as_ref();
        let url = url.ok_or_else(no_endpoint)?;
        let answer = self.inner.http.get(url, Some(access_token)).await?;
        match answer.status().as_u16() {
            200 => user(answer.body()),
            401 => Err(Error::NotLoggedIn),
            status => Err(Error::Provider(format!(
                "status {status} instead of a user"
            ))),
        }
    }
}

/// A user, unless it is an error in disguise: some APIs answer every request with 200.
fn user(body: &[u8]) -> Result<Map<String, Value>> {
    let user: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| Error::Provider("the user is not a JSON object".into()))?;
    if user.get("error").is_some_and(Value::is_string) {
        return Err(Error::Provider("an error instead of a user".into()));
    }
    Ok(user)
}
