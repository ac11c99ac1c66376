//! A message as its receiver wants it: what each of the known ones takes, and templates of the operator.
//!
//! Parts of a text may come from a server that is ill (a probe's detail), so what a chat would take for a command is made
//! harmless.

use serde_json::json;

use super::message::{Message, Status};
use crate::plan::{AlertForm, AlertTemplate, Severity};

/// Content type and body.
pub(super) fn render(form: &AlertForm, message: &Message) -> (String, String) {
    let json = || "application/json".to_owned();
    match form {
        AlertForm::Known(AlertTemplate::Json) => {
            // Names, numbers and texts: nothing that could fail.
            (json(), serde_json::to_string(message).unwrap_or_default())
        }
        AlertForm::Known(AlertTemplate::Slack) => (json(), slack(message)),
        AlertForm::Known(AlertTemplate::Mattermost) => (json(), mattermost(message)),
        AlertForm::Known(AlertTemplate::Teams) => (json(), teams(message)),
        AlertForm::Own { text, content_type } => {
            let escaped = content_type.contains("json");
            (content_type.clone(), fill(text, message, escaped))
        }
    }
}

/// Slack's mrkdwn has three characters with a meaning, and `<!channel>` in angle brackets.
fn slack(message: &Message) -> String {
    let plain = |text: &str| {
        let text = unlinked(text).replace('&', "&amp;").replace('<', "&lt;");
        text.replace('>', "&gt;")
    };
    let (title, text) = (plain(&message.title), plain(&message.text));
    let text = match message.alerts.len() {
        1 => format!("{} *{title}*", mark(message)),
        _ => format!("{} *{title}*\n{text}", mark(message)),
    };
    json!({ "text": format!("{text}\n_{}_", plain(&message.howdah)) }).to_string()
}

/// `@channel` would wake everybody.
fn mattermost(message: &Message) -> String {
    let plain = |text: &str| literal(text).replace('@', "@\u{200b}");
    let mut text = format!("{} **{}**", mark(message), plain(&message.title));
    if message.alerts.len() > 1 {
        for line in message.text.lines() {
            text.push_str(&format!("\n- {}", plain(line)));
        }
    }
    text.push_str(&format!("\n_{}_", plain(&message.howdah)));
    json!({ "username": "howdah", "text": text }).to_string()
}

/// An adaptive card, as the workflows of Teams take it.
fn teams(message: &Message) -> String {
    let colour = match (message.status, message.severity) {
        (Status::Resolved, _) => "Good",
        (Status::Firing, Severity::Error) => "Attention",
        (Status::Firing, _) => "Warning",
        (Status::Event, _) => "Default",
    };
    let block = |text: &str| json!({ "type": "TextBlock", "wrap": true, "text": literal(text) });
    let mut body = vec![json!({
        "type": "TextBlock", "wrap": true, "weight": "Bolder", "color": colour,
        "text": format!("{} {}", mark(message), literal(&message.title)),
    })];
    if message.alerts.len() > 1 {
        body.extend(message.text.lines().map(block));
    }
    body.push(json!({
        "type": "TextBlock", "isSubtle": true, "size": "Small", "text": literal(&message.howdah),
    }));
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.4", "body": body,
    });
    let kind = "application/vnd.microsoft.card.adaptive";
    json!({ "type": "message", "attachments": [{ "contentType": kind, "content": card }] })
        .to_string()
}

/// What Markdown would take for a link, an image or emphasis is shown as it stands.
fn literal(text: &str) -> String {
    let text = unlinked(text);
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if "\\[]()!*_`<>".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// Chats make links of addresses that stand in a text; behind these nobody knows what lies.
fn unlinked(text: &str) -> String {
    text.replace("://", ":\u{200b}//")
}

fn mark(message: &Message) -> &'static str {
    match message.status {
        Status::Firing => "\u{1f534}",
        Status::Resolved => "\u{1f7e2}",
        Status::Event => "\u{1f535}",
    }
}

