//! Which of the servers a pool wants: all, the active one, or those that stand by.

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

/// Keys `role` and `on_role_lost` of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolePlan {
    /// Only servers in this role take sessions, of [`Role::Active`] one at most; `None`: whatever they are.
    pub wanted: Option<Role>,
    /// What happens to the sessions of a server that is no longer what is wanted.
    pub on_lost: OnRoleLost,
}

words! {
    /// Key `on_role_lost`.
    pub enum OnRoleLost {
        /// They end at once.
        Cut = "cut",
        /// Those that are left after `drain_timeout` end, unless the server has its role again by then.
        Drain = "drain",
        /// They go on as long as they can.
        Keep = "keep",
    }
}

impl RolePlan {
    /// What a service brings whose servers are equals.
    pub const EQUALS: Self = Self {
        wanted: None,
        on_lost: OnRoleLost::Cut,
    };

    /// Whether a server that says `claimed` is the wrong one; who says nothing is not.
    pub fn is_wrong(&self, claimed: Option<Role>) -> bool {
        let wrong = |wanted| claimed.is_some_and(|claimed| claimed != wanted);
        self.wanted.is_some_and(wrong)
    }

    /// Whether one server at most may take sessions.
    pub fn wants_one(&self) -> bool {
        self.wanted == Some(Role::Active)
    }
}
