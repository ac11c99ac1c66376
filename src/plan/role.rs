//! What a server says that it is, among servers that are not equals.

use crate::base::word::words;

words! {
    /// What a server says that it is.
    pub enum Role {
        /// The one that serves: leader, master, primary.
        Active = "active",
        /// It would take over: replica, follower.
        Standby = "standby",
    }
}
