//! Virtual addresses: `[vip.NAME]`, by VRRP version 3, with other howdahs or with keepalived.
//!
//! ```text
//!  packets, link, readiness, cluster, time ──► machine::on ──► advertise, hold, release, announce
//!            node (one task each)               pure            socket, kernel, announce
//! ```
//!
//! An election has a clock and a timer of its own ([`alarm`]), and whom `unicast_peers` names is asked for beside the nodes
//! ([`peers`]).
//!
//! All of it lives on one thread of its own, above others in priority where the system lets it: an advertisement of 10 ms
//! leaves in time however busy the control thread is, and no session waits for it. An address is given to the kernel for
//! [`kernel::LEASE`] and given anew each second. So it goes by itself when howdah is killed, freezes, or its machine has no
//! time for it, which no election could bring about (docs/adr/0034-an-address-on-a-lease.md).

mod alarm;
mod announcer;
mod kernel;
mod link;
pub mod machine;
mod node;
mod packets;
mod peers;
mod said;
mod status;
mod thread;

pub use self::node::Permission;
pub use self::status::{Board, Status};
pub use self::thread::Vips;
