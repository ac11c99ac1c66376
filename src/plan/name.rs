//! Names as types of their own, so that two of them side by side cannot be swapped.

use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name that lowering has judged.
            pub fn new(name: &str) -> Self {
                Self(name.into())
            }

            /// The name as the user wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name!(
    /// Names a listener; unique in a plan.
    ListenerName
);
name!(
    /// Names a pool; unique in a plan.
    PoolName
);
name!(
    /// Names a server; unique in its pool. Default: its address as written.
    ServerName
);
name!(
    /// Names an alert; unique in a plan.
    AlertName
);
name!(
    /// Names a virtual address, or several that move together; unique in a plan.
    VipName
);
