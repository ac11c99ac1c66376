//! Questions that are data: bytes to send, and what the answers mean.
//!
//! All of it can be a constant, so that a service's profile holds its steps; what the file says is the same, owned. A
//! [`Script`] is steps whose expressions are compiled: valid by construction, and shared by all servers of a pool.

use std::borrow::Cow;

use super::Role;
use crate::base::pattern::Pattern;
use crate::base::word::words;

/// What an answer says of new sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Route to it; between steps: go on.
    Up,
    /// It lives, and must not get them.
    Alive,
    /// It is not well.
    Down,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// For new sessions.
    pub says: Says,
    /// The role that the server claims by it.
    pub role: Option<Role>,
}

/// An expression, and what an answer means that matches it. Its groups `role` and `detail` are read from the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// In the syntax of [`Pattern`].
    pub pattern: Cow<'static, str>,
    /// What it means.
    pub means: Meaning,
    /// What people are told of an exchange that ends here, where no group says it: for answers that are no text.
    pub told: Option<&'static str>,
}

words! {
    /// How an answer ends.
    pub enum AnswerEnd {
        /// With the line that decides.
        Line = "line",
        /// With the byte that decides: prompts, and protocols without lines.
        Match = "match",
        /// Two bytes before it, big end first, say how long it is; before what is sent, too.
        U16 = "u16",
        /// The same with four.
        U32 = "u32",
    }
}

/// Something to send, something to hear, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// As it goes out, behind a length where the answer has one; empty: nothing is sent.
    pub send: Cow<'static, [u8]>,
    /// How the answer ends.
    pub answer: AnswerEnd,
    /// The first that matches counts; what matches none is down. Empty: no answer is waited for.
    pub rules: Cow<'static, [Rule]>,
    /// What an answer repeats that is meant for this question, over UDP; anything else that comes is passed over.
    pub number: Option<Number>,
    /// TLS begins on the connection when the answer is up: STARTTLS.
    pub starttls: bool,
}

/// Bytes of a question that are drawn anew each time over UDP, and where its answer has them. Rules see those of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Of the first byte in the question.
    pub at: usize,
    /// Of the first byte in the answer.
    pub echo: usize,
    /// 1 to 8.
    pub length: usize,
}

/// Steps with their expressions compiled.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: Cow<'static, [Step]>,
    patterns: Vec<Vec<Pattern>>,
}

impl Meaning {
    /// Well.
    pub const UP: Self = Self::of(Says::Up, None);
    /// Well, and the one of its group that serves.
    pub const ACTIVE: Self = Self::of(Says::Up, Some(Role::Active));
    /// Well, and waiting to take over.
    pub const STANDBY: Self = Self::of(Says::Up, Some(Role::Standby));
    /// There, and not for new sessions.
    pub const ALIVE: Self = Self::of(Says::Alive, None);
    /// Ill.
    pub const DOWN: Self = Self::of(Says::Down, None);

    const fn of(says: Says, role: Option<Role>) -> Self {
        Self { says, role }
    }
}

impl Rule {
    /// For constants.
    pub const fn new(pattern: &'static str, means: Meaning) -> Self {
        Self {
            pattern: Cow::Borrowed(pattern),
            means,
            told: None,
        }
    }

    /// With what people are told.
    pub const fn told(mut self, text: &'static str) -> Self {
        self.told = Some(text);
        self
    }
}

impl Step {
    /// For constants: text of lines.
    pub const fn lines(send: &'static [u8], rules: &'static [Rule]) -> Self {
        Self::new(send, AnswerEnd::Line, rules)
    }

    /// For constants.
    pub const fn new(send: &'static [u8], answer: AnswerEnd, rules: &'static [Rule]) -> Self {
        Self {
            send: Cow::Borrowed(send),
            answer,
            rules: Cow::Borrowed(rules),
            number: None,
            starttls: false,
        }
    }

    /// TLS begins with its answer.
    pub const fn starting_tls(mut self) -> Self {
        self.starttls = true;
        self
    }

    /// With a number that an answer repeats.
    pub const fn numbered(mut self, number: Number) -> Self {
        self.number = Some(number);
        self
    }
}

impl Script {
    /// Compiles the expressions of `steps`.
    ///
    /// # Errors
    /// The first expression that is none, and why.
    pub fn new(steps: impl Into<Cow<'static, [Step]>>) -> Result<Self, String> {
        let steps = steps.into();
        let patterns = steps.iter().map(|step| compiled(&step.rules));
        let patterns = patterns.collect::<Result<_, _>>()?;
        Ok(Self { steps, patterns })
    }

    /// Whether it begins TLS on its way.
    pub fn starts_tls(&self) -> bool {
        self.steps.iter().any(|step| step.starttls)
    }

    /// Each step with the expressions of its rules.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = (&Step, &[Pattern])> {
        let patterns = self.patterns.iter().map(Vec::as_slice);
        self.steps.iter().zip(patterns)
    }
}

fn compiled(rules: &[Rule]) -> Result<Vec<Pattern>, String> {
    let compile = |rule: &Rule| {
        let why = |why| format!("{:?}: {why}", rule.pattern);
        Pattern::new(rule.pattern.clone()).map_err(why)
    };
    rules.iter().map(compile).collect()
}

impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
    }
}

impl Eq for Script {}

/// Most steps of a script.
pub const STEPS_MAX: usize = 16;
