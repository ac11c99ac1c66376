//! Asks servers as their pool asks them, once: for `probe POOL/SERVER` and `check --connect`.
//!
//! The name is looked up, the pool's own question put with its TLS and its login, and where that goes to another port, the one that
//! takes sessions is dialled as well.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ctl::table::bare;
use crate::config;
use crate::health::command::{Programs, Runner, commands};
use crate::health::probe::{self, Means, ProbeMemory};
use crate::health::{Effort, Endpoint, Finding, Reason, Verdict, in_role};
use crate::plan::{Address, Ask, Host, Plan, PoolPlan, ProbePlan, Question, Service};

/// Puts one pool's question.
pub(super) struct Asker {
    plan: Arc<PoolPlan>,
    /// The pool's own, or a connect where it has none; `None` where nothing can be asked.
    probe: Option<ProbePlan>,
    means: Result<Means, String>,
    programs: Programs,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Asked {
    /// What the name stands for.
    pub(super) addresses: Vec<SocketAddr>,
    /// `None`: nobody was asked, as the pool asks nobody and a connect says nothing there.
    pub(super) finding: Option<Finding>,
}

impl Asker {
    /// For the servers of that pool. `timeout` replaces the probe's own.
    pub(super) fn new(plan: &Arc<PoolPlan>, programs: Programs, timeout: Option<Duration>) -> Self {
        let mut probe = match &plan.probe {
            Some(probe) => Some(probe.clone()),
            // Over UDP a connect opens nothing.
            None if by_datagram(plan.service) => None,
            None => config::probe("type = \"tcp\"", plan.name.as_str()).ok(),
        };
        if let (Some(probe), Some(timeout)) = (&mut probe, timeout) {
            probe.timeout = timeout;
        }
        let means = match &probe {
            Some(probe) => Means::new(probe).map_err(|error| error.to_string()),
            None => Ok(Means::default()),
        };
        Self {
            plan: Arc::clone(plan),
            probe,
            means,
            programs,
        }
    }

    /// Asks the server of that name, at that address.
    pub(super) async fn ask(&self, name: &str, address: &Address) -> Asked {
        let host = match &address.host {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.clone(),
        };
        let patience = self.probe.as_ref().map_or(RESOLVE, |probe| probe.timeout);
        let started = Instant::now();
        let addresses = match resolve(&host, address.port, patience).await {
            Ok(addresses) => addresses,
            Err(detail) => {
                return Asked {
                    addresses: Vec::new(),
                    finding: Some(unasked(Reason::ResolveFailed, "resolve", detail, started)),
                };
            }
        };
        let resolved = started.elapsed();
        let mut finding = self.put(name, &host, address.port, &addresses).await;
        if let Some(finding) = &mut finding {
            finding.steps.insert(0, ("resolve", resolved));
        }
        Asked { addresses, finding }
    }

    async fn put(
        &self,
        name: &str,
        host: &str,
        port: u16,
        addresses: &[SocketAddr],
    ) -> Option<Finding> {
        let probe = self.probe.as_ref()?;
        let means = match &self.means {
            Ok(means) => means,
            Err(why) => {
                let now = Instant::now();
                return Some(unasked(Reason::Unusable, "prepare", why.clone(), now));
            }
        };
        if let Ask::Command(command) = &probe.ask {
            let who = (self.plan.name.as_str(), name);
            let place = (host, probe.port.unwrap_or(port));
            let asked = self.programs.ask(command, who, place, probe.timeout);
            return Some(in_role(asked.await, &self.plan.care.role));
        }
        let endpoint = Endpoint {
            addresses,
            host,
            send_proxy: self.plan.send_proxy,
        };
        let mut memory = ProbeMemory::default();
        let finding = probe::ask(&endpoint, probe, Effort::Full, means, &mut memory).await;
        let elsewhere = probe.port.is_some_and(|asked| asked != port);
        if finding.verdict != Verdict::Up || !elsewhere {
            return Some(in_role(finding, &self.plan.care.role));
        }
        // As a checker does while it doubts: the port that takes sessions has to be open, too.
        let knock = probe::knock(&endpoint, probe).await;
        Some(match knock.verdict {
            Verdict::Up => in_role(finding, &self.plan.care.role),
            _ => Finding {
                detail: format!("where sessions go: {}", bare(&knock.detail)),
                ..knock
            },
        })
    }
}

/// Whether clients of the service send datagrams, and nothing else.
fn by_datagram(service: Service) -> bool {
    service.as_str() == "udp" || matches!(service.probe, Question::Datagrams { .. })
}

/// The addresses of a name.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, String> {
    match tokio::time::timeout(timeout, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {timeout:?}")),
    }
}

/// A question that was not put.
pub(super) fn unasked(
    reason: Reason,
    step: &'static str,
    detail: String,
    started: Instant,
) -> Finding {
    let took = started.elapsed();
    Finding {
        verdict: Verdict::Down,
        reason,
        step,
        detail,
        role: None,
        steps: vec![(step, took)],
        took,
        logs_error: false,
    }
}

/// Runs `work` on this thread, with what runs the plan's commands.
pub(super) fn with_programs<T>(
    plan: &Plan,
    work: impl AsyncFnOnce(Programs) -> T,
) -> io::Result<T> {
    // Before the runtime, which may have threads.
    let runner = Runner::start(commands(plan))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let programs = runner.map(Runner::attend).transpose()?;
        Ok(work(programs.unwrap_or_default()).await)
    });
    // A silent name server holds a look-up for many seconds: nobody waits for that.
    runtime.shutdown_background();
    done
}

/// For a name of which nothing else is asked.
const RESOLVE: Duration = Duration::from_secs(3);
