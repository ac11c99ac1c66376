//! Where the admin server listens, and who may do what there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Identity, Secret};

/// Table `[admin]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdminPlan {
    /// Default 127.0.0.1:9600; port 0 takes a free one, which the log announces.
    pub bind: SocketAddr,
    /// A second address, for those of this machine whom its mode and group admit; they are operators.
    pub socket: Option<AdminSocket>,
    /// Who bears it is an operator; required unless `bind` is loopback.
    pub token: Option<Secret>,
    /// Who bears it may look. When present, nobody else may but operators.
    pub reader_token: Option<Secret>,
    /// The certificate of `bind`; plain HTTP without.
    pub tls: Option<Arc<Identity>>,
}

/// Keys `socket`, `socket_mode` and `socket_group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSocket {
    /// Where it is made.
    pub path: PathBuf,
    /// Default 0660: whoever may write to it may connect.
    pub mode: u32,
    /// Default: the group that howdah runs as.
    pub group: Option<u32>,
}

impl AdminPlan {
    /// Whether the file says who may command; else it is howdah's own user and root, from this machine.
    pub fn says_who_commands(&self) -> bool {
        self.token.is_some() || self.reader_token.is_some() || self.socket.is_some()
    }
}
