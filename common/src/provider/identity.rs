//! Who the user is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Provider;
use crate::{Error, Result};

/// A user as the provider knows them. Only provider and subject together identify them: names and
/// e-mail addresses change hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's id, such as `discord`.
    pub provider: String,
    /// The user's id at the provider, which never changes.
    pub subject: String,
    /// What to call the user.
    pub name: String,
}

impl Provider {
    /// Who the user is, from the response of the provider's userinfo endpoint. Only the subject is
    /// required: anything else is null at some provider.
    pub fn identify(&self, user: &Map<String, Value>) -> Result<Identity> {
        let text = |name: &&str| match user.get(*name)? {
            // Postgres cannot store a NUL in a string.
            Value::String(text) if !text.is_empty() && !text.contains('\0') => Some(text.clone()),
            // Whole numbers only: as floating point, two large ones can be the same.
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        };
        let subject = ["sub", "id"].iter().find_map(text);
        let subject = subject.ok_or_else(|| Error::Provider("a user without sub or id".into()))?;
        let name = [
            "name",
            "global_name",
            "preferred_username",
            "login",
            "username",
        ];
        let name = name
            .iter()
            .find_map(text)
            .unwrap_or_else(|| subject.clone());
        // The name is only for display, and a cookie is small.
        let name = name.chars().take(100).collect();
        Ok(Identity {
            provider: self.id.clone(),
            subject,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use oauth2::{ClientId, ClientSecret};
    use serde_json::json;

    use super::*;

    fn identify(user: &Value) -> Result<Identity> {
        let registered = (
            ClientId::new("id".into()),
            ClientSecret::new("secret".into()),
        );
        let discord = Provider::preset("discord", registered).unwrap();
        discord.identify(user.as_object().unwrap())
    }

    #[test]
    fn only_the_subject_is_required_of_a_user() {
        let discord = json!({"id": "80", "username": "n", "global_name": null, "avatar": null});
        let github = json!({"id": 583_231, "login": "octocat", "name": null});
        let google = json!({"sub": "110", "id": "other", "name": "Ada"});
        for (user, subject, name) in [
            (discord, "80", "n"),
            (github, "583231", "octocat"),
            (google, "110", "Ada"),
            (json!({"id": "7"}), "7", "7"),
        ] {
            let identity = identify(&user).unwrap();
            assert_eq!((&*identity.subject, &*identity.name), (subject, name));
        }
        for user in [
            json!({}),
            json!({"id": null}),
            json!({"id": ""}),
            json!({"sub": ["a"]}),
            json!({"sub": "a\0"}),
        ] {
            assert!(matches!(identify(&user), Err(Error::Provider(_))), "{user}");
        }
    }
}
