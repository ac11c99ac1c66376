//! GSSAPI for the side that begins (RFC 4121): shows a ticket, judges the answer, wraps and unwraps what follows.

use std::time::SystemTime;

use super::crypto::{Block, Key};
use super::der::{OID, Reader, SEQUENCE, TIME, application, put};
use super::fault::{Malformed, Untrue};
use super::message::{KdcError, key, moment, parts, sealed_part};
use super::request::shown;
use super::ticket::{Moment, Ticket};

/// The mechanism's name, 1.2.840.113554.1.2.2.
pub(super) const KERBEROS: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

/// Why a server's token does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The server cannot read the ticket, or does not believe it.
    #[error("the server refuses the ticket, code {}: {}", .0.code, .0.text)]
    Refused(KdcError),
    /// It is not sealed with the ticket's key.
    #[error("the server does not hold the key of the principal that it was asked as")]
    Untrue(#[from] Untrue),
    /// It answers another question.
    #[error("the server's answer belongs to another question")]
    Other,
    /// It is none.
    #[error("the server's token is not one of Kerberos")]
    Malformed(#[from] Malformed),
}

/// Begun: the server has yet to show who it is.
#[derive(Debug)]
pub struct Begun {
    key: Key,
    now: SystemTime,
    micros: i64,
    sequence: u64,
}

/// Both sides know each other.
#[derive(Debug)]
pub struct Context {
    key: Key,
    /// The key is the server's choice, and each token says so.
    of_server: bool,
    sequence: u64,
}

/// The first token: the ticket, with a demand for an answer.
pub fn begin(ticket: &Ticket, moment: &Moment) -> (Vec<u8>, Begun) {
    // No channel bindings; mutual, replay, sequence, confidentiality, integrity: §4.1.1.
    let mut sum = [0; 24];
    sum[0] = 16;
    sum[20] = 0x02 | 0x04 | 0x08 | 0x10 | 0x20;
    let request = shown(ticket, (0x8003, &sum), AUTHENTICATOR, moment, MUTUAL);
    let oid = put(OID, &[&KERBEROS]);
    let token = put(application(0), &[&oid, &REQUEST, &request]);
    let (now, micros) = parts(moment.now);
    let begun = Begun {
        key: ticket.key.clone(),
        now,
        micros,
        sequence: u64::from(moment.nonce),
    };
    (token, begun)
}

impl Begun {
    /// The server's answer, which proves that it could read the ticket.
    ///
    /// # Errors
    /// Where it does not.
    pub fn answered(self, token: &[u8]) -> Result<Context, Distrust> {
        let (kind, content) = inner(token)?;
        if kind == REFUSAL {
            return Err(Distrust::Refused(KdcError::decode(content)?));
        }
        if kind != REPLY {
            return Err(Malformed.into());
        }
        let (_, sealed) = read_reply(content)?;
        let plain = self.key.decrypt(REPLY_PART, sealed)?;
        let (now, micros, subkey) = read_part(&plain)?;
        if (now, micros) != (self.now, self.micros) {
            return Err(Distrust::Other);
        }
        Ok(Context {
            of_server: subkey.is_some(),
            key: subkey.unwrap_or(self.key),
            sequence: self.sequence,
        })
    }
}

impl Context {
    /// A token around `data`: signed, or sealed with something new and random.
    pub fn wrap(&mut self, data: &[u8], seal: Option<Block>) -> Vec<u8> {
        let flags = if self.of_server { OF_SERVER_KEY } else { 0 };
        let sequence = self.sequence;
        self.sequence += 1;
        match seal {
            Some(random) => {
                let header = header(flags | SEALED, 0, sequence);
                let plain = [data, &header].concat();
                let sealed = self.key.encrypt(FROM_CLIENT, &plain, random);
                [&header[..], &sealed].concat()
            }
            None => {
                let sum = self
                    .key
                    .checksum(FROM_CLIENT, &[data, &header(flags, 0, sequence)]);
                let length = u16::try_from(sum.len()).unwrap_or(0);
                [&header(flags, length, sequence)[..], data, &sum].concat()
            }
        }
    }

    /// What the server wrapped.
    ///
    /// # Errors
    /// Where it was not the server.
    pub fn unwrap(&self, token: &[u8]) -> Result<Vec<u8>, Distrust> {
        let (header, body) = token.split_first_chunk::<16>().ok_or(Malformed)?;
        let [5, 4, flags, 0xff, extra @ .., _, _, _, _, _, _, _, _] = header else {
            return Err(Malformed.into());
        };
        let [a, b, c, d] = *extra;
        let (extra, turned) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        if flags & FROM_SERVER_FLAG == 0 {
            return Err(Malformed.into());
        }
        let mut body = body.to_vec();
        let turn = usize::from(turned).checked_rem(body.len()).unwrap_or(0);
        body.rotate_left(turn);
        let mut plain_header = *header;
        plain_header[6..8].fill(0);
        if flags & SEALED != 0 {
            let mut plain = self.key.decrypt(FROM_SERVER, &body)?;
            let extra = 16 + usize::from(extra);
            let length = plain.len().checked_sub(extra).ok_or(Malformed)?;
            if plain[plain.len() - 16..] != plain_header {
                return Err(Malformed.into());
            }
            plain.truncate(length);
            return Ok(plain.to_vec());
        }
        plain_header[4..6].fill(0);
        if usize::from(extra) != self.key.mac_length() {
            return Err(Malformed.into());
        }
        let length = body
            .len()
            .checked_sub(usize::from(extra))
            .ok_or(Malformed)?;
        let (data, sum) = body.split_at(length);
        self.key.verify(FROM_SERVER, &[data, &plain_header], sum)?;
        Ok(data.to_vec())
    }
}

/// §4.2.6.2.
fn header(flags: u8, extra: u16, sequence: u64) -> Block {
    let mut header = [0; 16];
    header[..4].copy_from_slice(&[5, 4, flags, 0xff]);
    header[4..6].copy_from_slice(&extra.to_be_bytes());
    header[8..].copy_from_slice(&sequence.to_be_bytes());
    header
}

/// A token of the handshake: its kind, and its content.
fn inner(token: &[u8]) -> Result<([u8; 2], &[u8]), Malformed> {
    let mut token = Reader::new(token).take(application(0))?;
    if token.take(OID)?.bytes() != KERBEROS {
        return Err(Malformed);
    }
    let (kind, content) = token.bytes().split_first_chunk().ok_or(Malformed)?;
    Ok((*kind, content))
}

/// AP-REP, RFC 4120 §5.5.2.
fn read_reply(content: &[u8]) -> Result<(i32, &[u8]), Malformed> {
    let mut reply = Reader::new(content).take(application(15))?.take(SEQUENCE)?;
    reply.integer(0)?;
    reply.integer(1)?;
    sealed_part(&mut reply, 2)
}

fn read_part(plain: &[u8]) -> Result<(SystemTime, i64, Option<Key>), Malformed> {
    let mut part = Reader::new(plain).take(application(27))?.take(SEQUENCE)?;
    let now = moment(part.field(0, TIME)?)?;
    let micros = part.integer(1)?;
    let subkey = part.option(2, SEQUENCE)?.map(key).transpose()?;
    Ok((now, micros, subkey))
}

pub(super) fn read_anything(bytes: &[u8]) {
    if let Ok((_, content)) = inner(bytes) {
        let _ = read_reply(content);
    }
    let _ = read_part(bytes);
    let key = Key::new(17, &[7; 16]);
    let context = key.map(|key| Context {
        key,
        of_server: false,
        sequence: 0,
    });
    let _ = context.map(|context| context.unwrap(bytes));
}

const REQUEST: [u8; 2] = [1, 0];
const REPLY: [u8; 2] = [2, 0];
const REFUSAL: [u8; 2] = [3, 0];
/// The bit of AP-OPTIONS that demands an answer.
const MUTUAL: u8 = 0x20;

const FROM_SERVER_FLAG: u8 = 1;
const SEALED: u8 = 2;
const OF_SERVER_KEY: u8 = 4;

/// What a key is used for: RFC 4120 §7.5.1, RFC 4121 §2.
const AUTHENTICATOR: u32 = 11;
const REPLY_PART: u32 = 12;
const FROM_SERVER: u32 = 22;
const FROM_CLIENT: u32 = 24;
