//! What a probe needs to know of a database: who logs in, and how far a copy may be behind.

use std::time::Duration;

use super::Secret;

/// A `postgresql` or `mysql` probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseAsk {
    /// Who logs in and asks for the role; `None`: nobody, and what the server says before a login is judged.
    pub account: Option<DatabaseAccount>,
    /// A standby that is further behind is alive, and no more; `None`: however far.
    pub max_lag: Option<Duration>,
}

/// Keys `username`, `password_file` and `database`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseAccount {
    /// Not empty, and without a NUL.
    pub user: String,
    /// `None`: the server asks for none.
    pub password: Option<Secret>,
    /// `None`: the usual one.
    pub database: Option<String>,
}
