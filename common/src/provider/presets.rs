//! What is known about each provider before anyone has registered there.

use oauth2::{
    AuthType,
    basic::BasicErrorResponseType::{InvalidClient, InvalidGrant},
};
use url::Url;

use super::{NO_QUIRKS, Provider, Quirks, Registration, scopes};
use crate::{server::Companion, settings::Settings};

struct Preset {
    id: &'static str,
    name: &'static str,
    auth_url: &'static str,
    token_url: &'static str,
    userinfo_url: &'static str,
    revocation_url: Option<&'static str>,
    scopes: &'static str,
    issuer: Option<&'static str>,
    auth_type: AuthType,
    quirks: Quirks,
}

const PRESETS: &[Preset] = &[
    Preset {
        id: "discord",
        name: "Discord",
        auth_url: "https://discord.com/oauth2/authorize",
        token_url: "https://discord.com/api/oauth2/token",
        userinfo_url: "https://discord.com/api/users/@me",
        revocation_url: Some("https://discord.com/api/oauth2/token/revoke"),
        scopes: "identify",
        issuer: None,
        auth_type: AuthType::BasicAuth,
        quirks: NO_QUIRKS,
    },
    Preset {
        id: "google",
        name: "Google",
        // Without access_type=offline there is no refresh token.
        auth_url: "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline",
        token_url: "https://oauth2.googleapis.com/token",
        userinfo_url: "https://openidconnect.googleapis.com/v1/userinfo",
        revocation_url: Some("https://oauth2.googleapis.com/revoke"),
        scopes: "openid email profile",
        issuer: Some("https://accounts.google.com"),
        auth_type: AuthType::RequestBody,
        quirks: NO_QUIRKS,
    },
    Preset {
        id: "github",
        name: "GitHub",
        auth_url: "https://github.com/login/oauth/authorize",
        token_url: "https://github.com/login/oauth/access_token",
        userinfo_url: "https://api.github.com/user",
        // GitHub has its own way to revoke tokens, not RFC 7009.
        revocation_url: None,
        scopes: "read:user",
        issuer: None,
        auth_type: AuthType::RequestBody,
        quirks: GITHUB_QUIRKS,
    },
];

pub(super) const GITHUB_QUIRKS: Quirks = Quirks {
    errors_are_200: true,
    error_names: &[
        ("bad_verification_code", InvalidGrant),
        ("bad_refresh_token", InvalidGrant),
        ("incorrect_client_credentials", InvalidClient),
    ],
};

/// Whether there is a preset of this name.
pub(super) fn is_preset(id: &str) -> bool {
    PRESETS.iter().any(|preset| preset.id == id)
}

impl Provider {
    /// `discord`, `google` or `github`, for an application that is registered there.
    pub fn preset(id: &str, registration: Registration) -> Option<Self> {
        let preset = PRESETS.iter().find(|preset| preset.id == id)?;
        let url = |url| Url::parse(url).expect("the URLs of presets are URLs, as a test shows");
        let endpoints = (url(preset.auth_url), url(preset.token_url));
        Some(Self {
            userinfo_url: Some(url(preset.userinfo_url)),
            revocation_url: preset.revocation_url.map(url),
            scopes: scopes(preset.scopes),
            issuer: preset.issuer.map(str::to_owned),
            auth_type: preset.auth_type.clone(),
            quirks: preset.quirks,
            ..Self::new(preset.id, preset.name, endpoints, registration)
        })
    }

    /// The demo provider, which runs until the companion is dropped.
    #[cfg(feature = "demo")]
    pub async fn demo(
        settings: &mut Settings,
        registration: Registration,
        redirect_path: &str,
    ) -> Option<(Self, Companion)> {
        let client = (&registration.0, &registration.1);
        let demo = crate::demo::start(settings, client, redirect_path).await?;
        let (browser, direct) = (demo.browser_url.as_url(), demo.direct_url.as_url());
        let auth_url = browser.join("/oauth2/authorize").ok()?;
        let token_url = direct.join("/api/oauth2/token").ok()?;
        let provider = Self {
            plays: Some("Discord"),
            userinfo_url: Some(direct.join("/api/users/@me").ok()?),
            revocation_url: Some(direct.join("/api/oauth2/token/revoke").ok()?),
            scopes: vec!["identify".into()],
            ..Self::new(
                "demo",
                "the demo provider",
                (auth_url, token_url),
                registration,
            )
        };
        Some((provider, demo.companion))
    }

    #[cfg(not(feature = "demo"))]
    #[expect(clippy::unused_async, reason = "same signature as the real one")]
    pub(super) async fn demo(
        settings: &mut Settings,
        _: Registration,
        _: &str,
    ) -> Option<(Self, Companion)> {
        let what = "and CLIENT_SECRET are missing; this build has no demo provider";
        settings.problem("CLIENT_ID", what);
        None
    }
}
