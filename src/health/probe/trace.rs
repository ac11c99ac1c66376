//! The bookkeeping of one question: its steps with their times, and the answer that ends it.

use std::time::Duration;

use tokio::time::Instant;

use crate::health::{DETAIL_MAX, Finding, Reason, Verdict};
use crate::plan::Role;

/// What an exchange came to; most helpers end it early by `?`.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    pub(super) detail: String,
    pub(super) role: Option<Role>,
    pub(super) logs_error: bool,
}

/// A step gives something to go on with, or ends the question.
pub(super) type Asked<T> = Result<T, Answer>;

/// Steps in order; the last one is under way.
#[derive(Debug)]
pub(super) struct Trace {
    started: Instant,
    deadline: Instant,
    step: &'static str,
    step_started: Instant,
    steps: Vec<(&'static str, Duration)>,
    waited: Duration,
    /// What came of an answer that is not whole.
    heard: String,
}

impl Answer {
    pub(super) fn up() -> Self {
        Self::of(Verdict::Up, Reason::Ok, "")
    }

    /// With something that people may want to know of it.
    pub(super) fn up_because(detail: &str) -> Self {
        Self::of(Verdict::Up, Reason::Ok, detail)
    }

    pub(super) fn alive(reason: Reason, detail: &str) -> Self {
        Self::of(Verdict::Alive, reason, detail)
    }

    pub(super) fn down(reason: Reason, detail: &str) -> Self {
        Self::of(Verdict::Down, reason, detail)
    }

    pub(super) fn of(verdict: Verdict, reason: Reason, detail: &str) -> Self {
        Self {
            verdict,
            reason,
            detail: printable(detail),
            role: None,
            logs_error: false,
        }
    }

    /// The deadline came, but this thread was late itself.
    pub(super) fn own_delay(delay: Duration) -> Self {
        let text = format!("howdah itself was late by {delay:?}: an answer may have come in time");
        Self::down(Reason::OwnDelay, &text)
    }

    /// The server has put an error in its log.
    pub(super) fn logging_an_error(self) -> Self {
        Self {
            logs_error: true,
            ..self
        }
    }
}

impl Trace {
    pub(super) fn begin(timeout: Duration) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            deadline: now + timeout,
            step: "connect",
            step_started: now,
            steps: Vec::with_capacity(4),
            waited: Duration::ZERO,
            heard: String::new(),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the present step and begins another.
    pub(super) fn step(&mut self, name: &'static str) {
        let now = Instant::now();
        self.steps.push((self.step, now - self.step_started));
        self.step = name;
        self.step_started = now;
        self.heard.clear();
    }

    /// Part of an answer, for people, should no more come.
    pub(super) fn hears(&mut self, text: String) {
        self.heard = text;
    }

    /// Time that we let pass on purpose: no fault of the server's, so not in the finding's `took`.
    pub(super) fn discount(&mut self, waited: Duration) {
        self.waited += waited;
    }

    /// The deadline came: the step under way is to blame.
    pub(super) fn too_late(&self) -> Answer {
        let reason = match self.step {
            "connect" => Reason::ConnectTimeout,
            _ => Reason::Timeout,
        };
        let limit = self.deadline - self.started;
        match self.heard.as_str() {
            "" => Answer::down(reason, &format!("no answer within {limit:?}")),
            heard => {
                let text = format!("no answer that is expected within {limit:?}, but {heard:?}");
                Answer::down(reason, &text)
            }
        }
    }

    pub(super) fn finish(mut self, answer: Answer) -> Finding {
        let now = Instant::now();
        self.steps.push((self.step, now - self.step_started));
        Finding {
            verdict: answer.verdict,
            reason: answer.reason,
            step: self.step,
            detail: answer.detail,
            role: answer.role,
            steps: self.steps,
            took: (now - self.started).saturating_sub(self.waited),
            logs_error: answer.logs_error,
        }
    }
}

/// A peer's words, fit for a log: control characters escaped, cut to [`DETAIL_MAX`] bytes.
pub(in crate::health) fn printable(text: &str) -> String {
    let mut out = String::new();
    for letter in text.trim().chars() {
        let before = out.len();
        if letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
        if out.len() > DETAIL_MAX {
            out.truncate(before);
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_cut_and_escaped() {
        assert_eq!(printable(" a\r\nb\u{1b}[0m "), "a\\r\\nb\\u{1b}[0m");
        assert_eq!(printable(&"é".repeat(500)).len(), DETAIL_MAX);
        assert!(printable(&"\0".repeat(500)).len() <= DETAIL_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn each_step_has_its_own_time() {
        let mut trace = Trace::begin(Duration::from_secs(9));
        tokio::time::advance(Duration::from_secs(1)).await;
        trace.step("sasl");
        tokio::time::advance(Duration::from_secs(2)).await;
        let finding = trace.finish(Answer::up());
        let seconds = Duration::from_secs;
        let steps = vec![("connect", seconds(1)), ("sasl", seconds(2))];
        assert_eq!((finding.steps, finding.step), (steps, "sasl"));
        assert_eq!(finding.took, seconds(3));
    }
}
