//! A script on its way through its steps: what to send next, and what was heard. Pure over bytes.
//!
//! Whoever drives it asks for the next [`Turn`], sends what it says, and feeds what comes in: pieces of a stream, or a
//! datagram at a time.

use std::borrow::Cow;

use super::trace::Answer;
use crate::base::pattern::Pattern;
use crate::health::Reason;
use crate::plan::{AnswerEnd, Meaning, Number, Role, Says, Script, Step};
use crate::wire::exchange::{ANSWER_MAX, Frame, Incoming, Reader};

/// See the module.
pub(super) struct Talk<'s> {
    script: Vec<(&'s Step, &'s [Pattern])>,
    at: usize,
    /// The present step has begun, and this hears its answer.
    reader: Option<Reader<'s>>,
    role: Option<Role>,
    detail: String,
    /// Each answer is a datagram, whatever the steps say of its end.
    by_datagram: bool,
    /// The step before this one begins TLS.
    secures: bool,
}

/// What is to do.
pub(super) enum Turn<'s> {
    /// Send this; empty: nothing, but a step begins.
    Send(Cow<'s, [u8]>),
    /// Wait for bytes, and feed them.
    Hear,
    /// Begin TLS.
    Secure,
    /// All steps are done.
    Done(Answer),
}

/// What became of bytes.
pub(super) enum Heard {
    /// More are needed.
    More,
    /// The step is done; what is left of the bytes belongs to the next.
    Next,
    /// That is the verdict.
    Verdict(Answer),
}

impl<'s> Talk<'s> {
    pub(super) fn new(script: &'s Script) -> Self {
        Self {
            script: script.steps().collect(),
            at: 0,
            reader: None,
            role: None,
            detail: String::new(),
            by_datagram: false,
            secures: false,
        }
    }

    /// Over UDP: what is sent has no length before it, and an answer is whole when it comes.
    pub(super) fn datagrams(script: &'s Script) -> Self {
        Self {
            by_datagram: true,
            ..Self::new(script)
        }
    }

    /// What the answer to the present step repeats.
    pub(super) fn number(&self) -> Option<Number> {
        self.script.get(self.at)?.0.number
    }

    /// Takes an answer in that came as a datagram.
    pub(super) fn datagram(&mut self, bytes: &[u8]) -> Heard {
        let step = self.script.get(self.at).map(|(step, _)| *step);
        let is_text = step.is_some_and(|step| step.answer == AnswerEnd::Line);
        // The end of a line is none of its text; of other answers every byte counts.
        let line = bytes.strip_suffix(b"\n").filter(|_| is_text);
        let line = line.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let bytes = line.unwrap_or(bytes);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let framed = [&length.to_be_bytes()[..], bytes].concat();
        self.feed(&framed).1
    }

