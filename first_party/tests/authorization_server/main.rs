//! The example `authorization_server`, as clients, users and attackers meet it.

mod api;
mod authorize;
#[cfg(feature = "browser")]
mod browser;
pub(crate) mod client;
mod codes;
mod consent;
mod database;
mod introspect;
mod keys;
mod leaks;
mod login;
mod logout;
mod metadata;
mod refresh;
mod settings;
#[cfg(feature = "third_party")]
mod third_party;
mod token_endpoint;
mod tokens;
mod whole;

#[path = "../../examples/authorization_server/main.rs"]
#[expect(dead_code, reason = "`main` is the example's alone")]
mod example;
#[path = "../../../common/testing/database.rs"]
mod own_database;
