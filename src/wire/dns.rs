//! The question for a name's SRV records, and the answer to it (RFC 1035 §4, RFC 2782).
//!
//! Only what follows from the question counts: records of its name, or of the name that CNAMEs lead to. Authority and
//! additional records are not read, as the addresses of the servers that are found are looked up like any others.

use std::collections::HashMap;

/// One server of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones are used first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
    /// Where it listens; 0 is no port.
    pub port: u16,
    /// In lower case, without the dot at its end; empty where the service is decidedly not to be had. What cannot stand in
    /// a host name is escaped, so that it is none.
    pub target: String,
}

/// What a name server said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Cut for want of room: ask again over TCP. Nothing else of it counts.
    pub truncated: bool,
    /// 0 good, 3 no such name, others are failures.
    pub code: u8,
    /// In the order of the answer.
    pub records: Vec<Srv>,
    /// The shortest of all records that led here, in seconds.
    pub ttl: Option<u32>,
}

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// To another question, or to none.
    #[error("it answers another question")]
    NotOurs,
    /// It ends early, or breaks the rules of the format.
    #[error("it is damaged")]
    Malformed,
}

/// Asks for the SRV records of `name`, which has no label beyond 63 bytes; what is beyond is cut.
pub fn question(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 18);
    bytes.extend_from_slice(&id.to_be_bytes());
    // RD; one question.
    bytes.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(labels(name));
    bytes.extend_from_slice(&[0, SRV as u8, 0, IN as u8]);
    bytes
}

/// What `bytes` answer to that question.
///
/// # Errors
/// Where they do not.
pub fn answer(bytes: &[u8], id: u16, name: &str) -> Result<Answer, DnsError> {
    let mut message = Reader { bytes, at: 0 };
    let own = message.word()?;
    let flags = message.word()?;
    let counts = [message.word()?, message.word()?];
    message.skip(4)?;
    let is_answer = flags >> 15 == 1 && flags >> 11 & 0xf == 0;
    if own != id || !is_answer || counts[0] != 1 {
        return Err(DnsError::NotOurs);
    }
    let asked = labels(name);
    if message.name()? != asked || (message.word()?, message.word()?) != (SRV, IN) {
        return Err(DnsError::NotOurs);
    }
    let mut answer = Answer {
        truncated: flags >> 9 & 1 == 1,
        code: (flags & 0xf) as u8,
        ..Answer::default()
    };
    if !answer.truncated {
        let records = message.records(counts[1])?;
        records.follow(asked, &mut answer);
    }
    Ok(answer)
}

/// A name as it stands in a message, in lower case, with the empty label at its end.
type Labels = Vec<u8>;

fn labels(name: &str) -> Labels {
    let mut labels = Labels::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(LABEL_MAX)];
        labels.push(label.len() as u8);
        labels.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    labels.push(0);
    labels
}

/// Records of the answer by their owner, with their TTL.
#[derive(Default)]
struct Records {
    services: HashMap<Labels, Vec<(u32, Srv)>>,
    aliases: HashMap<Labels, (u32, Labels)>,
}

impl Records {
    /// From the name that was asked for, along aliases, to the servers.
    fn follow(mut self, mut name: Labels, answer: &mut Answer) {
        let mut ttl = None;
        let mut least = |one: u32| ttl = Some(ttl.map_or(one, |ttl: u32| ttl.min(one)));
        for _ in 0..ALIASES_MAX {
            if let Some(found) = self.services.remove(&name) {
                found.iter().for_each(|(ttl, _)| least(*ttl));
                answer.records = found.into_iter().map(|(_, service)| service).collect();
                break;
            }
            let Some((ttl, next)) = self.aliases.remove(&name) else {
                break;
            };
            least(ttl);
            name = next;
        }
        answer.ttl = ttl;
    }
}

struct Reader<'m> {
    bytes: &'m [u8],
    at: usize,
}

