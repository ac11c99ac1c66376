//! The decoders of what databases say to a probe.

use howdah::wire::mysql::{self, Greeting, Table};
use howdah::wire::postgres;

/// A packet takes what it says and is incomplete without its last byte; packets in a row are a greeting, replies and a table.
pub fn mysql(bytes: &[u8]) {
    let mut table = Table::default();
    let mut rest = bytes;
    while let Ok(Some((packet, taken))) = mysql::packet(rest) {
        assert_eq!(mysql::packet(&rest[..taken - 1]), Ok(None));
        assert_eq!(mysql::framed(packet.number, packet.body), &rest[..taken]);
        if let Ok(Ok(greeting)) = Greeting::read(packet.body) {
            assert!(greeting.salt.len() >= 20, "no salt is shorter");
        }
        let _ = mysql::reply(packet.body);
        if !matches!(table.feed(packet.body), Ok(Ok(false))) {
            break;
        }
        rest = &rest[taken..];
    }
    for row in table.rows() {
        assert!(row.len() <= mysql::COLUMNS_MAX);
    }
}

/// A message takes what it says, and is incomplete without its last byte.
pub fn postgres(bytes: &[u8]) {
    match postgres::message(bytes) {
        Ok(Some((_, taken))) => {
            assert!(taken <= bytes.len());
            assert_eq!(postgres::message(&bytes[..taken - 1]), Ok(None));
        }
        Ok(None) => {}
        Err(error) => {
            let more = [bytes, b"\0\0\0\0"].concat();
            assert_eq!(
                postgres::message(&more),
                Err(error),
                "more bytes mend nothing"
            );
        }
    }
}
