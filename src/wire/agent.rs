//! The line by which an agent says how its server is: HAProxy's agent-check (configuration manual, agent-check).
//!
//! Words stand between spaces, tabs and commas, in any order and in either case; of words that say the same thing the last
//! counts. After a sharp comes text for people. What the line does not speak of stays as it is.

/// What one line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The share of the weight.
    pub weight: Option<Weight>,
    /// Sessions at once; 0 is no bound.
    pub most: Option<u32>,
    /// What the server's owner wants.
    pub order: Option<Order>,
    /// What the agent found.
    pub state: Option<State>,
    /// Text for people, after a sharp.
    pub why: String,
    /// The first word that nobody knows.
    pub stranger: Option<String>,
}

/// `75%`, `weight:75%`, `weight:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Of the weight in the file.
    Percent(u32),
    /// Instead of the weight in the file.
    Absolute(u32),
}

/// Words of the server's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Takes back the others.
    Ready,
    /// No new sessions.
    Drain,
    /// No new sessions.
    Maint,
}

/// Words of the agent's own check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Takes back the others.
    Up,
    /// Found down.
    Down,
    /// Up, but fails its tests.
    Fail,
    /// Stopped by intent.
    Stopped,
}

/// Reads the words of `line`, whose end is off.
pub fn read(line: &str) -> Line {
    let mut said = Line::default();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(BETWEEN);
        if let Some(why) = rest.strip_prefix('#') {
            said.why = why.trim().to_owned();
            return said;
        }
        if rest.is_empty() {
            return said;
        }
        let (word, after) = rest.split_at(rest.find(ENDS).unwrap_or(rest.len()));
        rest = after;
        if said.take(&word.to_ascii_lowercase()).is_none() {
            said.stranger.get_or_insert_with(|| word.to_owned());
        }
    }
}

impl Line {
    /// `None`: not a word of this language.
    fn take(&mut self, word: &str) -> Option<()> {
        match word {
            "ready" => self.order = Some(Order::Ready),
            "drain" => self.order = Some(Order::Drain),
            "maint" => self.order = Some(Order::Maint),
            "up" => self.state = Some(State::Up),
            "down" => self.state = Some(State::Down),
            "fail" => self.state = Some(State::Fail),
            "stopped" => self.state = Some(State::Stopped),
            _ => match word.split_once(':') {
                Some(("maxconn", most)) => self.most = Some(most.parse().ok()?),
                Some(("weight", weight)) => self.weight = Some(weight_of(weight)?),
                _ => self.weight = Some(weight_of(word).filter(|_| word.ends_with('%'))?),
            },
        }
        Some(())
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        let Self {
            weight,
            most,
            order,
            state,
            ..
        } = self;
        weight.is_none() && most.is_none() && order.is_none() && state.is_none()
    }
}

fn weight_of(word: &str) -> Option<Weight> {
    match word.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(Weight::Percent),
        None => word.parse().ok().map(Weight::Absolute),
    }
}

const BETWEEN: [char; 3] = [' ', '\t', ','];

/// Of a word.
const ENDS: [char; 4] = [' ', '\t', ',', '#'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_word_of_the_manual_is_understood() {
        let percent = |of| Line {
            weight: Some(Weight::Percent(of)),
            ..Line::default()
        };
        assert_eq!(read("75%"), percent(75));
        assert_eq!(read(" \t,weight:30% "), percent(30));
        assert_eq!(read("weight:30").weight, Some(Weight::Absolute(30)));
        assert_eq!(read("maxconn:30").most, Some(30));
        let all = read("UP ready,50%\tmaxconn:7 # as it should be, I think");
        assert_eq!(all.weight, Some(Weight::Percent(50)));
        assert_eq!((all.most, all.order), (Some(7), Some(Order::Ready)));
        assert_eq!(all.state, Some(State::Up));
        assert_eq!(
            (all.why.as_str(), all.stranger),
            ("as it should be, I think", None)
        );
        for (word, state) in [
            ("down", State::Down),
            ("fail", State::Fail),
            ("stopped", State::Stopped),
        ] {
            assert_eq!(read(word).state, Some(state));
        }
        assert_eq!(read("drain").order, Some(Order::Drain));
        assert_eq!(
            read("maint,drain,maint").order,
            Some(Order::Maint),
            "the last one"
        );
        for line in ["down #no disk", "down#no disk"] {
            let said = read(line);
            assert_eq!(
                (said.state, said.why.as_str()),
                (Some(State::Down), "no disk")
            );
        }
    }

    #[test]
    fn what_is_no_word_is_named_and_changes_nothing() {
        for word in [
            "hello",
            "75",
            "-1%",
            "%",
            "1.5%",
            "99999999999%",
            "maxconn:",
            "maxconn:-1",
            "weight:",
            "weight:x",
        ] {
            let line = read(word);
            assert!(line.is_empty(), "{word}: {line:?}");
            assert_eq!(line.stranger.as_deref(), Some(word));
        }
        assert_eq!(read("hello 50% world").stranger.as_deref(), Some("hello"));
        assert!(read("").is_empty() && read(" , \t").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_ends(line in "\\PC*") {
            read(&line);
        }
    }
}
