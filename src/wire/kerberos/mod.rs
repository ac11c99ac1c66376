//! Kerberos 5 as its client speaks it: questions to a KDC, the token for a server, and SPNEGO around it for HTTP.
//!
//! Nothing here is sent: [`request`] makes a question and reads its answer, [`gss`] makes what a server is shown and judges
//! what it shows in turn (RFC 4120, 4121), [`spnego`] wraps that (RFC 4178). Time and randomness are arguments. What comes in is
//! read within its bounds, and nothing is believed that the right key has not sealed.

mod crypto;
mod der;
mod fault;
#[cfg(test)]
pub(crate) mod granting;
pub mod gss;
mod message;
pub mod request;
pub mod spnego;
mod ticket;

pub use self::crypto::{Block, ETYPES, Key};
pub use self::fault::{Malformed, Untrue};
pub use self::message::{KdcError, code};
pub use self::ticket::{Moment, Ticket};

/// What bytes of whatever origin come to: for tests that send any.
pub fn read_anything(bytes: &[u8]) {
    let _ = KdcError::decode(bytes);
    let _ = spnego::token(bytes);
    request::read_anything(bytes);
    gss::read_anything(bytes);
}
