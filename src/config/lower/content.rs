//! `body` and `json` of an HTTP question: what its answer's content means.

use std::borrow::Cow;

use crate::base::pattern::Pattern;
use crate::base::pointer;
use crate::config::cx::Cx;
use crate::config::expressions::{Expression, Scalar};
use crate::config::field::Field;
use crate::config::file::{Body, Json, Probe};
use crate::config::words::Many;
use crate::plan::{HttpAsk, JsonAsk, Meaning};

/// Expressions for the body, in the order in which they count.
type Rules = Vec<(Pattern, Meaning)>;

/// What the file says, else what the service brings.
pub(super) fn lower(words: &Probe, brought: &HttpAsk, cx: &mut Cx) -> (Rules, Option<JsonAsk>) {
    if let (Some(_), Some(span)) = (words.body.span(), words.json.span()) {
        let what = format!("{} judges the body as text and as JSON", cx.owner);
        cx.error(&span, what)
            .why("which one?")
            .fix("leave body or json out");
    }
    let head = words.method.value().is_some_and(|method| method == "HEAD");
    let content = words.body.span().or_else(|| words.json.span());
    if let Some(span) = content.filter(|_| head) {
        let what = format!("{} asks by HEAD, whose answers have no body", cx.owner);
        cx.error(&span, what)
            .why("never there")
            .fix("leave method out: GET is the default");
    }
    match (words.body.value(), words.json.value()) {
        (Some(body), _) => (rules(body, cx), None),
        (None, Some(json)) => (Vec::new(), Some(value(json, cx))),
        (None, None) => (brought.body.clone(), brought.json.clone()),
    }
}

fn rules(words: &Body, cx: &mut Cx) -> Rules {
    let all = [
        (&words.active, Meaning::ACTIVE),
        (&words.standby, Meaning::STANDBY),
        (&words.up, Meaning::UP),
        (&words.alive, Meaning::ALIVE),
    ];
    if all.iter().all(|(field, _)| field.is_absent()) {
        let what = format!("body of {} expects nothing", cx.owner);
        cx.error(&words.span, what)
            .why("it is empty")
            .fix("body = { up = \"^ok\", alive = \"standby\" }");
    }
    let of = |(field, means): (&Field<Expression>, Meaning)| {
        field
            .value()
            .map(|expression| (expression.0.clone(), means))
    };
    all.into_iter().filter_map(of).collect()
}

fn value(words: &Json, cx: &mut Cx) -> JsonAsk {
    if words.pointer.is_absent() {
        let what = format!("json of {} names no value", cx.owner);
        cx.error(&words.span, what)
            .why("pointer is missing")
            .fix("add pointer = \"/cluster/haState\"");
    }
    if let Some(spot) = words.pointer.get()
        && let Err(why) = pointer::judge(&spot.value)
    {
        let what = format!("json of {} has no pointer in {:?}", cx.owner, spot.value);
        cx.error(&spot.span, what)
            .why(why)
            .fix("names and places, each behind a slash: \"/beans/0/State\"");
    }
    let all = [
        (&words.active, Meaning::ACTIVE),
        (&words.standby, Meaning::STANDBY),
        (&words.up, Meaning::UP),
        (&words.alive, Meaning::ALIVE),
    ];
    if all.iter().all(|(field, _)| field.is_absent()) {
        let what = format!("json of {} expects no value", cx.owner);
        cx.error(&words.span, what)
            .why("any would be down")
            .fix("add up = [\"ACTIVE\"]");
    }
    JsonAsk {
        pointer: Cow::Owned(words.pointer.or(String::new())),
        values: all.into_iter().flat_map(values).collect(),
    }
}

fn values((field, means): (&Field<Many<Scalar>>, Meaning)) -> Vec<(Cow<'static, str>, Meaning)> {
    let list = field.value().map(|list| list.0.as_slice());
    let texts = list.unwrap_or_default().iter();
    texts
        .map(|spot| (Cow::Owned(spot.value.0.clone()), means))
        .collect()
}
