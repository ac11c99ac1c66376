//! What a KDC is asked, and what it grants: the first ticket for a key of ours, others for the first (RFC 4120 §3.1, §3.3).

use std::time::SystemTime;

use super::crypto::{ETYPES, Key};
use super::der::{
    BITS, OCTETS, Reader, SEQUENCE, TEXT, TIME, application, explicit, integer, put, put_field,
    put_integer, sequence,
};
use super::fault::Malformed;
use super::message::{
    KdcError, key, moment, name, parts, put_moment, put_name, put_sealed, put_text, sealed,
    sealed_part,
};
use super::ticket::{Moment, Ticket};
use crate::base::principal::Principal;

/// What came of a question.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The KDC says why.
    #[error("refused with code {}", .0.code)]
    By(KdcError),
    /// The answer is sealed with none of our keys.
    #[error("the answer is sealed with another key")]
    Key,
    /// The answer is none to this question.
    #[error("the answer is none to the question")]
    Strange,
}

/// For the first ticket, that of the realm's ticket granting service. `proof`: the key that shows who asks, once the KDC
/// has asked for that.
pub fn first(client: &Principal, etypes: &[i32], proof: Option<&Key>, moment: &Moment) -> Vec<u8> {
    let granting = Principal::granting(&client.realm, &client.realm);
    let body = body(Some(client), &granting, etypes, moment.nonce);
    let proof = proof.map(|key| {
        let (now, micros) = parts(moment.now);
        let stamp = sequence(&[&put_moment(0, now), &put_integer(1, micros)]);
        padata(
            ENC_TIMESTAMP,
            &sealed(key, usage::TIMESTAMP, &stamp, moment.random[0]),
        )
    });
    question(AS_REQ, proof.as_deref(), &body)
}

/// Reads the answer to [`first`] with whichever of `keys` it is sealed with.
///
/// # Errors
/// Where nothing is granted.
pub fn first_granted(
    answer: &[u8],
    client: &Principal,
    keys: &[Key],
    moment: &Moment,
) -> Result<Ticket, Refused> {
    let open = |etype: i32, sealed: &[u8]| {
        let fitting = keys.iter().filter(|key| key.etype() == etype);
        let mut opened = fitting.filter_map(|key| key.decrypt(usage::AS_REP, sealed).ok());
        opened.next().ok_or(Refused::Key)
    };
    granted(answer, AS_REP, client, moment, open)
}

/// For a ticket to `service`, by one that was granted before.
pub fn further(granting: &Ticket, service: &Principal, moment: &Moment) -> Vec<u8> {
    let body = body(None, service, &ETYPES, moment.nonce);
    let key = &granting.key;
    let sum = key.checksum(usage::TGS_CHECKSUM, &[&body]);
    let sum = (key.checksum_type(), &sum[..]);
    let shown = shown(granting, sum, usage::TGS_AUTHENTICATOR, moment, 0);
    question(TGS_REQ, Some(&padata(TGS, &shown)), &body)
}

/// Reads the answer to [`further`].
///
/// # Errors
/// Where nothing is granted.
pub fn further_granted(
    answer: &[u8],
    granting: &Ticket,
    moment: &Moment,
) -> Result<Ticket, Refused> {
    let open = |_, sealed: &[u8]| {
        let opened = granting.key.decrypt(usage::TGS_REP, sealed);
        opened.map_err(|_| Refused::Key)
    };
    granted(answer, TGS_REP, &granting.client, moment, open)
}

/// AP-REQ, §5.5.1: a ticket, and proof that whoever shows it holds its key.
pub(super) fn shown(
    ticket: &Ticket,
    (kind, sum): (i64, &[u8]),
    usage: u32,
    moment: &Moment,
    options: u8,
) -> Vec<u8> {
    let (now, micros) = parts(moment.now);
    let sum = sequence(&[&put_integer(0, kind), &put_field(1, OCTETS, sum)]);
    let authenticator = sequence(&[
        &put_integer(0, 5),
        &put_text(1, &ticket.client.realm),
        &put_name(2, &ticket.client),
        &put(explicit(3), &[&sum]),
        &put_integer(4, micros),
        &put_moment(5, now),
        &put_integer(7, i64::from(moment.nonce)),
    ]);
    let authenticator = put(application(2), &[&authenticator]);
    let request = sequence(&[
        &put_integer(0, 5),
        &put_integer(1, 14),
        &put_field(2, BITS, &[0, options, 0, 0, 0]),
        &put(explicit(3), &[&ticket.sealed]),
        &put_sealed(4, &ticket.key, usage, &authenticator, moment.random[1]),
    ]);
    put(application(14), &[&request])
}

