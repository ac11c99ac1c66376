//! What a server says that it is, among servers that are not equals.

/// What a server says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one that serves: leader, master, primary.
    Active,
    /// It would take over: replica, follower.
    Standby,
}

impl Role {
    /// The stable word, as the file, logs and the API print it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
        }
    }
}
