//! The two ways in which bytes are not what they should be.

/// Not what the protocol says; or longer than it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Kerberos message as RFC 4120 has it")]
pub struct Malformed;

/// Sealed by another key, or changed on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed with another key")]
pub struct Untrue;
