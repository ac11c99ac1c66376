//! What sessions see of a server: the passive check beside the probe.
//!
//! Sessions only count on the [`Server`] and nudge its checker; however many fail at once, the checker hears one of it.
//! That is one verdict *down* of the same machine that probes feed, and the probe that follows at once (at the fast pace at
//! most) says whether to believe it: so a storm of failures costs one verdict and one probe for each fast interval.
//!
//! But a probe answers for as much of a session as it does itself (its *reach*): one that asks another port than sessions
//! use cannot take back what they saw. There, `fall` failed connects in a row are believed as they are, and the probe is
//! joined by a knock at the sessions' own port until that answers again. And one that only connects says nothing of a
//! server that takes connections and serves nobody: see [`trust`](super::trust).

use std::time::Duration;

use super::conclusion::Keeping;
use super::probe::printable;
use super::{Effort, Finding, Reason, Verdict};
use crate::plan::{Ask, ProbePlan};
use crate::pool::{Reach, Server};

/// How far into a session a probe goes, on a server that takes sessions on `port`; `None`: not at all.
pub(super) fn reach(plan: &ProbePlan, port: u16, effort: Effort) -> Option<Reach> {
    if plan.port.is_some_and(|asked| asked != port) {
        return None;
    }
    Some(match (&plan.ask, effort) {
        (Ask::PostgreSql(_) | Ask::MySql(_), _) => Reach::Answer,
        (Ask::Tcp, _) | (_, Effort::Connect) => Reach::Connect,
        (Ask::Tls, _) => Reach::Opening,
        _ => Reach::Answer,
    })
}

/// A failed dial since this was last asked, as the finding of a probe that nobody had to put.
pub(super) fn testimony(server: &Server) -> Option<Finding> {
    let failed = server.take_dial_failure();
    failed.then(|| unasked(Reason::DialFailed, "a session could not connect"))
}

/// So many sessions in a row could not connect to a port that the probe does not ask.
pub(super) fn port_is_dead(plan: &ProbePlan, port: u16, failures: u32) -> Finding {
    let whose = asked(plan);
    let text = format!(
        "{failures} sessions in a row could not connect to port {port}, which the probe{whose} does not ask"
    );
    unasked(Reason::DialFailed, &text)
}

/// The probe found the server up, and this came of the knock at the port that takes sessions.
pub(super) fn both(probe: Finding, knock: Finding, plan: &ProbePlan, port: u16) -> Finding {
    if knock.verdict == Verdict::Up {
        return probe;
    }
    let whose = asked(plan);
    let why = &knock.detail;
    Finding {
        detail: printable(&format!(
            "the probe{whose} is answered, but port {port} takes no sessions: {why}"
        )),
        step: "session-port",
        took: probe.took + knock.took,
        steps: [probe.steps, vec![("session-port", knock.took)]].concat(),
        ..knock
    }
}

/// So many sessions in a row failed where no probe looks.
pub(super) fn unanswered(sessions: u32, stays: Duration) -> Finding {
    let text = format!(
        "{sessions} sessions in a row ended before the server's first byte, or in its TLS handshake; out for {stays:?}"
    );
    unasked(Reason::SessionsFail, &text)
}

/// A time is over, and nothing else stands against the server.
pub(super) fn trusted_again() -> Finding {
    Finding {
        verdict: Verdict::Up,
        ..unasked(Reason::Ok, "its time out is over")
    }
}

/// The probe finds it up, and yet it takes no sessions.
pub(super) fn kept_out(who: Keeping, stays: Duration) -> String {
    let seconds = stays.as_secs_f64().ceil();
    match who {
        Keeping::Hold(falls) => {
            format!(
                "answers again, but went down {falls} times soon after it came back: out for {seconds} s more"
            )
        }
        Keeping::Distrust(times) => {
            format!(
                "answers its probe, but its sessions fail, for time {times}: out for {seconds} s more"
            )
        }
    }
}

/// Which port, for people.
fn asked(plan: &ProbePlan) -> String {
    let port = plan.port.map(|port| format!(" of port {port}"));
    port.unwrap_or_default()
}

fn unasked(reason: Reason, detail: &str) -> Finding {
    Finding {
        verdict: Verdict::Down,
        reason,
        step: "session",
        detail: detail.to_owned(),
        role: None,
        steps: Vec::new(),
        took: Duration::ZERO,
        logs_error: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Depth, HiveAuth, HiveTransport, HttpAsk, ObservePlan};

    #[test]
    fn a_probe_reaches_as_far_as_it_goes_itself() {
        let http = Ask::Http(HttpAsk::get("/"));
        let hive = Ask::HiveServer2 {
            depth: Depth::Handshake,
            transport: HiveTransport::Binary,
            auth: HiveAuth::NoSasl,
        };
        let table = [
            (Ask::Tcp, None, Effort::Full, Some(Reach::Connect)),
            (Ask::Tls, None, Effort::Full, Some(Reach::Opening)),
            (http.clone(), None, Effort::Full, Some(Reach::Answer)),
            (
                http.clone(),
                Some(21_050),
                Effort::Full,
                Some(Reach::Answer),
            ),
            (http, Some(25_000), Effort::Full, None),
            (Ask::Tcp, Some(25_000), Effort::Full, None),
            (hive.clone(), None, Effort::Cheap, Some(Reach::Answer)),
            (hive, None, Effort::Connect, Some(Reach::Connect)),
        ];
        for (ask, port, effort, expected) in table {
            let plan = ProbePlan {
                ask,
                port,
                tls: None,
                kerberos: None,
                interval: Duration::from_secs(5),
                fast_interval: Duration::from_secs(1),
                deep_interval: Duration::from_secs(60),
                timeout: Duration::from_secs(3),
                rise: 2,
                fall: 3,
                observe: ObservePlan::DEFAULT,
            };
            assert_eq!(
                reach(&plan, 21_050, effort),
                expected,
                "{plan:?} {effort:?}"
            );
        }
    }
}
