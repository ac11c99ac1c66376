//! Hive's Thrift server.

use super::profile::{Fact, HOUR, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "hiveserver2",
    aliases: &["hive", "hs2", "hive-server2"],
    title: "HiveServer2",
    summary: "Hive's Thrift server, by the binary transport or by HTTP.",
    port: Some(10_000),
    idle: HOUR.saturating_mul(12),
    max_connections: Some(480),
    refuses_proxy: true,
    probe: Question::HiveServer2 { http_port: 10_001 },
    clients: "beeline, JDBC and ODBC drivers, impyla, PyHive, Hue: they speak first, open a session on their connection and \
        keep it for as long as their user works. With the HTTP transport each request may come on a connection of its own.",
    facts: &[
        Fact {
            of: "port",
            why: "`hive.server2.thrift.port`; 10001 with the HTTP transport. TLS is on the same port.",
            source: "apache/hive common/src/java/org/apache/hadoop/hive/conf/HiveConf.java",
        },
        Fact {
            of: "timeouts.idle",
            why: "Sessions sit idle for hours while their user thinks, and the server's own bound is days.",
            source: "apache/hive HiveConf.java, hive.server2.idle.session.timeout",
        },
        Fact {
            of: "max_connections",
            why: "It keeps a thread for each connection, at most 500 (`hive.server2.thrift.max.worker.threads`): the bound \
                stays a little below, so that probes and administrators still get in.",
            source: "apache/hive HiveConf.java; apache/thrift TThreadPoolServer.java",
        },
        Fact {
            of: "dial",
            why: "Its clients speak first, and a connection that says nothing holds a thread.",
            source: "apache/thrift doc/specs/thrift-sasl-spec.txt",
        },
        Fact {
            of: "send_proxy",
            why: "It does not know the PROXY header.",
            source: "apache/hive ThriftBinaryCLIService.java",
        },
    ],
    hints: &[
        "A session lives in one server: a client that comes back on another one is told \"Invalid SessionHandle\". Give clients \
         of the HTTP transport, and a Hue that shares sessions between connections, `sticky`.",
        "With Kerberos, clients ask the KDC for the name that they were told: the keytab of every server must hold the principal of howdah's name.",
        "A passive or leaving server takes connections and refuses sessions: `depth = \"session\"` sees it.",
    ],
    ..Profile::BASE
};
