//! The name that a TLS client asks for, read from its ClientHello without taking part in the handshake.
//!
//! The session peeks at a connection's first bytes, calls [`read`] with all that has come so far, and calls again when more
//! comes; the hello may be spread over any number of segments and of TLS records (RFC 8446 §4.1.2, §5.1; the
//! name: RFC 6066 §3). What encrypted ClientHello hides stays hidden: the outer name is the one that counts.

/// Most bytes that are looked at, record headers included. Hellos with post-quantum keys take about 2 KiB.
pub const HELLO_MAX: usize = 32 * 1024;

/// What the bytes so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// Good so far; ask again with more.
    Incomplete,
    /// A whole ClientHello.
    Found(ClientHello),
    /// The first bytes are no TLS handshake record.
    NotTls,
    /// It began as TLS, and then broke the rules or the bound.
    Malformed,
}

/// What routing needs of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Host name in lower case, without the last dot; a client that dials an address sends none.
    pub sni: Option<String>,
    /// The client offers application protocols.
    pub alpn: bool,
}

/// Judges the connection's first bytes, always from its very first.
pub fn read(bytes: &[u8]) -> Hello {
    match whole_hello(bytes) {
        Ok(hello) => Hello::Found(hello),
        Err(Stop::Incomplete) if bytes.len() >= HELLO_MAX => Hello::Malformed,
        Err(Stop::Incomplete) => Hello::Incomplete,
        Err(Stop::NotTls) => Hello::NotTls,
        Err(Stop::Malformed) => Hello::Malformed,
    }
}

enum Stop {
    Incomplete,
    NotTls,
    Malformed,
}

fn whole_hello(bytes: &[u8]) -> Result<ClientHello, Stop> {
    refuse_other_protocols(bytes)?;
    let mut message = Vec::new();
    let mut records = Cursor(bytes);
    loop {
        message.extend_from_slice(fragment(&mut records)?);
        if let Some(body) = hello_body(&message)? {
            return parse_body(Cursor(body)).map_err(|_| Stop::Malformed);
        }
    }
}

/// Content type handshake, major version 3: said by the first two bytes.
fn refuse_other_protocols(bytes: &[u8]) -> Result<(), Stop> {
    if bytes
        .iter()
        .zip([HANDSHAKE, 3])
        .any(|(is, must)| *is != must)
    {
        return Err(Stop::NotTls);
    }
    Ok(())
}

/// One record's content. Other types may not stand between the fragments of a handshake message.
fn fragment<'a>(records: &mut Cursor<'a>) -> Result<&'a [u8], Stop> {
    let header = records.take(5).ok_or(Stop::Incomplete)?;
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if header[0] != HANDSHAKE || header[1] != 3 || !(1..=RECORD_MAX).contains(&length) {
        return Err(Stop::Malformed);
    }
    records.take(length).ok_or(Stop::Incomplete)
}

/// The hello without its four-byte header, once it is there in full.
fn hello_body(message: &[u8]) -> Result<Option<&[u8]>, Stop> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(Stop::Malformed);
    }
    let Some(([_, a, b, c], body)) = message.split_first_chunk() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
    if length > HELLO_MAX {
        return Err(Stop::Malformed);
    }
    Ok(body.get(..length))
}

/// The rules are broken somewhere; where does not matter to anyone.
struct Broken;

fn parse_body(mut body: Cursor<'_>) -> Result<ClientHello, Broken> {
    body.take(2 + 32).ok_or(Broken)?; // version, random
    body.vector8().ok_or(Broken)?; // session id
    body.vector16().ok_or(Broken)?; // cipher suites
    body.vector8().ok_or(Broken)?; // compression methods
    let mut hello = ClientHello::default();
    if body.0.is_empty() {
        return Ok(hello);
    }
    let mut extensions = body.vector16().ok_or(Broken)?;
    while !extensions.0.is_empty() {
        let kind = extensions.u16().ok_or(Broken)?;
        let content = extensions.vector16().ok_or(Broken)?;
        match kind {
            SERVER_NAME if hello.sni.is_some() => return Err(Broken),
            SERVER_NAME => hello.sni = host_name(content)?,
            ALPN => hello.alpn = true,
            _ => {}
        }
    }
    Ok(hello)
}

/// The list may hold names of other types; only host names (0) have ever been defined.
fn host_name(mut content: Cursor<'_>) -> Result<Option<String>, Broken> {
    let mut list = content.vector16().ok_or(Broken)?;
    while !list.0.is_empty() {
        let [kind] = *list.take(1).ok_or(Broken)? else {
            return Err(Broken);
        };
        let name = list.vector16().ok_or(Broken)?.0;
        if kind == 0 {
            return checked(name).map(Some);
        }
    }
    Ok(None)
}

