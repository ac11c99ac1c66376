//! The parts that messages of Kerberos share: names, times, sealed parts, and the KDC's refusal.

use std::time::{Duration, SystemTime};

use super::crypto::{Block, Key};
use super::der::{
    OCTETS, Reader, SEQUENCE, TEXT, TIME, application, explicit, put, put_field, put_integer,
    sequence,
};
use super::fault::Malformed;
use crate::base::principal::Principal;

/// A refusal, of a KDC or of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KdcError {
    /// See [`code`].
    pub code: i64,
    /// By the clock of whoever refuses.
    pub time: SystemTime,
    /// For people.
    pub text: String,
    /// With [`code::PREAUTH_REQUIRED`]: which types of key would do, best first.
    pub etypes: Vec<i32>,
}

/// RFC 4120 §7.5.9, as far as they have a meaning of their own here.
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod code {
    pub const NAME_EXPIRED: i64 = 1;
    pub const SERVICE_EXPIRED: i64 = 2;
    pub const CLIENT_UNKNOWN: i64 = 6;
    pub const SERVICE_UNKNOWN: i64 = 7;
    pub const NEVER_VALID: i64 = 11;
    pub const ETYPE_NOT_SUPPORTED: i64 = 14;
    pub const CLIENT_REVOKED: i64 = 18;
    pub const KEY_EXPIRED: i64 = 23;
    pub const PREAUTH_FAILED: i64 = 24;
    pub const PREAUTH_REQUIRED: i64 = 25;
    pub const INTEGRITY: i64 = 31;
    pub const TICKET_EXPIRED: i64 = 32;
    pub const CLOCK_SKEW: i64 = 37;
    pub const REALM_UNKNOWN: i64 = 68;
}

impl KdcError {
    /// KRB-ERROR, §5.9.1.
    ///
    /// # Errors
    /// Where it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut error = Reader::new(bytes).take(application(30))?.take(SEQUENCE)?;
        error.integer(0)?;
        error.integer(1)?;
        error.maybe(explicit(2))?;
        error.maybe(explicit(3))?;
        let time = moment(error.field(4, TIME)?)?;
        error.integer(5)?;
        let code = error.integer(6)?;
        for n in 7..=10 {
            error.maybe(explicit(n))?;
        }
        let text = error
            .option(11, TEXT)?
            .map(Reader::text)
            .unwrap_or_default();
        let data = error.option(12, OCTETS)?;
        let etypes = data.and_then(|data| etypes(data).ok()).unwrap_or_default();
        Ok(Self {
            code,
            time,
            text,
            etypes,
        })
    }
}

/// METHOD-DATA with ETYPE-INFO2 in it, §5.2.7.5.
fn etypes(data: Reader<'_>) -> Result<Vec<i32>, Malformed> {
    let mut hints = Reader::new(data.bytes()).take(SEQUENCE)?;
    let mut etypes = Vec::new();
    while !hints.is_empty() {
        let mut hint = hints.take(SEQUENCE)?;
        if hint.integer(1)? != ETYPE_INFO2 {
            continue;
        }
        let mut infos = Reader::new(hint.field(2, OCTETS)?.bytes()).take(SEQUENCE)?;
        while !infos.is_empty() {
            let etype = infos.take(SEQUENCE)?.integer(0)?;
            etypes.extend(i32::try_from(etype));
        }
    }
    Ok(etypes)
}

/// PrincipalName, §5.2.2.
pub(super) fn put_name(n: u8, principal: &Principal) -> Vec<u8> {
    let kind = if principal.parts.len() > 1 {
        SERVICE
    } else {
        PRINCIPAL
    };
    let parts: Vec<Vec<u8>> = principal
        .parts
        .iter()
        .map(|part| put(TEXT, &[part.as_bytes()]))
        .collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let strings = put(explicit(1), &[&sequence(&parts)]);
    put(
        explicit(n),
        &[&sequence(&[&put_integer(0, kind), &strings])],
    )
}

pub(super) fn put_text(n: u8, text: &str) -> Vec<u8> {
    put_field(n, TEXT, text.as_bytes())
}

/// `[n] PrincipalName`.
pub(super) fn name(of: &mut Reader<'_>, n: u8) -> Result<Vec<String>, Malformed> {
    let mut name = of.field(n, SEQUENCE)?;
    name.integer(0)?;
    let mut strings = name.field(1, SEQUENCE)?;
    let mut parts = Vec::new();
    while !strings.is_empty() {
        parts.push(strings.take(TEXT)?.text());
    }
    Ok(parts)
}

