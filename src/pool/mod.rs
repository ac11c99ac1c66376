//! The shared truth about a set of servers: one immutable snapshot, one keeper that writes it.