fn checked(name: &[u8]) -> Result<String, Broken> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let fits = (1..=253).contains(&name.len());
    let clean = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:".contains(byte);
    if !fits || !name.iter().all(clean) {
        return Err(Broken);
    }
    let text = String::from_utf8_lossy(name);
    Ok(text.to_ascii_lowercase())
}

/// Takes pieces off the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*taken))
    }

    fn vector8(&mut self) -> Option<Self> {
        let (length, rest) = self.0.split_first()?;
        self.0 = rest;
        self.take(usize::from(*length)).map(Self)
    }

    fn vector16(&mut self) -> Option<Self> {
        let length = self.u16()?;
        self.take(usize::from(length)).map(Self)
    }
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const RECORD_MAX: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    /// What rustls sends as its first flight.
    fn hello_for(name: &'static str, alpn: bool) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        if alpn {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let name = name.try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// The same message in records of `size` bytes.
    fn rerecorded(bytes: &[u8], size: usize) -> Vec<u8> {
        let record = |part: &[u8]| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[22, 3, 1], &length[..], part].concat()
        };
        bytes[5..].chunks(size).flat_map(record).collect()
    }

    fn found(sni: Option<&str>, alpn: bool) -> Hello {
        let sni = sni.map(str::to_owned);
        Hello::Found(ClientHello { sni, alpn })
    }

    #[test]
    fn the_name_is_found_and_every_cut_before_it_is_incomplete() {
        let bytes = hello_for("Sales.Example.com", true);
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Hello::Incomplete, "{cut}");
        }
        assert_eq!(read(&bytes), found(Some("sales.example.com"), true));
    }

    #[test]
    fn any_number_of_records_will_do() {
        let bytes = hello_for("a.example.com", false);
        for size in [1, 2, 3, 4, 5, 7, 100, bytes.len()] {
            let bytes = rerecorded(&bytes, size);
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), Hello::Incomplete, "{size} {cut}");
            }
            assert_eq!(read(&bytes), found(Some("a.example.com"), false), "{size}");
        }
    }

    #[test]
    fn bytes_after_the_hello_do_not_matter() {
        let mut bytes = hello_for("a.example.com", false);
        bytes.extend(b"\x14\x03\x03\0\x01\x01 and more");
        assert_eq!(read(&bytes), found(Some("a.example.com"), false));
    }

    #[test]
    fn a_client_that_dials_an_address_names_nobody() {
        assert_eq!(read(&hello_for("127.0.0.1", false)), found(None, false));
    }

    #[test]
    fn a_hello_without_extensions_is_whole() {
        let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0, 47], &[1, 0]].concat();
        let length = u8::try_from(body.len()).unwrap();
        let message = [&[1, 0, 0, length][..], &body].concat();
        let record = [&[22, 3, 1, 0, length + 4][..], &message].concat();
        assert_eq!(read(&record), found(None, false));
    }

    #[test]
    fn other_protocols_show_at_once() {
        let others: [&[u8]; 5] = [
            b"G",
            b"\x01\0\0\0\x05PLAIN",
            b"\x80\x01",
            b"\x16\x02",
            b"\x15\x03",
        ];
        for bytes in others {
            assert_eq!(read(bytes), Hello::NotTls);
        }
    }

    #[test]
    fn broken_rules_are_malformed() {
        let empty_record: &[u8] = &[22, 3, 1, 0, 0];
        let server_hello: &[u8] = &[22, 3, 3, 0, 1, 2];
        let too_long: &[u8] = &[22, 3, 1, 0, 4, 1, 1, 0, 0];
        let alert_between: &[u8] = &[22, 3, 1, 0, 1, 1, 21, 3, 1, 0, 2, 1, 1];
        for bytes in [empty_record, server_hello, too_long, alert_between] {
            assert_eq!(read(bytes), Hello::Malformed, "{bytes:?}");
        }
        let mut dirty = hello_for("sales.example.com", false);
        let at = dirty.windows(5).position(|five| five == b"sales").unwrap();
        dirty[at] = b'\n';
        assert_eq!(read(&dirty), Hello::Malformed);
    }

    #[test]
    fn a_dribble_of_tiny_records_ends_at_the_bound() {
        let start = [
            &[22, 3, 1, 0, 4, 1, 0, 0x7f, 0][..],
            &[22, 3, 1, 0, 1, 3].repeat(HELLO_MAX),
        ]
        .concat();
        assert_eq!(read(&start[..HELLO_MAX - 1]), Hello::Incomplete);
        assert_eq!(read(&start[..HELLO_MAX]), Hello::Malformed);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..600)) {
            read(&tail);
            let mut bytes = vec![22, 3, 1, 0x3f, 0xff, 1, 0, 0, 200];
            bytes.extend(&tail);
            read(&bytes);
        }

        #[test]
        fn one_changed_byte_makes_it_no_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = hello_for("a.example.com", true);
            let index = at.index(bytes.len());
            bytes[index] = byte;
            read(&bytes);
        }
    }
}