impl Reader<'_> {
    fn records(&mut self, count: u16) -> Result<Records, DnsError> {
        let mut records = Records::default();
        for _ in 0..count {
            let owner = self.name()?;
            let (kind, class) = (self.word()?, self.word()?);
            let ttl = u32::from(self.word()?) << 16 | u32::from(self.word()?);
            // The first bit is none of a TTL (RFC 2181 §8).
            let ttl = if ttl >> 31 == 1 { 0 } else { ttl };
            let length = usize::from(self.word()?);
            let end = self.at + length;
            if end > self.bytes.len() {
                return Err(DnsError::Malformed);
            }
            match (class, kind) {
                (IN, SRV) => {
                    let service = self.service()?;
                    records
                        .services
                        .entry(owner)
                        .or_default()
                        .push((ttl, service));
                }
                (IN, CNAME) => {
                    let target = self.name()?;
                    records.aliases.entry(owner).or_insert((ttl, target));
                }
                _ => self.at = end,
            }
            if self.at != end {
                return Err(DnsError::Malformed);
            }
        }
        Ok(records)
    }

    fn service(&mut self) -> Result<Srv, DnsError> {
        Ok(Srv {
            priority: self.word()?,
            weight: self.word()?,
            port: self.word()?,
            target: shown(&self.name()?),
        })
    }

    /// A name may end in a pointer to an earlier place (§4.1.4), which must lead further back each time.
    fn name(&mut self) -> Result<Labels, DnsError> {
        let mut name = Labels::new();
        let (mut at, mut earliest, mut after) = (self.at, self.at, None);
        loop {
            let length = self.byte(at)?;
            match length >> 6 {
                0 => {
                    let label = (self.bytes)
                        .get(at..=at + usize::from(length))
                        .ok_or(DnsError::Malformed)?;
                    name.extend(label.iter().map(u8::to_ascii_lowercase));
                    at += label.len();
                    if length == 0 {
                        break;
                    }
                }
                3 => {
                    let low = self.byte(at + 1)?;
                    let target = usize::from(length & 0x3f) << 8 | usize::from(low);
                    if target >= earliest {
                        return Err(DnsError::Malformed);
                    }
                    after = after.or(Some(at + 2));
                    (at, earliest) = (target, target);
                }
                _ => return Err(DnsError::Malformed),
            }
            if name.len() > NAME_MAX {
                return Err(DnsError::Malformed);
            }
        }
        self.at = after.unwrap_or(at);
        Ok(name)
    }

    fn byte(&self, at: usize) -> Result<u8, DnsError> {
        self.bytes.get(at).copied().ok_or(DnsError::Malformed)
    }

    fn word(&mut self) -> Result<u16, DnsError> {
        let word = u16::from_be_bytes([self.byte(self.at)?, self.byte(self.at + 1)?]);
        self.at += 2;
        Ok(word)
    }

    fn skip(&mut self, count: usize) -> Result<(), DnsError> {
        self.at += count;
        (self.at <= self.bytes.len())
            .then_some(())
            .ok_or(DnsError::Malformed)
    }
}

/// As people write it.
fn shown(name: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((&length, after)) = rest.split_first() {
        let (label, next) = after.split_at(usize::from(length).min(after.len()));
        if !text.is_empty() && !label.is_empty() {
            text.push('.');
        }
        for byte in label {
            match byte {
                b'.' | b'\\' => text.extend(['\\', char::from(*byte)]),
                b'!'..=b'~' => text.push(char::from(*byte)),
                _ => text.push_str(&format!("\\{byte:03}")),
            }
        }
        rest = next;
    }
    text
}

