//! The authorization code flow, which `basic` and `sessions` share: the same tests run on both.

#[path = "../../common/testing/flow/callback.rs"]
mod callback;
#[path = "../../common/testing/flow/diagram.rs"]
mod diagram;
#[path = "../../common/testing/flow/disguise.rs"]
mod disguise;
#[path = "../../common/testing/flow/login.rs"]
mod login;
#[path = "../../common/testing/flow/token_request.rs"]
mod token_request;

use basic::app;

/// The status of `/auth` after a login: it shows the token.
const SUCCESS: u16 = 200;
