//! What an agent has said so far. Pure.
//!
//! As with HAProxy, what a line does not speak of stays as it is, and only the agent itself takes back that a server is to
//! get no new sessions: an agent that goes away has not done so. Its weight and its bound count no more then.

use crate::pool::Said;
use crate::wire::agent::{Line, Order, State, Weight};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Agent {
    weight: Option<Weight>,
    most: Option<u32>,
    order: Option<&'static str>,
    state: Option<&'static str>,
}

impl Agent {
    /// What the pool still knows of it: only the agent itself takes back what it withdrew.
    pub(super) fn recalled(said: Said) -> Self {
        let is_order = matches!(said.withdrawn, Some("drain" | "maint"));
        Self {
            order: said.withdrawn.filter(|_| is_order),
            state: said.withdrawn.filter(|word| !is_order && *word != NONE),
            ..Self::default()
        }
    }

    /// Takes in one line.
    pub(super) fn hear(&mut self, line: &Line) {
        self.weight = line.weight.or(self.weight);
        self.most = line.most.or(self.most);
        if let Some(order) = line.order {
            self.order = match order {
                Order::Ready => None,
                Order::Drain => Some("drain"),
                Order::Maint => Some("maint"),
            };
        }
        if let Some(state) = line.state {
            self.state = match state {
                State::Up => None,
                State::Down => Some("down"),
                State::Fail => Some("fail"),
                State::Stopped => Some("stopped"),
            };
        }
    }

    /// It has not been heard for long.
    pub(super) fn falls_silent(&mut self) {
        self.weight = None;
        self.most = None;
    }

    /// The share of the weight, of a server with `weight` in the file; `None`: it never spoke of it.
    pub(super) fn share(&self, weight: u16) -> Option<f64> {
        self.weight.map(|own| match own {
            Weight::Percent(percent) => f64::from(percent) / 100.0,
            Weight::Absolute(absolute) => f64::from(absolute) / f64::from(weight.max(1)),
        })
    }

    /// What bears on sessions; `percent` of the weight.
    pub(super) fn said(&self, percent: u8) -> Said {
        let none = matches!(self.weight, Some(Weight::Percent(0) | Weight::Absolute(0)));
        let withdrawn = self.order.or(self.state);
        Said {
            percent,
            most: self.most.filter(|most| *most > 0),
            withdrawn: withdrawn.or(none.then_some(NONE)),
        }
    }
}

/// A share of nothing, as it is shown.
const NONE: &str = "0%";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::agent::read;

    fn after(lines: &[&str]) -> Agent {
        let mut agent = Agent::default();
        lines.iter().for_each(|line| agent.hear(&read(line)));
        agent
    }

    #[test]
    fn what_a_line_does_not_speak_of_stays() {
        for (lines, withdrawn) in [
            (&["drain"][..], Some("drain")),
            (&["drain", "75%"], Some("drain")),
            (&["drain", "up"], Some("drain")),
            (&["drain", "ready"], None),
            (&["down", "ready"], Some("down")),
            (&["down", "maint", "up"], Some("maint")),
            (&["down", "maint", "up ready"], None),
            (&["0%"], Some("0%")),
            (&["weight:0", "hello"], Some("0%")),
            (&["0%", "1%"], None),
            (&["stopped"], Some("stopped")),
            (&["fail #x"], Some("fail")),
        ] {
            assert_eq!(after(lines).said(100).withdrawn, withdrawn, "{lines:?}");
        }
        assert_eq!(after(&["maxconn:30", "50%"]).said(100).most, Some(30));
        assert_eq!(after(&["maxconn:30", "maxconn:0"]).said(100).most, None);
    }

    #[test]
    fn what_it_withdrew_outlives_its_reader() {
        for lines in [
            &["drain"][..],
            &["maint"],
            &["down"],
            &["stopped"],
            &["fail 50%"],
        ] {
            let said = after(lines).said(100);
            let mut again = Agent::recalled(said);
            assert_eq!(again.said(100).withdrawn, said.withdrawn, "{lines:?}");
            again.hear(&read("ready up"));
            assert_eq!(again.said(100).withdrawn, None, "{lines:?}");
        }
        let none = Agent::recalled(after(&["0%"]).said(1));
        assert_eq!(none.said(100).withdrawn, None, "a share is said anew");
    }

    #[test]
    fn a_weight_is_a_share_of_that_in_the_file() {
        assert_eq!(after(&["75%"]).share(7), Some(0.75));
        assert_eq!(after(&["weight:3"]).share(4), Some(0.75));
        assert_eq!(after(&["ready"]).share(4), None);
    }

    #[test]
    fn silence_takes_back_the_weight_and_no_order() {
        let mut agent = after(&["50% maxconn:7 drain"]);
        agent.falls_silent();
        assert_eq!((agent.share(1), agent.said(100).most), (None, None));
        assert_eq!(agent.said(100).withdrawn, Some("drain"));
        let mut agent = after(&["0%"]);
        agent.falls_silent();
        assert_eq!(agent.said(100).withdrawn, None);
    }
}
