use proptest::prelude::*;

use super::*;

const SESSION: Handle = Handle {
    guid: [0x47; 16],
    secret: [0x53; 16],
};

fn hex(text: &str) -> Vec<u8> {
    let text = text
        .replace("G16", &"47".repeat(16))
        .replace("S16", &"53".repeat(16))
        .replace(' ', "");
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn open() -> Request {
    Request::OpenSession {
        protocol: PROTOCOL_V6,
        user: Some("probe".into()),
        password: None,
        configuration: Vec::new(),
    }
}

fn select() -> Request {
    Request::ExecuteStatement {
        session: SESSION,
        statement: "SELECT 1".into(),
        run_async: false,
    }
}

#[test]
fn requests_have_the_golden_bytes() {
    let table = [
        (
            open(),
            47,
            "80010001 0000000b 4f70656e53657373696f6e 00000000 0c0001 08000100000005 0b000200000005 70726f6265 00 00",
        ),
        (
            Request::CloseSession(SESSION),
            83,
            "80010001 0000000c 436c6f736553657373696f6e 00000000 0c0001 0c0001 0c0001 0b000100000010 G16 0b000200000010 S16 00 00 00 00",
        ),
        (
            Request::GetInfo {
                session: SESSION,
                what: INFO_DBMS_NAME,
            },
            85,
            "80010001 00000007 476574496e666f 00000000 0c0001 0c0001 0c0001 0b000100000010 G16 0b000200000010 S16 00 00 080002 00000011 00 00",
        ),
        (
            select(),
            117,
            "80010001 00000010 4578656375746553746174656d656e74 00000000 0c0001 0c0001 0c0001 0b000100000010 G16 0b000200000010 S16 00 00 0b0002 00000008 53454c4543542031 020004 00 0a0005 0000000000000000 00 00",
        ),
        (
            Request::Other {
                name: "PingImpalaHS2Service".into(),
                session: Some(SESSION),
            },
            91,
            "80010001 00000014 50696e67496d70616c6148533253657276696365 00000000 0c0001 0c0001 0c0001 0b000100000010 G16 0b000200000010 S16 00 00 00 00",
        ),
        (
            Request::Other {
                name: "PingImpalaService".into(),
                session: None,
            },
            30,
            "80010001 00000011 50696e67496d70616c6153657276696365 00000000 00",
        ),
    ];
    for (request, length, golden) in table {
        let bytes = request.encode(0);
        assert_eq!(bytes, hex(golden), "{}", request.name());
        assert_eq!(bytes.len(), length, "{}", request.name());
        assert_eq!(Call::decode(&bytes).unwrap().request, request);
    }
}

#[test]
fn open_session_reply_has_the_golden_start() {
    let reply = Reply {
        protocol: Some(PROTOCOL_V6),
        session: Some(SESSION),
        ..Reply::default()
    };
    let golden = hex(
        "80010002 0000000b 4f70656e53657373696f6e 00000000 0c0000 0c0001 080001 00000000 00 080002 00000005 0c0003",
    );
    let bytes = reply.encode("OpenSession", 0, PROTOCOL_V6);
    assert!(bytes.starts_with(&golden));
    assert_eq!(Outcome::decode(&bytes), Ok(Outcome::Reply(Box::new(reply))));
}

#[test]
fn java_reply_to_an_unknown_method_is_read() {
    let golden = [
        hex("80010003 0000000a 686f7764616850696e67 00000000 0b0001 00000021"),
        b"Invalid method name: 'howdahPing'".to_vec(),
        hex("080002 00000001 00"),
    ]
    .concat();
    let failure = Failure::unknown_method("howdahPing");
    assert_eq!(failure.encode("howdahPing", 0), golden);
    assert_eq!(Outcome::decode(&golden), Ok(Outcome::Failure(failure)));
}

#[test]
fn rows_come_back_as_they_were_sent() {
    let columns = vec![
        Column::Text(vec![Some("a".into()), None, Some(String::new())]),
        Column::Int(vec![None, Some(-1), Some(7)]),
        Column::Long(vec![Some(i64::MIN), None, None]),
    ];
    let reply = Reply {
        has_more: Some(false),
        rows: Some(RowSet { start: 0, columns }),
        ..Reply::default()
    };
    let bytes = reply.encode("FetchResults", 3, PROTOCOL_V6);
    assert_eq!(Outcome::decode(&bytes), Ok(Outcome::Reply(Box::new(reply))));
}

#[test]
fn old_clients_get_rows() {
    let reply = Reply {
        rows: Some(RowSet {
            start: 0,
            columns: vec![Column::Int(vec![Some(1)])],
        }),
        ..Reply::default()
    };
    let bytes = reply.encode("FetchResults", 0, 0);
    let row_list = hex("0f0002 0c 00000001 0f0001 0c 00000001 0c0004 080001 00000001 00 00 00");
    assert!(
        bytes
            .windows(row_list.len())
            .any(|window| window == row_list)
    );
}

#[test]
fn unknown_fields_are_skipped() {
    let mut writer = Writer::message(super::super::thrift::Kind::Reply, "CloseSession", 0);
    writer.structure(0, |w| {
        w.structure(99, |w| w.i64_field(1, 1));
        Status::error("no").encode(1, w);
        w.text_map(98, &[("a".into(), "b".into())]);
    });
    writer.stop();
    let decoded = Outcome::decode(&writer.finish()).unwrap();
    assert_eq!(
        decoded,
        Outcome::Reply(Box::new(Reply::of(Status::error("no"))))
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        method in prop::sample::select(vec!["OpenSession", "FetchResults", "GetInfo", "ExecuteStatement", "GetOperationStatus"]),
        tail in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        let _ = Outcome::decode(&tail);
        let _ = Call::decode(&tail);
        let mut bytes = Writer::message(super::super::thrift::Kind::Reply, method, 0).finish();
        bytes.extend([12, 0, 0]);
        bytes.extend(&tail);
        let _ = Outcome::decode(&bytes);
    }

    #[test]
    fn one_changed_byte_makes_it_no_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let reply = Reply {
            rows: Some(RowSet { start: 0, columns: vec![Column::Text(vec![Some("x".into()); 9])] }),
            ..Reply::default()
        };
        for mut bytes in [reply.encode("FetchResults", 0, PROTOCOL_V6), select().encode(0)] {
            let index = at.index(bytes.len());
            bytes[index] = byte;
            let _ = Outcome::decode(&bytes);
            let _ = Call::decode(&bytes);
        }
    }
}
