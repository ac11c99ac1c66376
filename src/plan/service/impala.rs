//! Coordinators of Impala.

use super::profile::{Fact, HOUR, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "impala",
    aliases: &["impalad"],
    title: "Impala",
    summary: "Impala's coordinators, by HiveServer2's protocol.",
    port: Some(21_050),
    idle: HOUR.saturating_mul(12),
    max_connections: Some(60),
    refuses_proxy: true,
    probe: Question::Impala {
        web_port: 25_000,
        thrift_ports: &[21_000, 21_050],
    },
    clients: "impala-shell, JDBC and ODBC drivers, impyla, Hue: they speak first, and a session may go on over a new connection \
        to the same coordinator.",
    facts: &[
        Fact {
            of: "port",
            why: "`--hs2_port`; Beeswax is on 21000, the HTTP transport on 28000. TLS is on the same ports.",
            source: "apache/impala be/src/service/impala-server.cc",
        },
        Fact {
            of: "probe.port",
            why: "`--webserver_port`: its root page says whether this is a coordinator, and whether it is shutting down.",
            source: "apache/impala be/src/util/default-path-handlers.cc",
        },
        Fact {
            of: "timeouts.idle",
            why: "Sessions sit idle for hours while their user thinks.",
            source: "apache/impala docs/topics/impala_proxy.xml; IMPALA-6959",
        },
        Fact {
            of: "max_connections",
            why: "It serves 64 clients at once on a port (`--fe_service_threads`), and the next one waits unheard: the bound \
                stays a little below, so that probes and administrators still get in.",
            source: "apache/impala be/src/rpc/TAcceptQueueServer.cpp",
        },
        Fact {
            of: "dial",
            why: "A connection that is opened before the client has spoken holds one of two set-up threads \
                (`--accepted_cnxn_setup_thread_pool_size`).",
            source: "apache/impala be/src/rpc/TAcceptQueueServer.cpp",
        },
        Fact {
            of: "send_proxy",
            why: "It does not know the PROXY header.",
            source: "apache/impala be/src/transport",
        },
    ],
    hints: &[
        "Name coordinators only: a dedicated executor refuses sessions, and its probe says `not-coordinator`.",
        "`/healthz` stays 200 while a coordinator shuts down: howdah reads `is_quiescing` of the root page instead.",
        "A stop takes an hour at most (`--shutdown_deadline_s`): let `global.drain_timeout` be longer than that.",
    ],
    ..Profile::BASE
};