/// KDC-REQ-BODY, §5.4.1. The end asked for is beyond any: the KDC's own bound holds.
fn body(client: Option<&Principal>, service: &Principal, etypes: &[i32], nonce: u32) -> Vec<u8> {
    let wanted: Vec<Vec<u8>> = etypes
        .iter()
        .map(|etype| integer(i64::from(*etype)))
        .collect();
    let wanted: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
    sequence(&[
        &put_field(0, BITS, &[0; 5]),
        &client.map(|client| put_name(1, client)).unwrap_or_default(),
        &put_text(2, &service.realm),
        &put_name(3, service),
        &put_field(5, TIME, b"20370913024805Z"),
        &put_integer(7, i64::from(nonce)),
        &put(explicit(8), &[&sequence(&wanted)]),
    ])
}

fn question(kind: u8, padata: Option<&[u8]>, body: &[u8]) -> Vec<u8> {
    let padata = padata.map(|padata| put(explicit(3), &[&sequence(&[padata])]));
    let question = sequence(&[
        &put_integer(1, 5),
        &put_integer(2, i64::from(kind)),
        &padata.unwrap_or_default(),
        &put(explicit(4), &[body]),
    ]);
    put(application(kind), &[&question])
}

fn padata(kind: i64, value: &[u8]) -> Vec<u8> {
    sequence(&[&put_integer(1, kind), &put_field(2, OCTETS, value)])
}

fn granted(
    answer: &[u8],
    kind: u8,
    client: &Principal,
    moment: &Moment,
    open: impl FnOnce(i32, &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, Refused>,
) -> Result<Ticket, Refused> {
    if let Ok(error) = KdcError::decode(answer) {
        return Err(Refused::By(error));
    }
    let strange = |_| Refused::Strange;
    let granted = read_granted(answer, kind).map_err(strange)?;
    let plain = open(granted.etype, granted.sealed)?;
    let part = read_part(&plain).map_err(strange)?;
    if part.nonce & 0xffff_ffff != i64::from(moment.nonce) {
        return Err(Refused::Strange);
    }
    Ok(Ticket {
        client: client.clone(),
        service: part.service,
        sealed: granted.ticket.to_vec(),
        key: part.key,
        starts: part.starts,
        ends: part.ends,
    })
}

struct Granted<'a> {
    ticket: &'a [u8],
    etype: i32,
    sealed: &'a [u8],
}

/// KDC-REP, §5.4.2.
fn read_granted(answer: &[u8], kind: u8) -> Result<Granted<'_>, Malformed> {
    let mut answer = Reader::new(answer)
        .take(application(kind))?
        .take(SEQUENCE)?;
    answer.integer(0)?;
    answer.integer(1)?;
    answer.maybe(explicit(2))?;
    answer.field(3, TEXT)?;
    name(&mut answer, 4)?;
    let ticket = answer.take(explicit(5))?.whole(application(1))?;
    let (etype, sealed) = sealed_part(&mut answer, 6)?;
    Ok(Granted {
        ticket,
        etype,
        sealed,
    })
}

struct Part {
    key: Key,
    nonce: i64,
    starts: SystemTime,
    ends: SystemTime,
    service: Principal,
}

/// EncKDCRepPart. Some KDCs tag both kinds alike, which the RFC allows for.
fn read_part(plain: &[u8]) -> Result<Part, Malformed> {
    let mut outer = Reader::new(plain);
    let mut part = match outer.maybe(application(25))? {
        Some(mut part) => part.take(SEQUENCE)?,
        None => outer.take(application(26))?.take(SEQUENCE)?,
    };
    let key = key(part.field(0, SEQUENCE)?)?;
    part.take(explicit(1))?;
    let nonce = part.integer(2)?;
    part.maybe(explicit(3))?;
    part.take(explicit(4))?;
    let authenticated = moment(part.field(5, TIME)?)?;
    let starts = part.option(6, TIME)?.map(moment).transpose()?;
    let ends = moment(part.field(7, TIME)?)?;
    part.maybe(explicit(8))?;
    let realm = part.field(9, TEXT)?.text();
    let parts = name(&mut part, 10)?;
    Ok(Part {
        key,
        nonce,
        starts: starts.unwrap_or(authenticated),
        ends,
        service: Principal { parts, realm },
    })
}

pub(super) fn read_anything(bytes: &[u8]) {
    let _ = read_granted(bytes, AS_REP);
    let _ = read_granted(bytes, TGS_REP);
    let _ = read_part(bytes);
}

const AS_REQ: u8 = 10;
const AS_REP: u8 = 11;
const TGS_REQ: u8 = 12;
const TGS_REP: u8 = 13;
const TGS: i64 = 1;
const ENC_TIMESTAMP: i64 = 2;

/// What a key is used for, §7.5.1.
mod usage {
    pub(super) const TIMESTAMP: u32 = 1;
    pub(super) const AS_REP: u32 = 3;
    pub(super) const TGS_CHECKSUM: u32 = 6;
    pub(super) const TGS_AUTHENTICATOR: u32 = 7;
    pub(super) const TGS_REP: u32 = 8;
}