    /// The name of the present step, for people.
    pub(super) fn name(&self) -> &'static str {
        match self.script.len() {
            0 | 1 => "exchange",
            _ => STEPS.get(self.at).copied().unwrap_or("step"),
        }
    }

    pub(super) fn turn(&mut self) -> Turn<'s> {
        if std::mem::take(&mut self.secures) {
            return Turn::Secure;
        }
        let Some((step, patterns)) = self.script.get(self.at).copied() else {
            return Turn::Done(self.done());
        };
        if self.reader.is_some() {
            if !step.rules.is_empty() {
                return Turn::Hear;
            }
            self.next();
            return self.turn();
        }
        if std::mem::take(&mut self.secures) {
            return Turn::Secure;
        }
        let end = match self.by_datagram {
            true => AnswerEnd::U32,
            false => step.answer,
        };
        self.reader = Some(Reader::new(frame(end), patterns));
        Turn::Send(match self.by_datagram {
            true => Cow::Borrowed(&*step.send),
            false => framed(step),
        })
    }

    /// Takes bytes in; says how many are used.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Heard) {
        let Some(reader) = &mut self.reader else {
            return (0, Heard::Next);
        };
        let (used, mut incoming) = reader.feed(bytes);
        // Nobody needs the end of the last line, but for TLS that begins behind it.
        let step = self.script.get(self.at).map(|(step, _)| *step);
        let is_last = self.at + 1 == self.script.len() && step.is_some_and(|step| !step.starttls);
        if let (Some(decided), true) = (reader.decided(), is_last) {
            incoming = Incoming::Matches(decided);
        }
        (used, self.judge(incoming))
    }

    /// The server has ended its side.
    pub(super) fn end(&mut self) -> Answer {
        let Some(reader) = &mut self.reader else {
            return closed();
        };
        if reader.heard().is_empty() {
            return closed();
        }
        let incoming = reader.end();
        match self.judge(incoming) {
            Heard::Verdict(answer) => answer,
            Heard::More | Heard::Next => match self.at == self.script.len() {
                true => self.done(),
                false => Answer::down(Reason::Closed, "closed before all was asked"),
            },
        }
    }

    /// The answer so far, its first line.
    pub(super) fn heard(&self) -> String {
        let heard = self.reader.as_ref().map(Reader::heard);
        self.shown(heard.unwrap_or_default())
    }

    /// The first line of an answer, for people. A server may say what it was sent, and what a file has it sent may be a login.
    fn shown(&self, heard: &[u8]) -> String {
        let mut text = first_line(heard);
        for (step, _) in &self.script {
            let Cow::Owned(sent) = &step.send else {
                continue;
            };
            let words = sent.split(u8::is_ascii_whitespace);
            for word in words.filter(|word| word.len() >= LEAST_SECRET) {
                text = text.replace(&first_line(word), "***");
            }
        }
        text
    }

    fn done(&self) -> Answer {
        Answer {
            role: self.role,
            ..Answer::up_because(&self.detail)
        }
    }

    fn judge(&mut self, incoming: Incoming) -> Heard {
        match incoming {
            Incoming::Incomplete => Heard::More,
            Incoming::Matches(place) => self.matched(place),
            Incoming::NoMatch => Heard::Verdict(self.strange()),
            Incoming::TooLong => {
                let text = format!(
                    "nothing that is expected in {ANSWER_MAX} bytes: {}",
                    self.heard()
                );
                Heard::Verdict(Answer::down(Reason::Endless, &text))
            }
        }
    }

    fn matched(&mut self, place: usize) -> Heard {
        let step = self.script.get(self.at).copied();
        let rule = step.and_then(|(step, patterns)| step.rules.get(place).zip(patterns.get(place)));
        let Some((rule, pattern)) = rule else {
            return Heard::Verdict(self.strange());
        };
        let heard = self.reader.as_ref().map(Reader::heard).unwrap_or_default();
        let told = pattern.group("detail", heard).map(|told| self.shown(told));
        let told = told.or_else(|| rule.told.map(str::to_owned));
        self.role = role(rule.means, pattern, heard).or(self.role);
        let detail = told.clone().unwrap_or_else(|| self.shown(heard));
        let answer = match rule.means.says {
            Says::Up => {
                self.detail = told.unwrap_or_default();
                self.next();
                return Heard::Next;
            }
            Says::Alive => Answer::alive(Reason::NotServing, &detail),
            Says::Down => Answer::down(Reason::UnexpectedAnswer, &detail),
        };
        Heard::Verdict(Answer {
            role: self.role,
            ..answer
        })
    }

    fn next(&mut self) {
        self.secures = (self.script.get(self.at)).is_some_and(|(step, _)| step.starttls);
        self.at += 1;
        self.reader = None;
    }

    fn strange(&self) -> Answer {
        let heard = self.reader.as_ref().map(Reader::heard).unwrap_or_default();
        match heard {
            [0x15, 3, ..] => Answer::down(Reason::SpeaksTls, "a TLS alert came back"),
            _ => Answer::down(Reason::UnexpectedAnswer, &self.shown(heard)),
        }
    }
}

