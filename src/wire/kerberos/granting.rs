//! The KDC's side, as far as tests need one that does as it is told: whoever asks is believed.

use std::time::{Duration, SystemTime};

use super::crypto::Key;
use super::der::{
    BITS, OCTETS, Reader, SEQUENCE, TEXT, application, explicit, put, put_field, put_integer,
    sequence,
};
use super::fault::Malformed;
use super::message::{code, name, put_moment, put_name, put_sealed, put_text};
use crate::base::principal::Principal;

/// Grants tickets that began so long ago and last so much longer.
pub(crate) struct Granting {
    pub(crate) client: Key,
    pub(crate) age: Duration,
    pub(crate) left: Duration,
    /// In place of a ticket.
    pub(crate) refusal: Option<i64>,
}

struct Asked {
    first: bool,
    proof: bool,
    service: Principal,
    nonce: i64,
}

impl Granting {
    pub(crate) fn answer(&self, asked: &[u8]) -> Vec<u8> {
        let asked = read(asked).expect("a question of ours");
        match self.refusal {
            Some(code) => refused(code),
            None if asked.first && !asked.proof => refused(code::PREAUTH_REQUIRED),
            None => self.granted(&asked),
        }
    }

    fn granted(&self, asked: &Asked) -> Vec<u8> {
        let session = Key::new(18, &[9; 32]).expect("its length");
        let now = SystemTime::now();
        let key = sequence(&[&put_integer(0, 18), &put_field(1, OCTETS, &[9; 32])]);
        let part = sequence(&[
            &put(explicit(0), &[&key]),
            &put(explicit(1), &[&sequence(&[])]),
            &put_integer(2, asked.nonce),
            &put_field(4, BITS, &[0; 5]),
            &put_moment(5, now - self.age),
            &put_moment(7, now + self.left),
            &put_text(9, &asked.service.realm),
            &put_name(10, &asked.service),
        ]);
        let (kind, usage, key) = match asked.first {
            true => (11, 3, &self.client),
            false => (13, 8, &session),
        };
        let part = put(application(25 + u8::from(!asked.first)), &[&part]);
        let ticket = put(application(1), &[&sequence(&[])]);
        let client = Principal {
            parts: vec!["howdah".into()],
            realm: "R".into(),
        };
        let reply = sequence(&[
            &put_integer(0, 5),
            &put_integer(1, i64::from(kind)),
            &put_text(3, "R"),
            &put_name(4, &client),
            &put(explicit(5), &[&ticket]),
            &put_sealed(6, key, usage, &part, [3; 16]),
        ]);
        put(application(kind), &[&reply])
    }
}

fn read(asked: &[u8]) -> Result<Asked, Malformed> {
    let first = asked.first() == Some(&application(10));
    let kind = application(if first { 10 } else { 12 });
    let mut asked = Reader::new(asked).take(kind)?.take(SEQUENCE)?;
    asked.integer(1)?;
    asked.integer(2)?;
    let proof = asked.maybe(explicit(3))?.is_some();
    let mut body = asked.take(explicit(4))?.take(SEQUENCE)?;
    body.field(0, BITS)?;
    body.maybe(explicit(1))?;
    let realm = body.field(2, TEXT)?.text();
    let parts = name(&mut body, 3)?;
    body.take(explicit(5))?;
    Ok(Asked {
        first,
        proof,
        service: Principal { parts, realm },
        nonce: body.integer(7)?,
    })
}

fn refused(code: i64) -> Vec<u8> {
    let info = sequence(&[&sequence(&[&put_integer(0, 18)])]);
    let hint = sequence(&[&put_integer(1, 19), &put_field(2, OCTETS, &info)]);
    let hour = SystemTime::now() + Duration::from_secs(3600);
    let error = sequence(&[
        &put_integer(0, 5),
        &put_integer(1, 30),
        &put_moment(4, hour),
        &put_integer(5, 0),
        &put_integer(6, code),
        &put_field(9, TEXT, b"R"),
        &put_field(11, TEXT, b"as told"),
        &put_field(12, OCTETS, &sequence(&[&hint])),
    ]);
    put(application(30), &[&error])
}
