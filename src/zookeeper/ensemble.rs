//! The servers of an ensemble: one of them is connected to, in an order of chance, by addresses that are looked up anew.
//!
//! An address that nobody answers costs [`PATIENCE`], so each server is tried once before any is tried again, and pauses
//! between such rounds grow to [`PAUSE_MAX`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::connection::{Broken, Connection, Hello, Pace, SESSION};
use crate::base::connect::connect;
use crate::plan::{Address, Host, ZooKeeperPlan};
use crate::tls::connect::Connector;
use crate::wire::zookeeper::SessionKey;

/// Anything that carries bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// See the module.
pub struct Ensemble<'a> {
    plan: &'a ZooKeeperPlan,
    tls: Option<Connector>,
    /// Places in the plan, the next first.
    order: Vec<usize>,
    /// Tried since the last connection that was of use.
    tried: usize,
    /// The last change that was seen, and until when a server must have seen it too: an ensemble that was built anew begins
    /// to count anew.
    zxid: i64,
    trusted_until: Instant,
    /// Of one session, or of each.
    timeout: Duration,
    /// Whether the session outlives its connection, and which it is.
    lasting: bool,
    session: SessionKey,
}

/// A session with one of them.
pub struct Member {
    /// Which.
    pub address: Address,
    /// The session.
    pub connection: Connection<Box<dyn Stream>>,
}

impl<'a> Ensemble<'a> {
    /// Whose servers are tried in an order of chance.
    pub fn new(plan: &'a ZooKeeperPlan, tls: Option<Connector>) -> Self {
        let mut order: Vec<usize> = (0..plan.ensemble.len()).collect();
        fastrand::shuffle(&mut order);
        Self {
            plan,
            tls,
            order,
            tried: 0,
            zxid: 0,
            trusted_until: Instant::now(),
            timeout: SESSION,
            lasting: false,
            session: SessionKey::default(),
        }
    }

    /// As [`Self::new`], with one session that is taken up again on each connection, and lasts so long without us.
    pub fn lasting(plan: &'a ZooKeeperPlan, tls: Option<Connector>, timeout: Duration) -> Self {
        Self {
            timeout,
            lasting: true,
            ..Self::new(plan, tls)
        }
    }

    /// The next connection takes up this session, which has seen that change.
    pub fn take_up(&mut self, session: SessionKey, zxid: i64) {
        self.session = session;
        self.of_use(zxid);
    }

    /// A session with the next one; waits where all were tried just now.
    ///
    /// # Errors
    /// Which server, and why not.
    pub async fn connect(&mut self) -> Result<Member, (Address, Broken)> {
        let rounds = self.tried / self.order.len().max(1);
        if rounds > 0 && self.tried.is_multiple_of(self.order.len()) {
            let pause = PAUSE * 2u32.saturating_pow(u32::try_from(rounds - 1).unwrap_or(u32::MAX));
            sleep(pause.min(PAUSE_MAX).mul_f64(0.75 + 0.5 * fastrand::f64())).await;
        }
        self.tried += 1;
        self.order.rotate_left(1);
        let place = self.order.last().copied().unwrap_or_default();
        let address = self.plan.ensemble[place].clone();
        match self.open(&address).await {
            Ok(connection) => {
                if self.lasting {
                    self.session = connection.key();
                }
                Ok(Member {
                    address,
                    connection,
                })
            }
            Err(broken) => {
                self.lost(&broken);
                Err((address, broken))
            }
        }
    }

    /// A connection broke: where the session has ended, the next one is another.
    pub fn lost(&mut self, broken: &Broken) {
        if matches!(broken, Broken::Expired) {
            self.session = SessionKey::default();
        }
    }

    /// Whether each of them was tried since the last that was of use.
    pub fn is_exhausted(&self) -> bool {
        self.tried >= self.order.len()
    }

    /// A server answered: it was of use.
    pub fn of_use(&mut self, zxid: i64) {
        self.tried = 0;
        self.zxid = zxid;
        self.trusted_until = Instant::now() + TRUSTED;
    }

    async fn open(&self, address: &Address) -> Result<Connection<Box<dyn Stream>>, Broken> {
        let trusted = Instant::now() < self.trusted_until;
        let account = self.plan.account.as_ref();
        let account = account.map(|(user, password)| format!("{user}:{}", password.expose()));
        let hello = Hello {
            zxid: if trusted { self.zxid } else { 0 },
            account: account.as_deref(),
            session: self.session,
            timeout: self.timeout,
            pace: if self.lasting {
                Pace::Eager
            } else {
                Pace::Calm
            },
        };
        let patience = PATIENCE.min(self.timeout / 4).max(PATIENCE_MIN);
        let mut last = io::Error::other("the name has no address").into();
        for found in addresses(address).await? {
            let opened = timeout(patience, async {
                let stream = self.stream(found, address).await?;
                Connection::open(stream, hello).await
            });
            match opened.await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(Broken::Expired)) => return Err(Broken::Expired),
                Ok(Err(broken)) => last = broken,
                Err(_) => last = Broken::Silent(patience),
            }
        }
        Err(last)
    }

    async fn stream(
        &self,
        found: SocketAddr,
        address: &Address,
    ) -> Result<Box<dyn Stream>, Broken> {
        let tcp: TcpStream = connect(found, true).await?;
        let _ = tcp.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let host = match &address.host {
            Host::Name(name) => name.clone(),
            Host::Ip(ip) => ip.to_string(),
        };
        let name = tls.server_name(&host).map_err(io::Error::other)?;
        let secured = TlsConnector::from(tls.config()).connect(name, tcp).await?;
        Ok(Box::new(secured))
    }
}

/// Looked up anew each time: an ensemble that moves is found again.
async fn addresses(address: &Address) -> io::Result<Vec<SocketAddr>> {
    match &address.host {
        Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, address.port)]),
        Host::Name(name) => {
            let found = lookup_host((name.as_str(), address.port));
            Ok(timeout(PATIENCE, found).await??.take(ADDRESSES).collect())
        }
    }
}

/// For a look-up, and for a connect with the session's start.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a session is short.
const PATIENCE_MIN: Duration = Duration::from_millis(300);

/// Of one name.
const ADDRESSES: usize = 8;

/// After the first round in which nobody was of use; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(100);

/// Before each later round.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Servers that lag behind what was seen are passed by for so long.
const TRUSTED: Duration = Duration::from_secs(30);