/// What the rule says, or the answer itself in a group of that name.
pub(super) fn role(means: Meaning, pattern: &Pattern, heard: &[u8]) -> Option<Role> {
    let word = || pattern.group("role", heard).map(<[u8]>::to_ascii_lowercase);
    means.role.or_else(|| match word()?.as_slice() {
        b"active" | b"leader" | b"master" | b"primary" => Some(Role::Active),
        b"standby" | b"follower" | b"replica" | b"slave" | b"secondary" => Some(Role::Standby),
        _ => None,
    })
}

/// For people; [`Answer`] escapes and cuts it.
pub(super) fn first_line(bytes: &[u8]) -> String {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.escape_ascii().to_string(),
    }
}

/// Shorter words are everybody's.
const LEAST_SECRET: usize = 6;

fn closed() -> Answer {
    Answer::down(Reason::Closed, "closed without an answer")
}

fn frame(end: AnswerEnd) -> Frame {
    match end {
        AnswerEnd::Line => Frame::Line,
        AnswerEnd::Match => Frame::Match,
        AnswerEnd::U16 => Frame::U16,
        AnswerEnd::U32 => Frame::U32,
    }
}

/// What is sent, behind its length where answers have one.
fn framed(step: &Step) -> Cow<'_, [u8]> {
    let send = &*step.send;
    let length = u32::try_from(send.len()).unwrap_or(u32::MAX).to_be_bytes();
    match step.answer {
        AnswerEnd::U16 if !send.is_empty() => Cow::Owned([&length[2..], send].concat()),
        AnswerEnd::U32 if !send.is_empty() => Cow::Owned([&length[..], send].concat()),
        _ => Cow::Borrowed(send),
    }
}

