//! SPNEGO (RFC 4178) with Kerberos as its one mechanism: what HTTP carries after `Negotiate` (RFC 4559).

use super::der::{
    ENUMERATED, OCTETS, OID, Reader, SEQUENCE, application, explicit, put, put_field, sequence,
};
use super::fault::Malformed;
use super::gss::KERBEROS;

/// NegTokenInit around a token of Kerberos.
pub fn begin(token: &[u8]) -> Vec<u8> {
    let mechanisms = put(explicit(0), &[&sequence(&[&put(OID, &[&KERBEROS])])]);
    let init = sequence(&[&mechanisms, &put_field(2, OCTETS, token)]);
    let oid = put(OID, &[&SPNEGO]);
    put(application(0), &[&oid, &put(explicit(0), &[&init])])
}

/// The token inside a NegTokenResp; a bare token of Kerberos is one as it stands.
///
/// # Errors
/// Where it is neither.
pub fn token(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    if bytes.first() == Some(&application(0)) {
        return Ok(Some(bytes));
    }
    let mut response = Reader::new(bytes).take(explicit(1))?.take(SEQUENCE)?;
    response.option(0, ENUMERATED)?;
    response.option(1, OID)?;
    let token = response.option(2, OCTETS)?;
    Ok(token.map(Reader::bytes))
}

/// 1.3.6.1.5.5.2.
const SPNEGO: [u8; 6] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_gives_its_token() {
        let full = sequence(&[
            &put_field(0, ENUMERATED, &[0]),
            &put_field(1, OID, &KERBEROS),
            &put_field(2, OCTETS, b"token"),
        ]);
        let full = put(explicit(1), &[&full]);
        assert_eq!(token(&full), Ok(Some(&b"token"[..])));
        let refused = put(
            explicit(1),
            &[&sequence(&[&put_field(0, ENUMERATED, &[2])])],
        );
        assert_eq!(token(&refused), Ok(None));
        assert_eq!(token(b"\x60\x00"), Ok(Some(&b"\x60\x00"[..])));
        assert_eq!(token(b"Basic"), Err(Malformed));
    }

    #[test]
    fn the_first_token_names_kerberos_and_holds_the_ticket() {
        let bytes = begin(b"ticket");
        let mut outer = Reader::new(&bytes).take(application(0)).unwrap();
        assert_eq!(outer.take(OID).unwrap().bytes(), SPNEGO);
        let mut init = outer.take(explicit(0)).unwrap().take(SEQUENCE).unwrap();
        let mut mechanisms = init.field(0, SEQUENCE).unwrap();
        assert_eq!(mechanisms.take(OID).unwrap().bytes(), KERBEROS);
        assert_eq!(init.field(2, OCTETS).unwrap().bytes(), b"ticket");
    }
}
