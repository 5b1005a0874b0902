//! The settings of an OAuth client.

use crate::settings::Setting;

/// The settings of a client: its provider and its cookies.
pub const CLIENT_SETTINGS: &[Setting] = &[
    Setting {
        name: "PROVIDER",
        default: "custom if AUTH_URL is set, discord if CLIENT_ID is set, otherwise demo",
        help: "The provider that logs users in: discord, google, github, demo (built in, imitates Discord) or custom.",
    },
    Setting {
        name: "CLIENT_ID",
        default: "none; the demo provider needs none",
        help: "The id that the provider gave your application.",
    },
    Setting {
        name: "CLIENT_SECRET",
        default: "none; the demo provider needs none",
        help: "The secret that belongs to CLIENT_ID.",
    },
    Setting {
        name: "AUTH_URL",
        default: "the provider's",
        help: "The authorization endpoint. This and the next three are only for PROVIDER=custom.",
    },
    Setting {
        name: "TOKEN_URL",
        default: "the provider's",
        help: "The token endpoint.",
    },
    Setting {
        name: "USERINFO_URL",
        default: "the provider's",
        help: "The endpoint that says who the user is, as JSON; basic does not need it.",
    },
    Setting {
        name: "REVOCATION_URL",
        default: "the provider's",
        help: "The endpoint where a logout revokes the token (RFC 7009); a custom provider may have none.",
    },
    Setting {
        name: "CLIENT_AUTH_METHOD",
        default: "the provider's; client_secret_basic for custom",
        help: "How the client authenticates at the token endpoint: client_secret_basic or client_secret_post.",
    },
    Setting {
        name: "SCOPES",
        default: "the provider's (identify for Discord)",
        help: "The scopes to request, separated by spaces.",
    },
    Setting {
        name: "ISSUER",
        default: "the provider's, where it has one",
        help: "The provider's issuer; if it is set, an iss in the callback must be equal to it (RFC 9207).",
    },
    SESSION_SECRET,
    DEMO_ADDR,
];

/// What protects the cookies.
pub const SESSION_SECRET: Setting = Setting {
    name: "SESSION_SECRET",
    default: "random at each start; required when others can reach the server",
    help: "Protects the cookies: 64 characters or more (openssl rand -hex 32); several, separated by commas, to change it.",
};

/// Where the demo provider listens.
pub const DEMO_ADDR: Setting = Setting {
    name: "DEMO_ADDR",
    default: "127.0.0.1:5001",
    help: "Where the demo provider listens; browsers are sent to localhost, so that it is another site.",
};
