//! The decoder of the peers protocol.

use howdah::wire::peers::{
    Definition, Hello, Message, Received, Status, message, put_number, take_number,
};

/// What was read is the same when written again; a conversation goes on behind whatever was read, and ends where something is
/// malformed; what a message was does not change when more comes.
pub fn peers(bytes: &[u8]) {
    if let Ok(Some((hello, taken))) = Hello::decode(bytes) {
        assert!(taken <= bytes.len());
        let again = hello.encode();
        let (read, _) = Hello::decode(&again).expect("ours").expect("whole");
        assert_eq!(read, hello);
    }
    if let Ok(Some((status, taken))) = Status::decode(bytes) {
        let again = Status::decode(&status.encode()).expect("ours");
        assert_eq!(again.map(|(status, _)| status), Some(status));
        assert!(taken <= bytes.len());
    }
    let mut number = bytes;
    if let Ok(Some(value)) = take_number(&mut number) {
        let mut out = Vec::new();
        put_number(&mut out, value);
        assert_eq!(take_number(&mut out.as_slice()), Ok(Some(value)));
    }
    converse(bytes);
}

fn converse(mut bytes: &[u8]) {
    let mut dictionary = Received::default();
    let mut table: Option<Definition> = None;
    while let Ok(Some((told, taken))) = Message::decode(bytes) {
        assert!(taken >= 2);
        let alone = Message::decode(&bytes[..taken]);
        assert_eq!(alone, Ok(Some((told.clone(), taken))));
        match told {
            Message::Define(definition) => {
                let mut out = Vec::new();
                message::put_definition(&mut out, &definition);
                let again = Message::decode(&out);
                assert_eq!(
                    again,
                    Ok(Some((Message::Define(definition.clone()), out.len())))
                );
                table = Some(definition);
            }
            Message::Update(update) => {
                if let Some(table) = &table
                    && update.entry(table, &mut dictionary).is_err()
                {
                    return;
                }
            }
            _ => {}
        }
        bytes = &bytes[taken..];
    }
}
