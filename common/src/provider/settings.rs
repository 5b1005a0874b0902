//! The settings of an OAuth client.

use crate::settings::Setting;

/// The settings of a client: its provider and its cookies.
pub const CLIENT_SETTINGS: &[Setting] = &[
    Setting {
        name: "PROVIDER",
        default: "custom with AUTH_URL, else discord with CLIENT_ID, else demo",
        help: "Who logs people in: discord, google, github, demo (built in, plays Discord) or custom.",
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
        help: "The authorization endpoint; with PROVIDER=custom only, as the next three.",
    },
    Setting {
        name: "TOKEN_URL",
        default: "the provider's",
        help: "The token endpoint.",
    },
    Setting {
        name: "USERINFO_URL",
        default: "the provider's",
        help: "Who the user is, as JSON; basic does without.",
    },
    Setting {
        name: "REVOCATION_URL",
        default: "the provider's",
        help: "Where a logout revokes the token (RFC 7009); a custom provider may have none.",
    },
    Setting {
        name: "CLIENT_AUTH_METHOD",
        default: "the provider's, for custom client_secret_basic",
        help: "How the client authenticates at the token endpoint: client_secret_basic or client_secret_post.",
    },
    Setting {
        name: "SCOPES",
        default: "the provider's (identify for Discord)",
        help: "What to ask for, separated by spaces.",
    },
    Setting {
        name: "ISSUER",
        default: "the provider's, where it has one",
        help: "When known, an iss in the provider's answer must be equal to it (RFC 9207).",
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
    help: "Where the demo provider listens; browsers are sent to localhost, to be on another site.",
};
