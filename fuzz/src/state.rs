//! The state file.

use howdah::state::{decode, encode};

/// What was read is the same when written again, and read again.
pub fn state(bytes: &[u8]) {
    if let Ok(memory) = decode(bytes) {
        let again = encode(&memory);
        assert_eq!(decode(&again).as_ref(), Ok(&memory));
        assert_eq!(encode(&memory), again);
    }
}
