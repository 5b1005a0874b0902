//! What differs between providers: endpoints, scopes, how the client authenticates, quirks, and
//! what the fields of a user are called.
//!
//! | file | what it does |
//! |---|---|
//! | `presets` | what is known about each provider; add your own there |
//! | `choice` | the provider that the settings choose |
//! | `settings` | the settings themselves |
//! | `identity` | who the user is |

mod choice;
mod identity;
mod presets;
mod settings;

use oauth2::{AuthType, ClientId, ClientSecret, basic::BasicErrorResponseType};
use url::Url;

pub use choice::{registration, require_userinfo};
pub use identity::Identity;
pub use settings::{CLIENT_SETTINGS, DEMO_ADDR, SESSION_SECRET};

/// A provider, and this application's registration there.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name that is stored with a user: `discord`, or the host of a custom provider.
    pub id: String,
    /// The name that people read: `Discord`, `the demo provider`.
    pub name: String,
    /// The provider that this one plays, if it is the demo provider.
    pub plays: Option<&'static str>,
    /// The authorization endpoint (RFC 6749, section 3.1), with the parameters that are always sent.
    pub auth_url: Url,
    /// The token endpoint (RFC 6749, section 3.2).
    pub token_url: Url,
    /// The userinfo endpoint, which says who the user is.
    pub userinfo_url: Option<Url>,
    /// The revocation endpoint (RFC 7009).
    pub revocation_url: Option<Url>,
    /// What the client asks for.
    pub scopes: Vec<String>,
    /// The issuer that a response must name, if it names one (RFC 9207).
    pub issuer: Option<String>,
    /// Whether the provider has announced that every response names it (RFC 9207, section 3).
    pub always_sends_iss: bool,
    /// How the client authenticates at the token endpoint (RFC 6749, section 2.3.1).
    pub auth_type: AuthType,
    /// Where the provider does not follow the RFCs.
    pub quirks: Quirks,
    /// The client identifier (RFC 6749, section 2.2).
    pub client_id: ClientId,
    /// The client's password.
    pub client_secret: ClientSecret,
}

impl Provider {
    /// A provider that follows the RFCs, with these authorization and token endpoints.
    pub fn new(
        id: &str,
        name: &str,
        (auth_url, token_url): (Url, Url),
        (client_id, client_secret): Registration,
    ) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            plays: None,
            auth_url,
            token_url,
            userinfo_url: None,
            revocation_url: None,
            scopes: Vec::new(),
            issuer: None,
            always_sends_iss: false,
            auth_type: AuthType::BasicAuth,
            quirks: NO_QUIRKS,
            client_id,
            client_secret,
        }
    }

    /// The name for a sentence that stays the same when the demo provider gives way to the real one.
    pub fn played_name(&self) -> &str {
        self.plays.unwrap_or(&self.name)
    }
}

/// How a provider's token endpoint reports errors, where it departs from RFC 6749, section 5.2.
#[derive(Clone, Copy, Debug)]
pub struct Quirks {
    /// With the status 200.
    pub errors_are_200: bool,
    /// Under its own names, each paired with the registered one.
    pub error_names: &'static [(&'static str, BasicErrorResponseType)],
}

const NO_QUIRKS: Quirks = Quirks {
    errors_are_200: false,
    error_names: &[],
};

/// The client id and the client secret that the provider gave the application.
pub type Registration = (ClientId, ClientSecret);

/// The scopes of a list that is separated by spaces.
fn scopes(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_owned).collect()
}
