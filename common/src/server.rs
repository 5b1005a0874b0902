//! The server around an app: what it needs from the process, and what it needs from HTTP.
//!
//! | file | what it does |
//! |---|---|
//! | `protect` | what applies to every response; each app adds it itself |
//! | `guards` | what a single route checks: method, host name, origin |
//! | `run` | settings, log, `--help`, exit codes |
//! | `listen` | addresses, and other servers of this process |
//! | `serve` | connections, their timers, the shutdown |

mod guards;
mod listen;
mod protect;
mod run;
mod serve;

pub use guards::{PublicHost, check_same_origin, get_and_post, get_only};
pub use listen::{Companion, listen};
pub use protect::protect;
pub use run::{Server, run, run_command};
