use proptest::prelude::*;

use super::*;

/// Fed at once; `ended`: and then the server ends its side.
fn read(bytes: &[u8], bodiless: bool, ended: bool) -> Incoming {
    let mut reader = Reader::new(bodiless);
    match reader.feed(bytes).1 {
        Incoming::Incomplete if ended => reader.end(),
        incoming => incoming,
    }
}

fn whole(bytes: &[u8], bodiless: bool, ended: bool) -> Reply {
    match read(bytes, bodiless, ended) {
        Incoming::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

/// Fed as a probe feeds it, piece by piece; also the bytes that the reader was shown, all in all.
fn in_pieces(pieces: &[&[u8]], ended: bool) -> (Incoming, usize) {
    let (mut reader, mut inbox, mut shown) = (Reader::new(false), Vec::new(), 0);
    for piece in pieces {
        inbox.extend_from_slice(piece);
        shown += inbox.len();
        let (used, incoming) = reader.feed(&inbox);
        inbox.drain(..used);
        if incoming != Incoming::Incomplete {
            return (incoming, shown);
        }
    }
    match ended {
        true => (reader.end(), shown),
        false => (Incoming::Incomplete, shown),
    }
}

const REPLIES: [&[u8]; 4] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.0 200 OK\nContent-Length: 3\n\nabc",
];

#[test]
fn a_reply_is_incomplete_at_every_cut() {
    for bytes in REPLIES {
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut], false, false), Incoming::Incomplete);
        }
        let reply = whole(&[bytes, b"more"].concat(), false, false);
        assert_eq!((reply.status, &reply.body[..]), (200, &b"abc"[..]));
        let used = Reader::new(false).feed(&[bytes, b"more"].concat()).0;
        assert_eq!(used, bytes.len());
    }
}

#[test]
fn without_a_length_the_body_ends_with_the_connection() {
    let bytes = b"HTTP/1.0 503 No\r\nServer: x\r\n\r\nNot Available";
    assert_eq!(read(bytes, false, false), Incoming::Incomplete);
    let reply = whole(bytes, false, true);
    assert_eq!(
        (reply.status, &reply.body[..]),
        (503, &b"Not Available"[..])
    );
    assert_eq!(reply.header("server"), Some("x"));
}

#[test]
fn head_requests_and_statuses_without_body_end_with_the_head() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    assert_eq!(whole(bytes, true, false).body, b"");
    assert_eq!(whole(b"HTTP/1.1 204 No\r\n\r\n", false, false).status, 204);
    let empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(whole(empty, false, false).body, b"");
}

#[test]
fn a_long_body_is_cut() {
    for head in [
        "Content-Length: 99999999\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n",
        "\r\n",
    ] {
        let mut bytes = format!("HTTP/1.1 200 OK\r\n{head}").into_bytes();
        bytes.resize(bytes.len() + BODY_MAX + 100, b'x');
        assert_eq!(whole(&bytes, false, false).body.len(), BODY_MAX, "{head}");
    }
}

#[test]
fn what_has_no_end_is_malformed() {
    let chunked = "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n";
    let continued = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
    let headers = format!("HTTP/1.1 200\r\n{}", "a:b\r\n".repeat(300));
    for bytes in [
        format!("HTTP/1.1 200 {}", "x".repeat(HEAD_MAX)),
        headers,
        continued,
        format!("{chunked}0\r\n{}", "T: x\r\n".repeat(HEAD_MAX)),
        format!("{chunked}1;{}", "x".repeat(5 * BODY_MAX)),
    ] {
        let start = &bytes[..bytes.len().min(60)];
        assert_eq!(
            read(bytes.as_bytes(), false, false),
            Incoming::Malformed,
            "{start}"
        );
    }
    let ones = format!("{chunked}{}0\r\n\r\n", "1\r\nx\r\n".repeat(100_000));
    assert_eq!(whole(ones.as_bytes(), false, false).body.len(), 100_000);
}

#[test]
fn what_is_not_http_shows_at_its_first_strange_byte() {
    for bytes in [&b"\x05\0\0\0\0"[..], b"HTTQ", b"\x15\x03\x03", b"<html>"] {
        let strange = Incoming::NotHttp(bytes.to_vec());
        assert_eq!(read(bytes, false, false), strange);
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        assert!(matches!(in_pieces(&pieces, false).0, Incoming::NotHttp(_)));
    }
    for bytes in [
        &b"HTTP/1.1 x\r\n\r\n"[..],
        b"HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ] {
        assert_eq!(read(bytes, false, false), Incoming::Malformed);
    }
    assert_eq!(read(b"HTTP/1.1 200\r\n", false, true), Incoming::Malformed);
}

/// Four servers that sent their replies byte by byte once took most of a core: each byte was read with all before it.
#[test]
fn a_reply_byte_by_byte_costs_what_it_costs_at_once() {
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n", "x".repeat(HEAD_MAX / 2));
    let chunks = "1\r\na\r\n".repeat(3000);
    let body = "y".repeat(20_000);
    for reply in [
        format!("{head}Content-Length: 20000\r\n\r\n{body}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
        format!("{head}\r\n{body}"),
    ] {
        let pieces: Vec<&[u8]> = reply.as_bytes().chunks(1).collect();
        let (incoming, shown) = in_pieces(&pieces, true);
        assert!(matches!(incoming, Incoming::Reply(_)));
        assert_eq!(shown, reply.len(), "each byte is shown once");
    }
}

#[test]
fn base64_is_that_of_the_rfc() {
    let table = [
        "", "", "f", "Zg==", "fo", "Zm8=", "foo", "Zm9v", "foob", "Zm9vYg==", "foobar", "Zm9vYmFy",
    ];
    for pair in table.chunks(2) {
        assert_eq!(base64(pair[0].as_bytes()), pair[1]);
        assert_eq!(from_base64(pair[1]).unwrap(), pair[0].as_bytes());
    }
}

#[test]
fn what_is_no_base64_is_told() {
    for odd in ["Zg=x", "Z g", "Zg\n", "é"] {
        assert_eq!(from_base64(odd), None, "{odd:?}");
    }
}

#[test]
fn a_request_has_its_lines() {
    let bytes = request("POST", "/x", "h:1", &["A: b".to_owned()], b"body");
    let text = "POST /x HTTP/1.1\r\nHost: h:1\r\nUser-Agent: howdah\r\nA: b\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(bytes, text.as_bytes());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..300), chunked: bool, ended: bool) {
        read(&tail, false, ended);
        let start: &[u8] = if chunked { b"HTTP/1.1 200 \r\ntransfer-encoding:chunked\r\n\r\n" } else { b"HTTP/1.1 200" };
        read(&[start, &tail].concat(), false, ended);
    }

    /// However a reply is cut into pieces, it is the same reply, and no byte of it is looked at twice.
    #[test]
    fn pieces_make_no_difference(
        which in 0..REPLIES.len(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ended: bool,
    ) {
        let mut bytes = REPLIES[which].to_vec();
        for (at, byte) in noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let (incoming, shown) = in_pieces(&pieces, ended);
        match (incoming, read(&bytes, false, ended)) {
            // What is shown of a stranger depends on what had arrived.
            (Incoming::NotHttp(_), Incoming::NotHttp(_)) => {}
            (one, other) => prop_assert_eq!(one, other),
        }
        prop_assert!(shown <= bytes.len());
    }
}
