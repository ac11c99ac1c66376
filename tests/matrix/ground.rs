//! What the cells of one transport share: a howdah with a listener and a pool for each of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::elsewhere::Elsewhere;
use super::ends::{ServerEnd, acceptor, ours};
use super::table::{Event, Phase, Transport, When};
use crate::support::{Certificates, Howdah, Site, named, soon};

/// One cell that can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    /// Unique on its ground; part of the names of its listener and pool.
    pub(crate) number: usize,
    pub(crate) transport: Transport,
    pub(crate) phase: Phase,
    pub(crate) event: Event,
}

impl Cell {
    /// Its listener, its pool, and its server in that.
    pub(crate) fn name(&self) -> String {
        format!("cell-{}", self.number)
    }

    pub(crate) fn title(&self) -> String {
        let (transport, phase, event) = (self.transport.name, self.phase.name(), self.event.name());
        format!("{transport} · {phase} · {event}")
    }

    /// Timers of the program are long wherever something else must end the session.
    fn timeouts(&self) -> String {
        let idle = match self.event {
            Event::Silence if self.phase == Phase::Idle => IDLE + TIMEOUT,
            Event::Silence => TIMEOUT,
            _ => LONG,
        };
        let half_close = if idle == LONG { LONG } else { TIMEOUT };
        let keepalive = match self.event {
            Event::ServerVanishes => {
                format!(", keepalive = \"{}s\"", KEEPALIVE.as_secs())
            }
            _ => String::new(),
        };
        format!(
            "{{ idle = \"{}ms\", half_close = \"{}ms\"{keepalive} }}",
            idle.as_millis(),
            half_close.as_millis()
        )
    }
}

/// A running howdah and what stands around it.
pub(crate) struct Ground {
    pub(crate) howdah: Howdah,
    pub(crate) elsewhere: Option<Arc<Elsewhere>>,
    pub(crate) connector: Option<TlsConnector>,
    pub(crate) acceptor: Option<TlsAcceptor>,
    /// How many sessions may be busy at once.
    pub(crate) room: Semaphore,
    cells: Vec<Cell>,
    servers: BTreeMap<usize, Place>,
    /// Sockets that it had open before the first session.
    sockets: usize,
}

/// Where the server of a cell is.
pub(crate) struct Place {
    pub(crate) end: ServerEnd,
    /// An address that may vanish.
    pub(crate) away: Option<Ipv4Addr>,
}

impl Ground {
    pub(crate) async fn new(
        transport: Transport,
        cells: Vec<Cell>,
        elsewhere: Option<Arc<Elsewhere>>,
    ) -> Rc<Self> {
        let servers = cells.iter().map(|cell| {
            let away = match (cell.event, &elsewhere) {
                (Event::ServerVanishes, Some(elsewhere)) => Some(elsewhere.address()),
                _ => None,
            };
            let end = match (away, &elsewhere) {
                (Some(away), Some(elsewhere)) => ServerEnd::at(elsewhere, away),
                _ => ServerEnd::here(),
            };
            let end = end.unwrap();
            (cell.number, Place { end, away })
        });
        let servers: BTreeMap<_, _> = servers.collect();
        let site = Site::new();
        let certificates = Certificates::new(&site);
        certificates.write(&site, "front", &["front.test"]);
        let back = certificates.write(&site, "back", &["back.test"]);
        let text = config(transport, &cells, &servers, elsewhere.as_deref(), false);
        let howdah = site.start(&text).await;
        for cell in &cells {
            howdah.address(&cell.name()).await;
        }
        let sockets = at_rest(&howdah).await;
        Rc::new(Self {
            howdah,
            connector: transport
                .client_tls
                .then(|| certificates.client().connector()),
            acceptor: transport.server_tls.then(|| acceptor(&back)),
            room: Semaphore::new(AT_ONCE),
            cells,
            servers,
            sockets,
            elsewhere,
        })
    }

    pub(crate) fn server(&self, cell: &Cell) -> &Place {
        &self.servers[&cell.number]
    }

    /// An order for the server of a cell.
    pub(crate) async fn order(&self, cell: &Cell, order: &str, body: &str) {
        let (pool, server) = (cell.name(), self.server(cell).end.address);
        let target = format!("/api/v1/pools/{pool}/servers/{server}/{order}");
        let (code, said) = self.howdah.http("POST", &target, body).await;
        assert_eq!(code, 200, "{said}");
    }

    /// A reload by which all cells that are about it lose their server.
    pub(crate) async fn remove_servers(&self) {
        let transport = self.cells[0].transport;
        let elsewhere = self.elsewhere.as_deref();
        let text = config(transport, &self.cells, &self.servers, elsewhere, true);
        let output = self.howdah.reload(&text).await;
        assert!(output.status.success(), "{output:?}");
    }

    /// The access line of a cell's session, when there is one within this time.
    pub(crate) async fn line(&self, cell: &Cell, patience: Duration) -> Option<Value> {
        let name = cell.name();
        let mine = |line: &Value| (line["listener"] == name.as_str()).then(|| line.clone());
        let line = self.howdah.access().find(0, mine);
        Some(tokio::time::timeout(patience, line).await.ok()?.1)
    }