/// As many as a script has at most.
const STEPS: [&str; crate::plan::STEPS_MAX] = [
    "step-1", "step-2", "step-3", "step-4", "step-5", "step-6", "step-7", "step-8", "step-9",
    "step-10", "step-11", "step-12", "step-13", "step-14", "step-15", "step-16",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::health::Verdict;
    use crate::plan::Rule;

    const GREETED: &[Rule] = &[Rule::new("^220 ", Meaning::UP)];
    const ROLE: &[Rule] = &[
        Rule::new(r"^role:(?<role>\w+) (?<detail>.*)$", Meaning::UP),
        Rule::new("^busy", Meaning::ALIVE),
        Rule::new("^\\xff", Meaning::ALIVE).told("asleep"),
    ];
    const BINARY: &[Rule] = &[Rule::new(r"(?s)^\x00\x01(?<detail>.)", Meaning::STANDBY)];
    const STEPS: &[Step] = &[
        Step::lines(b"", GREETED),
        Step::lines(b"role\r\n", ROLE),
        Step::lines(b"bye\r\n", &[]),
    ];

    /// What is sent, and the verdict on what is answered to each, in pieces of that size.
    fn talk(steps: &'static [Step], answers: &[&[u8]], piece: usize) -> (Vec<u8>, Answer) {
        let script = Script::new(steps).unwrap();
        let mut talk = Talk::new(&script);
        let (mut sent, mut inbox) = (Vec::new(), Vec::new());
        let mut answers = answers.iter();
        loop {
            match talk.turn() {
                Turn::Send(bytes) => {
                    sent.extend_from_slice(&bytes);
                    inbox.extend_from_slice(answers.next().copied().unwrap_or_default());
                }
                Turn::Secure => {
                    assert_eq!(inbox, b"", "TLS begins behind the whole answer");
                    sent.extend_from_slice(b"<TLS>");
                }
                Turn::Done(answer) => return (sent, answer),
                Turn::Hear if inbox.is_empty() => return (sent, talk.end()),
                Turn::Hear => {
                    let (used, heard) = talk.feed(&inbox[..piece.min(inbox.len())]);
                    inbox.drain(..used);
                    if let Heard::Verdict(answer) = heard {
                        return (sent, answer);
                    }
                }
            }
        }
    }

    #[test]
    fn steps_follow_each_other_and_the_last_answer_counts() {
        for piece in [1, 2, 7, 100] {
            let (sent, answer) = talk(STEPS, &[b"220 hi\r\n", b"role:master 7 clients\r\n"], piece);
            assert_eq!(sent, b"role\r\nbye\r\n");
            assert_eq!(
                (answer.verdict, answer.role),
                (Verdict::Up, Some(Role::Active))
            );
            assert_eq!(answer.detail, "7 clients");
        }
    }

    #[test]
    fn what_is_alive_or_strange_ends_it_with_the_first_line() {
        for (answers, verdict, reason, detail) in [
            (
                &[&b"220 hi\r\n"[..], b"busy now\r\nx"][..],
                Verdict::Alive,
                Reason::NotServing,
                "busy now",
            ),
            (
                &[b"220 hi\r\n", b"\xff\n"],
                Verdict::Alive,
                Reason::NotServing,
                "asleep",
            ),
            (
                &[b"220 hi\n", b"role: ?\nx"],
                Verdict::Down,
                Reason::UnexpectedAnswer,
                "role: ?",
            ),
            (
                &[b"\xff\xfb\x01"],
                Verdict::Down,
                Reason::UnexpectedAnswer,
                "\\xff\\xfb\\x01",
            ),
            (
                &[b"\x15\x03\x01\0\x02\x02\x46"],
                Verdict::Down,
                Reason::SpeaksTls,
                "a TLS alert came back",
            ),
            (
                &[b""],
                Verdict::Down,
                Reason::Closed,
                "closed without an answer",
            ),
            (
                &[b"220 hi"],
                Verdict::Down,
                Reason::Closed,
                "closed before all was asked",
            ),
        ] {
            let (_, answer) = talk(STEPS, answers, 100);
            assert_eq!(
                (answer.verdict, answer.reason),
                (verdict, reason),
                "{answers:?}"
            );
            assert_eq!(answer.detail, detail);
        }
    }

    #[test]
    fn tls_begins_between_two_steps_and_after_the_last() {
        const SECURED: &[Step] = &[
            Step::lines(b"STARTTLS\r\n", GREETED).starting_tls(),
            Step::lines(b"role\r\n", GREETED).starting_tls(),
        ];
        let (sent, answer) = talk(SECURED, &[b"220 go\r\n", b"220 hi\r\n"], 3);
        assert_eq!(sent, b"STARTTLS\r\n<TLS>role\r\n<TLS>");
        assert_eq!(answer.verdict, Verdict::Up);
        let (sent, _) = talk(SECURED, &[b"220 go ahead\r\n", b"220 begin TLS now\r\n"], 5);
        assert!(sent.ends_with(b"role\r\n<TLS>"), "behind the whole line");
        let (sent, _) = talk(SECURED, &[b"500 no\r\n"], 3);
        assert_eq!(sent, b"STARTTLS\r\n");
    }

    #[test]
    fn lengths_go_before_what_is_sent_and_heard() {
        const FRAMED: &[Step] = &[Step::new(b"\x07", AnswerEnd::U32, BINARY)];
        let (sent, answer) = talk(FRAMED, &[b"\0\0\0\x03\x00\x01\x0a"], 1);
        assert_eq!(sent, b"\0\0\0\x01\x07");
        assert_eq!(
            (answer.verdict, answer.role),
            (Verdict::Up, Some(Role::Standby))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_the_same_verdict_in_any_pieces(
            first in prop::collection::vec(any::<u8>(), 0..64),
            second in "(role:[a-z]{0,6} ?|busy|220 )[a-z \r\n]{0,20}",
            piece in 1_usize..9,
        ) {
            for first in [b"220 x\r\n".to_vec(), first] {
                let answers = [&first[..], second.as_bytes()];
                let (sent, whole) = talk(STEPS, &answers, usize::MAX);
                let (again, pieces) = talk(STEPS, &answers, piece);
                prop_assert_eq!((sent, whole.verdict, whole.reason, whole.role), (again, pieces.verdict, pieces.reason, pieces.role));
                prop_assert!(whole.detail.len() <= crate::health::DETAIL_MAX);
            }
        }
    }
}
