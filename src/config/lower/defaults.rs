//! What each service brings when the file does not say otherwise. The numbers' reasons stand beside them.

use std::time::Duration;

use crate::config::choices::ProbeType;
use crate::config::field::Field;
use crate::config::words::Whole;
use crate::plan::{Balance, Dial, Service, StickyPlan};

/// Where the service usually listens.
pub(super) fn port(service: Service) -> Option<u16> {
    match service {
        Service::HiveServer2 => Some(10_000),
        Service::Impala => Some(21_050),
        Service::Hue => Some(8888),
        Service::Tcp => None,
    }
}

pub(super) fn balance(service: Service) -> Balance {
    match service {
        Service::HiveServer2 | Service::Impala | Service::Hue => Balance::LeastConnection,
        Service::Tcp => Balance::RoundRobin,
    }
}

/// Every service here is client-first; of plain TCP nothing is known, and a server that speaks first must work.
pub(super) fn dial(service: Service) -> Dial {
    match service {
        Service::HiveServer2 | Service::Impala | Service::Hue => Dial::Late,
        Service::Tcp => Dial::AtOnce,
    }
}

/// Sessions of HiveServer2 and Impala sit idle for hours while their user thinks.
pub(super) fn idle(service: Service) -> Duration {
    match service {
        Service::HiveServer2 | Service::Impala => Duration::from_secs(12 * 3600),
        Service::Hue | Service::Tcp => HOUR,
    }
}

/// A little under what the servers' own thread pools hold: 500 in HiveServer2 (`hive.server2.thrift.max.worker.threads`),
/// 64 in Impala (`--fe_service_threads`), so that probes and administrators still get in.
pub(super) fn max_connections(service: Service) -> Option<u32> {
    match service {
        Service::HiveServer2 => Some(480),
        Service::Impala => Some(60),
        Service::Hue | Service::Tcp => None,
    }
}

/// Any Hue can serve a user, but open query handles and uploads live in one process.
pub(super) fn sticky(service: Service) -> Option<StickyPlan> {
    (service == Service::Hue).then_some(StickyPlan {
        ttl: HOUR,
        max_entries: STICKY_ENTRIES,
    })
}

pub(super) fn probe(service: Service) -> ProbeType {
    match service {
        Service::HiveServer2 => ProbeType::HiveServer2,
        Service::Impala => ProbeType::Impala,
        Service::Hue => ProbeType::Hue,
        Service::Tcp => ProbeType::Tcp,
    }
}

/// A count that fits; the words are bounded far below.
pub(super) fn count<const LOW: u64, const HIGH: u64>(
    field: &Field<Whole<LOW, HIGH>>,
) -> Option<u32> {
    field.value().and_then(|whole| u32::try_from(whole.0).ok())
}

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const STICKY_ENTRIES: usize = 100_000;
/// Impala's web server, `--webserver_port`.
pub(super) const IMPALA_WEB_PORT: u16 = 25_000;
/// Answers without login and without touching a database.
pub(super) const HUE_PATH: &str = "/desktop/debug/is_alive";