/// `[n] EncryptedData` sealed with `key`.
pub(super) fn put_sealed(n: u8, key: &Key, usage: u32, plain: &[u8], random: Block) -> Vec<u8> {
    put(explicit(n), &[&sealed(key, usage, plain, random)])
}

/// EncryptedData, §5.2.9.
pub(super) fn sealed(key: &Key, usage: u32, plain: &[u8], random: Block) -> Vec<u8> {
    let cipher = key.encrypt(usage, plain, random);
    let etype = put_integer(0, i64::from(key.etype()));
    sequence(&[&etype, &put_field(2, OCTETS, &cipher)])
}

/// The type of the key that sealed `[n] EncryptedData`, and what it sealed.
pub(super) fn sealed_part<'a>(of: &mut Reader<'a>, n: u8) -> Result<(i32, &'a [u8]), Malformed> {
    let mut data = of.field(n, SEQUENCE)?;
    let etype = i32::try_from(data.integer(0)?).map_err(|_| Malformed)?;
    data.maybe_integer(1)?;
    Ok((etype, data.field(2, OCTETS)?.bytes()))
}

/// `[n] EncryptionKey`, where it is of a type that is known.
pub(super) fn key(mut content: Reader<'_>) -> Result<Key, Malformed> {
    let etype = i32::try_from(content.integer(0)?).map_err(|_| Malformed)?;
    Key::new(etype, content.field(1, OCTETS)?.bytes()).ok_or(Malformed)
}

/// `YYYYMMDDHHMMSSZ`, and nothing else: §5.2.3.
pub(super) fn moment(content: Reader<'_>) -> Result<SystemTime, Malformed> {
    let text = std::str::from_utf8(content.bytes()).map_err(|_| Malformed)?;
    let civil = jiff::civil::DateTime::strptime(FORMAT, text).map_err(|_| Malformed)?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.map(SystemTime::from).map_err(|_| Malformed)
}

pub(super) fn put_moment(n: u8, at: SystemTime) -> Vec<u8> {
    put_field(n, TIME, written(at).as_bytes())
}

pub(super) fn written(at: SystemTime) -> String {
    let stamp = jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.strftime(FORMAT).to_string()
}

/// Whole seconds, and the microseconds beyond.
pub(super) fn parts(at: SystemTime) -> (SystemTime, i64) {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
    (whole, i64::from(since.subsec_micros()))
}

const FORMAT: &str = "%Y%m%d%H%M%SZ";
const ETYPE_INFO2: i64 = 19;

/// Types of names, §6.2: KDCs ignore them, some services do not.
const PRINCIPAL: i64 = 1;
const SERVICE: i64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_to_the_second() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(written(at), "20231114221320Z");
        let element = put(TIME, &[b"20231114221320Z"]);
        let read = Reader::new(&element).take(TIME).unwrap();
        assert_eq!(moment(read), Ok(at));
        for odd in ["20231114221320", "2023-11-14T22:13Z", "20231399221320Z", ""] {
            let element = put(TIME, &[odd.as_bytes()]);
            assert!(moment(Reader::new(&element).take(TIME).unwrap()).is_err());
        }
    }

    #[test]
    fn a_refusal_tells_its_code_and_the_keys_that_would_do() {
        let info = sequence(&[
            &sequence(&[&put_integer(0, 18)]),
            &sequence(&[&put_integer(0, 17)]),
        ]);
        let hint = sequence(&[&put_integer(1, 19), &put_field(2, OCTETS, &info)]);
        let other = sequence(&[&put_integer(1, 2), &put_field(2, OCTETS, b"")]);
        let data = sequence(&[&other, &hint]);
        let error = sequence(&[
            &put_integer(0, 5),
            &put_integer(1, 30),
            &put_field(4, TIME, b"20231114221320Z"),
            &put_integer(5, 7),
            &put_integer(6, 25),
            &put_text(9, "R"),
            &put_text(11, "NEEDED_PREAUTH"),
            &put_field(12, OCTETS, &data),
        ]);
        let error = KdcError::decode(&put(application(30), &[&error])).unwrap();
        assert_eq!((error.code, error.etypes), (25, vec![18, 17]));
        assert_eq!(error.text, "NEEDED_PREAUTH");
    }
}
