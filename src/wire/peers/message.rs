//! Messages: a class, a type, and data where the type says so.

use super::{DATA_MAX, Definition, Key, Malformed, Sent, Update, take_number};

/// What one side says, after hello and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Class 0.
    Control(Control),
    /// Class 1: the other side is about to close, as something was malformed.
    Fault {
        /// Whether a message was too long for it.
        too_long: bool,
    },
    /// The table that is spoken of from here on.
    Define(Definition),
    /// The table that is spoken of from here on; it was defined before.
    Switch(u64),
    /// An entry.
    Update(Update<'a>),
    /// The receiver's word on the sender's updates: it has all up to this one.
    Ack {
        /// The sender's number of the table.
        table: u64,
        /// The last update.
        number: u32,
    },
    /// One of a newer protocol, to be passed over.
    Unknown,
}

/// Messages without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Tell all that you know.
    ResyncRequest,
    /// That was all, and I know all.
    ResyncFinished,
    /// That was all that I know, and others may know more.
    ResyncPartial,
    /// Heard; go on with what is new.
    ResyncConfirm,
    /// I live.
    Heartbeat,
}

impl<'a> Message<'a> {
    /// The first message and its length; `None` as long as it is incomplete.
    ///
    /// # Errors
    /// [`Malformed`], after which nothing can be read from this connection.
    pub fn decode(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let [class, kind, rest @ ..] = bytes else {
            return Ok(None);
        };
        if *kind & WITH_DATA == 0 {
            return Self::bare(*class, *kind).map(|message| Some((message, 2)));
        }
        let mut rest = rest;
        let Some(length) = take_number(&mut rest)? else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > DATA_MAX {
            return Err(Malformed::TooLong);
        }
        let Some((data, after)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        let message = Self::with_data(*class, *kind, data)?;
        Ok(Some((message, bytes.len() - after.len())))
    }

    fn bare(class: u8, kind: u8) -> Result<Self, Malformed> {
        Ok(match (class, kind) {
            (CONTROL, kind) => Control::of(kind).map_or(Message::Unknown, Message::Control),
            (FAULT, kind) => Message::Fault {
                too_long: kind == 1,
            },
            (RESERVED, _) => return Err(Malformed::Reserved),
            _ => Message::Unknown,
        })
    }

    fn with_data(class: u8, kind: u8, mut data: &'a [u8]) -> Result<Self, Malformed> {
        if class == RESERVED {
            return Err(Malformed::Reserved);
        }
        if class != STICK_TABLE {
            return Ok(Message::Unknown);
        }
        Ok(match kind {
            UPDATE => Message::Update(Update::read(data, true, false)?),
            NEXT => Message::Update(Update::read(data, false, false)?),
            TIMED_UPDATE => Message::Update(Update::read(data, true, true)?),
            TIMED_NEXT => Message::Update(Update::read(data, false, true)?),
            DEFINE => Message::Define(Definition::read(data)?),
            SWITCH => Message::Switch(take_number(&mut data)?.ok_or(Malformed::Definition)?),
            ACK => {
                let table = take_number(&mut data)?.ok_or(Malformed::Update)?;
                let number = data.first_chunk().ok_or(Malformed::Update)?;
                Message::Ack {
                    table,
                    number: u32::from_be_bytes(*number),
                }
            }
            _ => Message::Unknown,
        })
    }
}

/// Appends a message without data.
pub fn put_control(out: &mut Vec<u8>, control: Control) {
    out.extend([CONTROL, control.code()]);
}

/// Appends the word before a close: something was malformed.
pub fn put_fault(out: &mut Vec<u8>, malformed: Malformed) {
    out.extend([FAULT, u8::from(malformed == Malformed::TooLong)]);
}

/// Appends a definition.
pub fn put_definition(out: &mut Vec<u8>, table: &Definition) {
    put_data(out, DEFINE, |out| table.put(out));
}

/// Appends a switch to a table that was defined before.
pub fn put_switch(out: &mut Vec<u8>, table: u64) {
    put_data(out, SWITCH, |out| super::put_number(out, table));
}

/// Appends an acknowledgement, by the sender's own number of the table.
pub fn put_ack(out: &mut Vec<u8>, table: u64, number: u32) {
    put_data(out, ACK, |out| {
        super::put_number(out, table);
        out.extend(number.to_be_bytes());
    });
}

/// Appends an entry of the table that was last defined or switched to.
pub fn put_update(
    out: &mut Vec<u8>,
    number: Option<u32>,
    remaining: Option<u32>,
    entry: (Key<'_>, &str),
    dictionary: &mut Sent,
) {
    let kind = match (number, remaining) {
        (Some(_), None) => UPDATE,
        (None, None) => NEXT,
        (Some(_), Some(_)) => TIMED_UPDATE,
        (None, Some(_)) => TIMED_NEXT,
    };
    put_data(out, kind, |out| {
        Update::put(out, number, remaining, entry, dictionary);
    });
}

fn put_data(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let mut data = Vec::with_capacity(48);
    write(&mut data);
    out.extend([STICK_TABLE, kind]);
    super::put_number(out, data.len() as u64);
    out.extend(data);
}

impl Control {
    fn code(self) -> u8 {
        match self {
            Self::ResyncRequest => 0,
            Self::ResyncFinished => 1,
            Self::ResyncPartial => 2,
            Self::ResyncConfirm => 3,
            Self::Heartbeat => 4,
        }
    }

    fn of(code: u8) -> Option<Self> {
        let all = [
            Self::ResyncRequest,
            Self::ResyncFinished,
            Self::ResyncPartial,
            Self::ResyncConfirm,
            Self::Heartbeat,
        ];
        all.into_iter().find(|control| control.code() == code)
    }
}

const CONTROL: u8 = 0;
const FAULT: u8 = 1;
const STICK_TABLE: u8 = 10;
const RESERVED: u8 = 255;

/// Types from here on have data.
const WITH_DATA: u8 = 0x80;
const UPDATE: u8 = 0x80;
const NEXT: u8 = 0x81;
const DEFINE: u8 = 0x82;
const SWITCH: u8 = 0x83;
const ACK: u8 = 0x84;
const TIMED_UPDATE: u8 = 0x85;
const TIMED_NEXT: u8 = 0x86;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::peers::{KeyKind, Received};

    #[test]
    fn each_message_comes_back_and_is_nothing_before_its_last_byte() {
        let (mut out, mut dictionary) = (Vec::new(), Sent::default());
        let mut ends = vec![0];
        let table = Definition::new(3, "hive", KeyKind::Ipv4, 60_000);
        let key = Key::Ip([10, 1, 2, 3].into());
        let mut write = |put: &mut dyn FnMut(&mut Vec<u8>)| {
            put(&mut out);
            ends.push(out.len());
        };
        write(&mut |out| put_control(out, Control::ResyncRequest));
        write(&mut |out| put_definition(out, &table));
        write(&mut |out| put_update(out, Some(7), Some(50_000), (key, "a"), &mut dictionary));
        write(&mut |out| put_update(out, None, None, (key, "a"), &mut dictionary));
        write(&mut |out| put_switch(out, 3));
        write(&mut |out| put_ack(out, 300, 7));
        write(&mut |out| put_fault(out, Malformed::TooLong));
        write(&mut |out| put_fault(out, Malformed::Reserved));
        let mut told = Vec::new();
        for pair in ends.windows(2) {
            let bytes = &out[pair[0]..];
            let length = pair[1] - pair[0];
            let (message, taken) = Message::decode(bytes).expect("good").expect("whole");
            assert_eq!(taken, length);
            for end in 0..length {
                assert_eq!(Message::decode(&bytes[..end]), Ok(None));
            }
            told.push(message);
        }
        assert_eq!(told[0], Message::Control(Control::ResyncRequest));
        assert_eq!(told[1], Message::Define(table.clone()));
        let mut dictionary = Received::default();
        for message in &told[2..4] {
            let Message::Update(update) = message else {
                panic!("{message:?}");
            };
            let entry = update.entry(&table, &mut dictionary).expect("whole");
            assert_eq!((entry.key, entry.server.as_deref()), (key, Some("a")));
        }
        assert_eq!(told[4], Message::Switch(3));
        let ack = Message::Ack {
            table: 300,
            number: 7,
        };
        let [too_long, other] = [true, false].map(|too_long| Message::Fault { too_long });
        assert_eq!(told[5..], [ack, too_long, other]);
    }

    #[test]
    fn a_newer_protocol_is_passed_over_and_a_reserved_class_is_not() {
        assert_eq!(Message::decode(&[0, 9]), Ok(Some((Message::Unknown, 2))));
        assert_eq!(
            Message::decode(&[77, 0x90, 1, 0]),
            Ok(Some((Message::Unknown, 4)))
        );
        assert_eq!(
            Message::decode(&[10, 0xf0, 0]),
            Ok(Some((Message::Unknown, 3)))
        );
        assert_eq!(Message::decode(&[255, 0]), Err(Malformed::Reserved));
        assert_eq!(Message::decode(&[255, 0x80, 0]), Err(Malformed::Reserved));
        let long = [10, 0x80, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Message::decode(&long), Err(Malformed::TooLong));
    }
}
