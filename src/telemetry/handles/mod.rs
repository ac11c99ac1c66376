//! What the data path counts with: the counters of one listener, pool or server, looked up before the first session.
//!
//! Each method is a few relaxed atomic adds; none looks a label up or allocates, except the first use of a
//! counter that is kept by reason, which makes all children of that enum at once. When the last clone of a
//! handle goes, its series leave `/metrics`: a removed server is seen until its last session ended.

mod alert;
mod by_word;
mod bytes;
mod listener;
mod living;
mod peer;
mod pool;
mod served;
mod server;
mod shown;
mod state;
mod vip;

use std::sync::Arc;

pub use self::alert::AlertMetrics;
pub use self::listener::ListenerMetrics;
pub(super) use self::living::Living;
pub use self::peer::PeerMetrics;
pub use self::pool::{PoolMetrics, Times};
pub use self::served::SessionResult;
pub use self::server::ServerMetrics;
pub(super) use self::shown::ShownFamilies;
pub use self::shown::{OutageKind, Shown};
pub use self::state::StateMetrics;
pub use self::vip::VipMetrics;

/// Handles are shared by all workers.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<ListenerMetrics>>();
    shared::<Arc<PoolMetrics>>();
    shared::<Arc<ServerMetrics>>();
};