/// Braces around anything else stay as they are: JSON is full of them.
fn fill(template: &str, message: &Message, escaped: bool) -> String {
    let mut out = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let name = rest[1..].split_once('}').map(|(name, _)| name);
        match name.and_then(|name| Some((name, value(name, message)?))) {
            Some((name, value)) => {
                out.push_str(&if escaped { inside_json(&value) } else { value });
                rest = &rest[name.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn value(name: &str, message: &Message) -> Option<String> {
    Some(match name {
        "alert" => message.alert.clone(),
        "howdah" => message.howdah.clone(),
        "at" => message.at.clone(),
        "status" => message.status.to_string(),
        "severity" => message.severity.to_string(),
        "title" => message.title.clone(),
        "text" => message.text.clone(),
        "open" => message.open.to_string(),
        "more" => message.more.to_string(),
        _ => return None,
    })
}

/// Without the quotes, which stand in the template.
fn inside_json(value: &str) -> String {
    let quoted = json!(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::message::Entry;
    use crate::plan::Kind;
    use crate::telemetry::journal::Event;

    fn message(count: usize) -> Message {
        let event = Event::warning(Kind::Health, "down: <!channel> & \"@all\"");
        let event = event.pool("hive").server("hs2-1");
        let entries = (0..count).map(|_| Entry::new(&event, Status::Firing, 1, None));
        Message::new("ops", entries.collect(), count)
    }

    fn shown(form: AlertForm, count: usize) -> serde_json::Value {
        let (kind, body) = render(&form, &message(count));
        assert_eq!(kind, "application/json");
        serde_json::from_str(&body).expect("JSON")
    }

    #[test]
    fn what_a_chat_would_obey_is_made_harmless() {
        let slack = shown(AlertForm::Known(AlertTemplate::Slack), 1);
        let text = slack["text"].as_str().expect("text");
        assert!(
            text.contains("down: &lt;!channel&gt; &amp; \"@all\""),
            "{text}"
        );
        let mattermost = shown(AlertForm::Known(AlertTemplate::Mattermost), 2);
        let text = mattermost["text"].as_str().expect("text");
        assert!(
            !text.contains("@all") && text.lines().count() == 4,
            "{text}"
        );
    }

    #[test]
    fn a_server_makes_no_link_and_no_image_by_what_it_says() {
        let said = "![x](http://evil/) [here](https://evil/) <http://evil/> *b* _i_ `c` \\";
        let event = Event::warning(Kind::Health, said).pool("hive").server("a");
        for (template, at) in [
            (AlertTemplate::Mattermost, "/text"),
            (AlertTemplate::Teams, "/attachments/0/content/body/0/text"),
            (AlertTemplate::Slack, "/text"),
        ] {
            let entry = Entry::new(&event, Status::Firing, 1, None);
            let message = Message::new("ops", vec![entry], 1);
            let (_, body) = render(&AlertForm::Known(template), &message);
            let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            let text = body.pointer(at).and_then(|text| text.as_str());
            let text = text.expect("a text");
            assert!(!text.contains("://") && !text.contains(" <"), "{text}");
            if template != AlertTemplate::Slack {
                let shown = r"\!\[x\]\(http:";
                assert!(text.contains(shown), "{text}");
                assert!(text.contains(r"\*b\* \_i\_ \`c\` \\"), "{text}");
            }
        }
    }

    #[test]
    fn a_card_has_a_block_for_each_line() {
        let teams = shown(AlertForm::Known(AlertTemplate::Teams), 2);
        let card = &teams["attachments"][0]["content"];
        assert_eq!(card["type"], "AdaptiveCard");
        assert_eq!(card["body"].as_array().expect("blocks").len(), 4);
    }

    #[test]
    fn json_has_everything() {
        let json = shown(AlertForm::Known(AlertTemplate::Json), 1);
        assert_eq!(
            (&json["status"], &json["severity"]),
            (&"firing".into(), &"warning".into())
        );
        assert_eq!(json["alerts"][0]["server"], "hs2-1");
        assert_eq!(json["alerts"][0]["kind"], "health");
    }

    #[test]
    fn a_template_of_ones_own_is_filled_in() {
        let own = |text: &str, kind: &str| AlertForm::Own {
            text: text.to_owned(),
            content_type: kind.to_owned(),
        };
        let form = own(
            r#"{"a": {"b": "{title}"}, "c": "{status}", "d": "{other}"}"#,
            "application/json",
        );
        let filled = shown(form, 1);
        assert_eq!(filled["a"]["b"], "hive/hs2-1: down: <!channel> & \"@all\"");
        assert_eq!(
            (&filled["c"], &filled["d"]),
            (&"firing".into(), &"{other}".into())
        );
        let (kind, body) = render(&own("{severity} {open} {", "text/plain"), &message(1));
        assert_eq!(
            (kind.as_str(), body.as_str()),
            ("text/plain", "warning 1 {")
        );
    }
}
