//! Server-sent events, read from a body as it comes (HTML Standard §9.2.6).

use std::io::{BufRead, Read};

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// A number of howdah's; a message without data brings one too.
    pub(super) id: Option<u64>,
    pub(super) event: String,
    pub(super) data: String,
}

/// The messages of a body, to its end or its first error.
pub(super) struct Messages<R>(R);

impl<R: BufRead> Messages<R> {
    pub(super) fn of(body: R) -> Self {
        Self(body)
    }
}

impl<R: BufRead> Iterator for Messages<R> {
    type Item = Message;

    /// Comments alone make no message; a message that breaks off is none.
    fn next(&mut self) -> Option<Message> {
        let mut message = Message::default();
        loop {
            let mut line = String::new();
            let read = Read::take(&mut self.0, LINE_MAX).read_line(&mut line);
            if !matches!(read, Ok(1..)) || !line.ends_with('\n') {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                match message == Message::default() {
                    true => continue,
                    false => return Some(message),
                }
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => message.id = value.parse().ok(),
                "event" => value.clone_into(&mut message.event),
                "data" if message.data.is_empty() => value.clone_into(&mut message.data),
                "data" => message.data += &format!("\n{value}"),
                _ => {}
            }
        }
    }
}

/// A pool of thousands of servers is a line.
const LINE_MAX: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_come() {
        let body = "retry: 1000\nid: 6\n\n:\n\nid: 7\nevent: event\ndata: {\"seq\":7}\n\nevent: gone\r\ndata: a\r\ndata: b\r\n\r\ndata: broken off";
        let messages: Vec<_> = Messages::of(body.as_bytes()).collect();
        let message = |id, event: &str, data: &str| Message {
            id,
            event: event.to_owned(),
            data: data.to_owned(),
        };
        let expected = [
            message(Some(6), "", ""),
            message(Some(7), "event", "{\"seq\":7}"),
            message(None, "gone", "a\nb"),
        ];
        assert_eq!(messages, expected);
    }
}
