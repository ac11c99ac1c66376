//! What a source says, and the way it says so.
//!
//! A source is an `async fn` that takes its part of the [`DiscoverPlan`](crate::plan::DiscoverPlan), the pool's plan (for
//! what the service brings, and to compare with what servers say of themselves) and [`Reports`], and ends only when nobody
//! hears it any more. It decides nothing: what an empty list means, what is new in one, and how old it is, are matters of
//! who hears it. It says [`Listing::Silent`] as often as it likes: a turn of state is logged once.

use tokio::sync::mpsc;

use crate::plan::{Address, Host, PoolPlan, ServerName, ServerPlan};

/// Where a source says what it has to say.
pub type Reports = mpsc::Sender<Listing>;

/// One answer of a source.
#[derive(Clone, Debug, PartialEq)]
pub enum Listing {
    /// These are all, in whatever order; those that are listed twice count once.
    Listed(Vec<Found>),
    /// What was listed last still holds: the source has just been asked, or is heard without a break.
    Same,
    /// It cannot be asked, or says nothing that could be understood. The last list stays.
    Silent {
        /// One sentence, or less: "connection refused".
        why: String,
    },
}

/// A server that a source lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// As if the file had it.
    pub server: ServerPlan,
    /// What the source says of it that does not agree with the pool; each is logged once for as long as it is said.
    pub warnings: Vec<String>,
}

impl Found {
    /// A server at `host`, name or number, with what the pool's servers have by default. Its name is its address.
    ///
    /// # Errors
    /// Why that is no address.
    pub fn at(host: &str, port: u16, pool: &PoolPlan) -> Result<Self, &'static str> {
        if port == 0 {
            return Err("0 is no port");
        }
        let host = Host::read(host.trim_start_matches('[').trim_end_matches(']'))?;
        let address = Address { host, port };
        Ok(Self {
            server: ServerPlan {
                name: ServerName::new(&address.to_string()),
                address,
                weight: pool.server_defaults.weight,
                max_connections: pool.server_defaults.max_connections,
                max_per_second: pool.server_defaults.max_per_second,
                backup: false,
            },
            warnings: Vec::new(),
        })
    }
}

impl From<ServerPlan> for Found {
    fn from(server: ServerPlan) -> Self {
        Self {
            server,
            warnings: Vec::new(),
        }
    }
}