const SRV: u16 = 33;
const CNAME: u16 = 5;
const IN: u16 = 1;
/// RFC 1035 §2.3.4.
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 255;
/// A longer chain leads nowhere.
const ALIASES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "_solr._tcp.example.com";

    /// An answer to [`NAME`] with these records: owner, type, TTL, content.
    fn message(flags: u16, records: &[(&[u8], u16, u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = question(7, NAME);
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
        for (owner, kind, ttl, content) in records {
            bytes.extend_from_slice(owner);
            bytes.extend_from_slice(&kind.to_be_bytes());
            bytes.extend_from_slice(&[0, 1]);
            bytes.extend_from_slice(&ttl.to_be_bytes());
            bytes.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(content);
        }
        bytes
    }

    fn srv(priority: u16, weight: u16, port: u16, target: &[u8]) -> Vec<u8> {
        let words = [priority, weight, port].map(u16::to_be_bytes);
        [words.as_flattened(), target].concat()
    }

    /// To the name of the question.
    const ASKED: &[u8] = &[0xc0, 12];
    const GOOD: u16 = 0x8180;

    #[test]
    fn servers_are_read_with_compressed_names_and_along_aliases() {
        // "s1" before the "example.com" of the question.
        let near = [&[2][..], b"S1", &[0xc0, 12 + 6 + 5]].concat();
        let bytes = message(
            GOOD,
            &[
                (ASKED, CNAME, 30, labels("other.example.com")),
                (
                    &labels("other.example.com"),
                    SRV,
                    60,
                    srv(1, 2, 8983, &near),
                ),
                (
                    &labels("OTHER.example.com"),
                    SRV,
                    90,
                    srv(0, 0, 1, &labels("x.y")),
                ),
                (
                    &labels("stranger.example.com"),
                    SRV,
                    1,
                    srv(0, 0, 1, &labels("evil")),
                ),
                (ASKED, 16, 1, b"\x04text".to_vec()),
            ],
        );
        let found = answer(&bytes, 7, "_SOLR._tcp.example.com.").expect("an answer");
        let one = |priority, weight, port, target: &str| Srv {
            priority,
            weight,
            port,
            target: target.to_owned(),
        };
        assert_eq!(
            found.records,
            [one(1, 2, 8983, "s1.example.com"), one(0, 0, 1, "x.y")]
        );
        assert_eq!(
            (found.ttl, found.code, found.truncated),
            (Some(30), 0, false)
        );
        for cut in 0..bytes.len() {
            assert!(answer(&bytes[..cut], 7, NAME).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_answers_another_question_is_not_ours() {
        let good = message(GOOD, &[(ASKED, SRV, 60, srv(0, 0, 1, &labels("a")))]);
        assert!(answer(&good, 7, NAME).is_ok());
        assert_eq!(answer(&good, 8, NAME), Err(DnsError::NotOurs));
        assert_eq!(
            answer(&good, 7, "_x._tcp.example.com"),
            Err(DnsError::NotOurs)
        );
        assert_eq!(answer(&question(7, NAME), 7, NAME), Err(DnsError::NotOurs));
    }

    #[test]
    fn codes_cuts_and_refusals_are_told() {
        let empty = |flags| answer(&message(flags, &[]), 7, NAME).expect("an answer");
        assert_eq!(empty(0x8183).code, 3);
        assert_eq!(empty(0x8182).code, 2);
        assert!(empty(0x8380).truncated);
        // The root: RFC 2782 calls that "decidedly not available".
        let none = message(GOOD, &[(ASKED, SRV, 9, srv(0, 0, 0, &[0]))]);
        let none = answer(&none, 7, NAME).expect("an answer");
        assert_eq!(none.records[0].target, "");
        let odd = message(GOOD, &[(ASKED, SRV, 9, srv(0, 0, 1, b"\x05a.b \xff\0"))]);
        let odd = answer(&odd, 7, NAME).expect("an answer");
        assert_eq!(odd.records[0].target, "a\\.b\\032\\255");
    }

    #[test]
    fn pointers_that_turn_in_circles_and_lengths_that_lie_are_damage() {
        let here = u8::try_from(question(7, NAME).len()).unwrap();
        for owner in [&[0xc0, here][..], &[0xc0, 0xff], &[0x80, 1]] {
            let bytes = message(GOOD, &[(owner, SRV, 9, srv(0, 0, 1, &labels("a")))]);
            assert_eq!(answer(&bytes, 7, NAME), Err(DnsError::Malformed));
        }
        let mut long = srv(0, 0, 1, &labels("a"));
        long.push(0);
        let bytes = message(GOOD, &[(ASKED, SRV, 9, long)]);
        assert_eq!(answer(&bytes, 7, NAME), Err(DnsError::Malformed));
        // A chain of aliases in a circle ends.
        let (x, y) = (labels("x"), labels("y"));
        let bytes = message(
            GOOD,
            &[
                (ASKED, CNAME, 1, x.clone()),
                (&x, CNAME, 1, y.clone()),
                (&y, CNAME, 1, labels(NAME)),
            ],
        );
        assert_eq!(answer(&bytes, 7, NAME).map(|one| one.records.len()), Ok(0));
    }
}
