//! The stand-ins of the demo, the configuration of the balancer before them, and the one that dies.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::narrator::Narrator;
use crate::app::App;
use crate::config::{self, Report};
use crate::plan::Plan;
use crate::standin::{
    Auth, Fault, Flavour, Frame, Hive, HiveOptions, Hue, Impala, StandInListener,
};

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClusterError {
    /// No address on loopback for a stand-in.
    #[error("a stand-in cannot listen: {0}")]
    StandIn(#[from] io::Error),
    /// The configuration that this file writes is not one: a fault of howdah.
    #[error("the demo's own configuration is faulty:\n{0}")]
    Config(Box<Report>),
    /// A listener of the plan has no address: a fault of howdah as well.
    #[error("listener {0} has no address")]
    NoAddress(&'static str),
}

/// All stand-ins. Dropped, they are gone.
#[derive(Clone)]
pub(super) struct Cluster(Arc<StandIns>);

struct StandIns {
    hives: Vec<(String, Hive)>,
    impalas: Vec<(String, Impala)>,
    hues: Vec<(String, Hue)>,
}

/// Where the balancer listens.
pub(super) struct Places {
    pub(super) hive: SocketAddr,
    pub(super) impala: SocketAddr,
    pub(super) hue: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// Where the balancer is to listen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ports {
    /// On the ports that everybody knows, as far as they are free.
    Familiar,
    /// On whatever is free.
    Any,
}

/// The ports that everybody knows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Familiar {
    Hive = 10_000,
    Impala = 21_050,
    Hue = 8888,
    Admin = 9600,
}

impl Familiar {
    pub(super) fn port(self) -> u16 {
        self as u16
    }
}

impl Ports {
    /// The familiar port, or 0 for any.
    fn choose(self, familiar: Familiar) -> u16 {
        let port = familiar.port();
        match self {
            Self::Familiar if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() => port,
            Self::Familiar | Self::Any => 0,
        }
    }
}

impl Cluster {
    /// Three HiveServer2, two Impalas, two Hues, on free ports.
    pub(super) fn start() -> Result<Self, ClusterError> {
        let hives = ["hs2-1", "hs2-2", "hs2-3"].into_iter().map(|name| {
            let hive = Hive::start(&Frame::default(), HiveOptions::new(name))?;
            hive.set_delay(WORK);
            Ok((name.to_owned(), hive))
        });
        let hues = ["hue-1", "hue-2"]
            .into_iter()
            .map(|name| Ok((name.to_owned(), Hue::start(&Frame::default(), name)?)));
        Ok(Self(Arc::new(StandIns {
            hives: hives.collect::<io::Result<_>>()?,
            impalas: impalas()?,
            hues: hues.collect::<io::Result<_>>()?,
        })))
    }

    /// Names of each kind, for the welcome.
    pub(super) fn names(&self) -> [Vec<&str>; 3] {
        let StandIns {
            hives,
            impalas,
            hues,
        } = &*self.0;
        [
            hives.iter().map(|(name, _)| name.as_str()).collect(),
            impalas.iter().map(|(name, _)| name.as_str()).collect(),
            hues.iter().map(|(name, _)| name.as_str()).collect(),
        ]
    }

    /// What the balancer is to do, by way of the words that users write.
    pub(super) fn plan(&self, ports: Ports) -> Result<Plan, ClusterError> {
        let text = self.config(ports);
        config::judge(Path::new("demo.toml"), text.into_bytes())
            .map(|loaded| loaded.plan)
            .map_err(|report| ClusterError::Config(Box::new(report)))
    }

    fn config(&self, ports: Ports) -> String {
        let StandIns {
            hives,
            impalas,
            hues,
        } = &*self.0;
        let web = impalas
            .first()
            .map_or(0, |(_, impala)| impala.web().address().port());
        let familiar = [
            Familiar::Hive,
            Familiar::Impala,
            Familiar::Hue,
            Familiar::Admin,
        ];
        let [hive, impala, hue, admin] = familiar.map(|one| ports.choose(one));
        format!(
            r#"
[global]
drain_timeout = "30m"

[admin]
bind = "127.0.0.1:{admin}"

[log]
level = "error"
format = "text"
access = "off"

[[listener]]
name = "hive"
bind = "127.0.0.1:{hive}"
pool = "hive"

[[listener]]
name = "impala"
bind = "127.0.0.1:{impala}"
pool = "impala"

[[listener]]
name = "hue"
bind = "127.0.0.1:{hue}"
pool = "hue"

[pool.hive]
service = "hiveserver2"
servers = [{hives}]
probe = {{ type = "hiveserver2", interval = "1s", timeout = "1s" }}

[pool.impala]
service = "impala"
balance = "response-time"
servers = [{impalas}]
probe = {{ type = "impala", port = {web}, interval = "1s", timeout = "1s" }}

[pool.hue]
service = "hue"
servers = [{hues}]
probe = {{ type = "hue", interval = "1s", timeout = "1s" }}
"#,
            hives = entries(hives.iter().map(|(name, hive)| (name, hive.listener()))),
            impalas = entries(
                impalas
                    .iter()
                    .map(|(name, impala)| (name, impala.listener()))
            ),
            hues = entries(hues.iter().map(|(name, hue)| (name, hue.listener()))),
        )
    }

    /// One stand-in after another dies, and is back half of `every` later.
    pub(super) async fn fail_now_and_then(self, every: Duration, narrator: Narrator) {
        for turn in 0_usize.. {
            sleep(every / 2).await;
            let Some((name, listener)) = self.victim(turn) else {
                return;
            };
            let open = listener.open_now();
            narrator.say(&format!(
                "{name} dies: its port closes, connections that it has ({open}) are reset"
            ));
            listener.switch().set(Fault::Dead);
            sleep(every / 2).await;
            narrator.say(&format!("{name} is started again"));
            listener.switch().set(Fault::None);
        }
    }

    /// The Hives, mostly; now and then one of the others.
    fn victim(&self, turn: usize) -> Option<(&str, &StandInListener)> {
        let StandIns {
            hives,
            impalas,
            hues,
        } = &*self.0;
        match turn % 4 {
            2 => pick(impalas, turn / 4).map(|(name, impala)| (name, impala.listener())),
            3 => pick(hues, turn / 4).map(|(name, hue)| (name, hue.listener())),
            _ => pick(hives, turn).map(|(name, hive)| (name, hive.listener())),
        }
    }
}

fn pick<T>(all: &[(String, T)], turn: usize) -> Option<(&str, &T)> {
    let (name, one) = all.get(turn.checked_rem(all.len())?)?;
    Some((name, one))
}

/// Two coordinators whose web servers have one port, as a cluster's do: so each has an address of its own.
fn impalas() -> io::Result<Vec<(String, Impala)>> {
    let mut web_port = 0;
    let mut impalas = Vec::new();
    for (number, name) in ["impalad-1", "impalad-2"].into_iter().enumerate() {
        let last = u8::try_from(number + 2).unwrap_or(u8::MAX);
        let ip = Ipv4Addr::new(127, 0, 0, last);
        let frame = Frame {
            bind: SocketAddr::from((ip, 0)),
            tls: None,
        };
        let options = HiveOptions {
            auth: Auth::NoSasl,
            flavour: Flavour::Impala,
            ..HiveOptions::new(name)
        };
        let impala = Impala::start(&frame, SocketAddr::from((ip, web_port)), options)?;
        impala.hive().set_delay(WORK);
        web_port = impala.web().address().port();
        impalas.push((name.to_owned(), impala));
    }
    Ok(impalas)
}

fn entries<'a>(servers: impl Iterator<Item = (&'a String, &'a StandInListener)>) -> String {
    let entries: Vec<String> = servers
        .map(|(name, listener)| {
            format!(
                "{{ name = \"{name}\", address = \"{}\" }}",
                listener.address()
            )
        })
        .collect();
    entries.join(", ")
}

/// Where the listeners of the plan came to be.
pub(super) fn places(app: &App) -> Result<Places, ClusterError> {
    let of = |name| {
        let address = app.addresses(name).first().copied();
        address.ok_or(ClusterError::NoAddress(name))
    };
    Ok(Places {
        hive: of("hive")?,
        impala: of("impala")?,
        hue: of("hue")?,
        admin: app.admin_address(),
    })
}

/// What a query takes.
const WORK: Duration = Duration::from_millis(30);
