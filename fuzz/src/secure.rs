//! ClientHello, beside what rustls makes of the same bytes.

use howdah::wire::client_hello::{self, HELLO_MAX, Hello};
use rustls::server::Acceptor;

/// What was decided stays, and where rustls reads a name, it is ours.
pub fn client_hello(bytes: &[u8]) {
    let hello = client_hello::read(bytes);
    match &hello {
        Hello::Incomplete => assert!(bytes.len() < HELLO_MAX),
        decided => {
            let more = [bytes, b"\x16\x03\x01\0\x01\0"].concat();
            assert_eq!(client_hello::read(&more), *decided);
        }
    }
    if bytes.len() > HELLO_MAX {
        return;
    }
    let mut acceptor = Acceptor::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        match acceptor.read_tls(&mut rest) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let theirs = accepted
                    .client_hello()
                    .server_name()
                    .map(str::to_ascii_lowercase);
                let Hello::Found(ours) = hello else {
                    panic!("rustls accepts {theirs:?}, and we say {hello:?}");
                };
                // rustls leaves the last dot, which we take away.
                if let Some(name) = theirs {
                    let name = name.strip_suffix('.').unwrap_or(&name);
                    assert_eq!(ours.sni.as_deref(), Some(name));
                }
                return;
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}
