//! The tests of the examples with a database once more, on Postgres; and what several processes and
//! a network add.

#[path = "permissions.rs"]
mod permissions;
#[path = "providers.rs"]
mod providers;
