//! What the journal says of a server whose health has changed. Pure.

use std::time::Duration;

use super::Finding;
use super::machine::Transition;
use crate::pool::Health;
use crate::telemetry::journal::{Event, Kind, about};

/// `lasted`: how long the server had been what it was.
pub(super) fn event(transition: Transition, finding: &Finding, lasted: Option<Duration>) -> Event {
    let Transition { from, to } = transition;
    let was = match (from, lasted) {
        (Health::Unknown, _) | (_, None) => String::new(),
        (_, Some(lasted)) => format!("; it was {from} for {}", about(lasted)),
    };
    let detail = match finding.detail.as_str() {
        "" => String::new(),
        detail => format!(": {detail}"),
    };
    let event = match to {
        Health::Up => Event::info(Kind::Health, format!("server is up{was}")),
        Health::Alive => Event::warning(
            Kind::Health,
            format!("server is alive and wants no new sessions{detail}{was}"),
        ),
        Health::Down | Health::Unknown => {
            Event::warning(Kind::Health, format!("server is down{detail}{was}"))
        }
    };
    let event = event.from(from).to(to).lasted(lasted);
    event.reason(finding.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Reason, Verdict};

    fn finding(verdict: Verdict, reason: Reason, detail: &str) -> Finding {
        Finding {
            verdict,
            reason,
            step: "connect",
            detail: detail.to_owned(),
            role: None,
            steps: Vec::new(),
            took: Duration::ZERO,
            logs_error: false,
        }
    }

    #[test]
    fn a_sentence_says_what_why_and_what_was_before() {
        let refused = finding(Verdict::Down, Reason::ConnectRefused, "connection refused");
        let turn = |from, to| Transition { from, to };
        let lasted = Some(Duration::from_secs(3 * 3600 + 720));
        let down = event(turn(Health::Up, Health::Down), &refused, lasted);
        assert_eq!(
            down.text,
            "server is down: connection refused; it was up for 3h12m"
        );
        assert_eq!(down.former_seconds, Some(11_520.0));
        assert_eq!(down.reason.as_deref(), Some("connect-refused"));
        let fine = finding(Verdict::Up, Reason::Ok, "session opened");
        let first = event(turn(Health::Unknown, Health::Up), &fine, lasted);
        assert_eq!(first.text, "server is up");
    }
}
