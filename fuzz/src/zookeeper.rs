//! ZooKeeper's answers, and what servers write of themselves into its znodes.

use howdah::wire::znode::{is_server, registered};
use howdah::wire::zookeeper::{FRAME_MAX, changed, children, connected, frame, held, reply};

/// A frame is what it says, is not there without its last byte, and does not depend on what follows; nothing in it is
/// longer than it is.
pub fn zookeeper(bytes: &[u8]) {
    let found = frame(bytes);
    let more = [bytes, b"\0\0\0\0"].concat();
    match found {
        Ok(None) => {}
        Err(error) => assert_eq!(frame(&more), Err(error), "more bytes mend nothing"),
        Ok(Some(body)) => {
            assert!(body.len() <= FRAME_MAX);
            assert_eq!(frame(&more), Ok(Some(body)));
            assert_eq!(frame(&bytes[..body.len() + 3]), Ok(None));
        }
    }
    let body = found.ok().flatten().unwrap_or(bytes);
    let _ = connected(body);
    let Ok(answer) = reply(body) else { return };
    assert_eq!(body.len(), answer.content.len() + 16);
    if let Ok(names) = children(answer.content) {
        let length: usize = names.iter().map(|name| name.len() + 4).sum();
        assert!(length <= answer.content.len());
    }
    if let Ok(held) = held(answer.content) {
        assert!(held.data.len() + 56 <= answer.content.len());
    }
    let _ = changed(answer.content);
}

/// The name is the first line, the data are the rest. A server has a host and a port, whatever stands there.
pub fn znode(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let Ok(found) = registered(&name, parts.next().unwrap_or_default()) else {
        return;
    };
    assert!(is_server(&name));
    assert!(found.port != 0 && !found.host.is_empty() && found.host.len() <= 253);
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    assert!(found.host.bytes().all(good), "{}", found.host);
}
