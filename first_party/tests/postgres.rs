//! The tests of the examples with a database once more, on Postgres; and what several processes and
//! a network add.

#[path = "authorization_server/main.rs"]
mod authorization_server;
#[path = "users.rs"]
mod users;