    /// Sessions that a cell's listener and its server count as open.
    pub(crate) async fn held(&self, cell: &Cell) -> (u64, u64) {
        let status = self.howdah.status().await;
        let active = |of: &Value| of["sessions_active"].as_u64().unwrap_or(0);
        let slot = active(&named(&status["listeners"], &cell.name()));
        let servers = &named(&status["pools"], &cell.name())["servers"];
        (
            slot,
            servers.as_array().into_iter().flatten().map(active).sum(),
        )
    }

    /// Every descriptor of a session is given back. (Pipes are kept for the next bulk, a bounded number.)
    pub(crate) async fn is_left_clean(&self) -> Result<(), String> {
        let begun = std::time::Instant::now();
        loop {
            let now = sockets(self.howdah.pid());
            if now <= self.sockets {
                return Ok(());
            }
            if begun.elapsed() > SOON {
                return Err(format!(
                    "{now} sockets are open, {} were before",
                    self.sockets
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops it; what is left in it must end by itself.
    pub(crate) async fn exits(&mut self) -> bool {
        soon(self.howdah.exit()).await.code() == Some(0)
    }
}

fn config(
    transport: Transport,
    cells: &[Cell],
    servers: &BTreeMap<usize, Place>,
    elsewhere: Option<&Elsewhere>,
    removed: bool,
) -> String {
    let mut text = format!(
        "[global]\nrelay = \"{}\"\ndrain_timeout = \"{}\"\n",
        transport.relay,
        match cells.iter().any(|cell| cell.event == Event::Stop) {
            true => format!("{}ms", DEADLINE.as_millis()),
            false => "30m".to_owned(),
        }
    );
    let accept = match transport.client_tls {
        true => "tls = { certificates = [{ cert = \"front.crt\", key = \"front.key\" }] }\n",
        false => "",
    };
    let connect = match transport.server_tls {
        true => "tls = { ca = \"ca.crt\", server_name = \"back.test\" }\n",
        false => "",
    };
    for cell in cells {
        let name = cell.name();
        let (host, keepalive) = match (cell.event, elsewhere) {
            (Event::ClientVanishes, Some(elsewhere)) => (
                elsewhere.here(),
                format!("keepalive = \"{}s\"\n", KEEPALIVE.as_secs()),
            ),
            _ => (ours(), String::new()),
        };
        let server = match (cell.event, removed) {
            (Event::Removal, true) => "127.0.0.1:9".to_owned(),
            _ => servers[&cell.number].end.address.to_string(),
        };
        let timeouts = cell.timeouts();
        write!(
            text,
            "\n[[listener]]\nname = \"{name}\"\nbind = \"{host}:0\"\npool = \"{name}\"\n{keepalive}{accept}\n\
             [pool.{name}]\nservice = \"tcp\"\nservers = [\"{server}\"]\nprobe = \"none\"\ntimeouts = {timeouts}\n{connect}"
        )
        .unwrap();
    }
    text
}

/// Its sockets, without that of the question which this asks: its admin thread, of a low priority, has all of its own when it
/// answers.
async fn at_rest(howdah: &Howdah) -> usize {
    howdah.status().await;
    let mut least = usize::MAX;
    for _ in 0..20 {
        least = least.min(sockets(howdah.pid()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    least
}

fn sockets(pid: u32) -> usize {
    let all = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    all.flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

impl When {
    /// The earliest and the latest moment after the event.
    pub(crate) fn window(self, cell: &Cell) -> (Duration, Duration) {
        let from = |least: Duration| (least.mul_f32(0.85), least + SOON);
        match self {
            Self::AtOnce | Self::Never => (Duration::ZERO, SOON),
            // The kernel asks in whole seconds, and doubles the time between two deliveries that it tries.
            Self::Keepalive => (KEEPALIVE / 2, KEEPALIVE * 2 + SOON),
            Self::Deadline => from(DEADLINE),
            // Counted from the last byte, which an idle session has seen long ago.
            Self::Timeout if cell.phase == Phase::Idle => (TIMEOUT / 2, TIMEOUT + SOON),
            // Who has stopped to read still takes what fits into the buffers on the way.
            Self::Timeout => (TIMEOUT.mul_f32(0.85), TIMEOUT + 2 * SOON),
        }
    }
}

/// What a packet may need to the other side: one second by the contract; more, as the machine is shared.
pub(crate) const SOON: Duration = Duration::from_secs(3);

/// Past the 15 s after which a relay asks the kernel to watch over a silent server.
pub(crate) const IDLE: Duration = Duration::from_millis(16_500);

/// `--timeout` of a drain and `drain_timeout` of a stop: more than the second after which a session is silent.
pub(crate) const DEADLINE: Duration = Duration::from_millis(1_700);

const KEEPALIVE: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(2);

/// So long that a test which waits for it has failed.
const LONG: Duration = Duration::from_secs(600);

/// Busy sessions of one ground at the same time.
const AT_ONCE: usize = 8;
