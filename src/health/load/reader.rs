//! Asks one server's source, again and again, and tells the pool.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::{Instant, sleep};

use super::agent::Agent;
use super::factor::Factor;
use super::metrics::{self, Hive, Usage};
use crate::health::pace;
use crate::health::probe::{hear, printable};
use crate::health::{Endpoint, host};
use crate::plan::{HttpAsk, LoadPlan, LoadSource, ProbePlan};
use crate::pool::{Change, LastLoad, Pool, Refused, Said, Server};
use crate::telemetry::journal::{Event, Kind};
use crate::tls::connect::Connector;
use crate::wire::agent;

/// What all readers of a pool share.
pub(super) struct Source {
    pub(super) plan: LoadPlan,
    /// How to connect, as probes do.
    pub(super) probe: ProbePlan,
    /// What the source needs to speak TLS, or why there is no such thing.
    pub(super) tls: Result<Option<Connector>, String>,
}

/// See the module.
pub(super) struct Reader {
    pool: Arc<Pool>,
    server: Arc<Server>,
    source: Arc<Source>,
    factor: Factor,
    agent: Agent,
    hive: Hive,
    /// When the last answer came.
    heard: Instant,
    /// What the pool knows.
    told: Said,
    was_silent: bool,
}

/// One answer.
enum Answer {
    Usage(Usage),
    Line(agent::Line),
}

impl Reader {
    /// Goes on from what the pool knows.
    pub(super) fn new(pool: Arc<Pool>, server: Arc<Server>, source: Arc<Source>) -> Self {
        let known = pool.load().seat(server.id()).map(|own| own.said);
        let said = known.unwrap_or(Said::NOTHING);
        Self {
            factor: Factor::new(source.plan.floor),
            agent: Agent::recalled(said),
            hive: Hive::default(),
            heard: Instant::now(),
            told: said,
            was_silent: false,
            pool,
            server,
            source,
        }
    }

    /// Until the pool stops.
    pub(super) async fn run(mut self, mut delay: std::time::Duration) {
        loop {
            sleep(delay).await;
            let answer = self.ask().await;
            if self.take(answer).await.is_err() {
                return;
            }
            delay = pace::jitter(self.source.plan.interval, fastrand::f64());
        }
    }

    async fn ask(&mut self) -> Result<Answer, String> {
        let source = Arc::clone(&self.source);
        let addresses = self.server.addresses();
        let tls = source.tls.as_ref().map_err(Clone::clone)?.as_ref();
        if addresses.is_empty() {
            return Err(format!("{} has no address yet", self.server.address()));
        }
        let host = host(&self.server);
        let endpoint = Endpoint {
            addresses: &addresses,
            host: &host,
            send_proxy: None,
        };
        let full_at = source.plan.full_at;
        let path = match source.plan.from {
            LoadSource::Agent => {
                let line = hear::line(&endpoint, &source.probe, &source.plan.send, tls).await?;
                return Ok(Answer::Line(agent::read(&line)));
            }
            LoadSource::HiveServer2Web => Hive::PATH,
            LoadSource::ImpalaWeb => metrics::IMPALA_PATH,
        };
        let page = hear::page(&endpoint, &source.probe, &HttpAsk::get(path), tls).await?;
        let passed = self.heard.elapsed();
        let usage = match source.plan.from {
            LoadSource::HiveServer2Web => self.hive.read(&page.body, passed, full_at),
            _ => metrics::impala(&page.body, full_at),
        };
        self.heard = Instant::now();
        usage.map(Answer::Usage)
    }

    async fn take(&mut self, answer: Result<Answer, String>) -> Result<(), Refused> {
        let detail = match answer {
            Ok(Answer::Usage(usage)) => {
                self.factor.used(usage.used);
                usage.detail
            }
            Ok(Answer::Line(line)) => self.hear(&line),
            Err(why) => {
                self.factor.missed();
                self.server.metrics().load_missed();
                why
            }
        };
        self.tell_silence(&detail);
        self.server.set_last_load(LastLoad {
            is_silent: self.factor.is_silent(),
            detail: printable(&detail),
            at: SystemTime::now(),
        });
        self.tell(&detail).await
    }

    fn hear(&mut self, line: &agent::Line) -> String {
        self.agent.hear(line);
        match self.agent.share(self.weight()) {
            Some(share) => self.factor.set(share),
            None => self.factor.unsaid(),
        }
        match &line.stranger {
            Some(word) if line.is_empty() => format!("nobody knows the word {word:?}"),
            _ => line.why.clone(),
        }
    }

    fn weight(&self) -> u16 {
        let snapshot = self.pool.load();
        snapshot
            .seat(self.server.id())
            .map_or(1, |own| own.plan.weight)
    }

    /// One line in the log when it falls silent, and one when it speaks again.
    fn tell_silence(&mut self, detail: &str) {
        let is_silent = self.factor.is_silent();
        if is_silent {
            self.agent.falls_silent();
        }
        let (pool, server, from) = (
            self.pool.name(),
            self.server.name(),
            self.source.plan.from.as_str(),
        );
        match (
            std::mem::replace(&mut self.was_silent, is_silent),
            is_silent,
        ) {
            (false, true) => tracing::warn!(
                %pool, %server, from, detail = printable(detail),
                "server does not say how loaded it is: its weight goes back to that of the file"
            ),
            (true, false) => {
                tracing::info!(%pool, %server, from, "server says again how loaded it is")
            }
            _ => {}
        }
    }

    async fn tell(&mut self, detail: &str) -> Result<(), Refused> {
        let said = self.agent.said(self.factor.percent());
        if !differs(said, self.told) {
            return Ok(());
        }
        if said.withdrawn != self.told.withdrawn {
            self.tell_order(said.withdrawn, &printable(detail));
        }
        self.told = said;
        let server = self.server.id();
        self.pool.send(Change::Said { server, said }).await
    }
}

impl Reader {
    fn tell_order(&self, withdrawn: Option<&'static str>, detail: &str) {
        let (pool, server) = (self.pool.name(), self.server.name());
        let event = match withdrawn {
            Some(word) => {
                tracing::warn!(%pool, %server, word, detail, "{WITHDRAWN}");
                Event::warning(Kind::Order, format!("{WITHDRAWN}: {word}")).to(word)
            }
            None => {
                tracing::info!(%pool, %server, "{BACK}");
                Event::info(Kind::Order, BACK).to("ready")
            }
        };
        let event = match self.told.withdrawn {
            Some(former) => event.from(former),
            None => event.from("ready"),
        };
        let event = event.by("agent").pool(pool).server(server);
        self.pool.journal().tell(event);
    }
}

const WITHDRAWN: &str = "the server's agent wants no new sessions";
const BACK: &str = "the server's agent wants sessions again";

/// Whether it is worth a snapshot: small steps of the share are not, unless they end at the whole weight.
fn differs(said: Said, told: Said) -> bool {
    let small = said.percent.abs_diff(told.percent) < WORTH && said.percent != 100;
    let same_share = small || said.percent == told.percent;
    !same_share || (said.most, said.withdrawn) != (told.most, told.withdrawn)
}

/// Percent of the weight.
const WORTH: u8 = 3;
