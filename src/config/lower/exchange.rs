//! `steps` → [`Script`].

use std::borrow::Cow;
use std::sync::Arc;

use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::file::{self, Probe};
use crate::plan::{AnswerEnd, Meaning, Rule, STEPS_MAX, Script, Step};

/// What the file says, else what the service brings; `opening` goes before it where the file says `starttls`.
pub(super) fn script(
    words: &Probe,
    brought: &'static [Step],
    opening: &'static [Step],
    cx: &mut Cx,
) -> Arc<Script> {
    let brought = match words.starttls.or(false) {
        true => Cow::Owned([opening, brought].concat()),
        false => Cow::Borrowed(brought),
    };
    let Some(list) = words.steps.get() else {
        if brought.is_empty() && words.steps.is_absent() {
            let what = format!("{} is of type exchange, and has no steps", cx.owner);
            cx.error(
                &words.r#type.span().unwrap_or_else(|| words.span.clone()),
                what,
            )
            .why("what is to be asked?")
            .fix(GOOD_STEPS);
        }
        return compiled(brought);
    };
    let written = list.value.written;
    if written == 0 || written > STEPS_MAX {
        let what = format!("{} has {written} steps", cx.owner);
        cx.error(&list.span, what)
            .why(format!("1 to {STEPS_MAX}"))
            .fix(GOOD_STEPS);
        return compiled(brought);
    }
    let steps = list.value.items.iter().map(|words| step(words, cx));
    compiled(Cow::Owned(steps.collect()))
}

/// The expressions of the file were compiled when they were read, those of services by a test.
fn compiled(steps: Cow<'static, [Step]>) -> Arc<Script> {
    Arc::new(Script::new(steps).unwrap_or_default())
}

fn step(words: &Spot<file::Step>, cx: &mut Cx) -> Step {
    let (span, words) = (&words.span, &words.value);
    let outer = cx.owner.clone();
    cx.owner = format!("a step of {outer}");
    let rules = rules(words);
    if let (Some(hex), Some(_)) = (words.hex.span(), words.send.span()) {
        let what = format!("{} sends text and bytes", cx.owner);
        cx.error(&hex, what)
            .why("which first?")
            .fix("leave one out, or make it a step of its own");
    }
    let says_nothing = [
        words.send.is_absent(),
        words.hex.is_absent(),
        words.expect.is_absent(),
        words.active.is_absent(),
        words.standby.is_absent(),
        words.alive.is_absent(),
    ];
    if says_nothing.iter().all(|absent| *absent) {
        let what = format!("{} neither sends nor expects anything", cx.owner);
        cx.error(span, what).why("what for?").fix(GOOD_STEPS);
    }
    cx.owner = outer;
    let text = words.send.value().map(|text| text.clone().into_bytes());
    let bytes = words.hex.value().map(|hex| hex.0.clone());
    Step {
        send: Cow::Owned(bytes.or(text).unwrap_or_default()),
        answer: words.answer.or(AnswerEnd::Line),
        rules: Cow::Owned(rules),
        number: None,
        starttls: words.starttls.or(false),
    }
}

/// In the order in which they count.
fn rules(words: &file::Step) -> Vec<Rule> {
    let all = [
        (&words.active, Meaning::ACTIVE),
        (&words.standby, Meaning::STANDBY),
        (&words.expect, Meaning::UP),
        (&words.alive, Meaning::ALIVE),
    ];
    let given = all.into_iter().filter_map(|(field, means)| match field {
        Field::Given(spot) => Some(Rule {
            pattern: Cow::Owned(spot.value.0.as_str().to_owned()),
            means,
            told: None,
        }),
        _ => None,
    });
    given.collect()
}

const GOOD_STEPS: &str =
    r#"steps = [{ send = "status\r\n" }, { expect = "^OK", alive = "^STANDBY" }]"#;
