//! MySQL and MariaDB, alone or with replicas.

use super::profile::{Fact, HOUR, Profile, Question};
use crate::plan::Dial;

pub(super) const PROFILE: Profile = Profile {
    word: "mysql",
    aliases: &["mariadb", "percona"],
    title: "MySQL and MariaDB",
    summary: "MySQL or MariaDB, a source alone or with replicas; metastores, Hue, Ambari and Ranger keep their state in it.",
    port: Some(3306),
    dial: Dial::AtOnce,
    idle: HOUR.saturating_mul(8),
    tls_inside: true,
    probe: Question::MySql,
    clients: "Pools of connections in programs: they wait for the server's greeting, keep their connections for hours, and open \
        new ones when those break.",
    facts: &[
        Fact {
            of: "port",
            why: "`port`. TLS is on the same one: a client asks for it when it has read the greeting.",
            source: "MySQL Internals, \"Connection Phase\"",
        },
        Fact {
            of: "dial",
            why: "The server speaks first.",
            source: "MySQL Internals, \"Connection Phase\"",
        },
        Fact {
            of: "timeouts.idle",
            why: "`wait_timeout`: after eight hours the server ends an idle connection itself.",
            source: "MySQL Reference Manual, `wait_timeout`",
        },
        Fact {
            of: "probe",
            why: "A handshake that is not brought to its end counts toward `max_connect_errors`, and then the server blocks \
                howdah's address for everybody. A login does not count, be it refused. Only a login tells the role: `read_only`.",
            source: "MySQL Reference Manual, \"Host 'host_name' is blocked\"; measured by tests/real/test_databases.py",
        },
        Fact {
            of: "role",
            why: "Nothing is said of it, since without an account nobody knows it. A pool for writes says `active`, one for reads \
                `standby`, both with a `username` in the probe.",
            source: "docs/services/mysql.md",
        },
    ],
    hints: &[
        "Clients that connect to howdah and leave (port scans, `type = \"tcp\"` probes of others) are unfinished handshakes from \
         howdah's address: raise `max_connect_errors`, or set `skip_name_resolve`, with which nothing is counted.",
        "A replica without `read_only` says that it takes writes, and is a second active server: the pool shows a conflict.",
        "All clients come from howdah's address: accounts are for it, or for `%`. MariaDB reads PROXY headers from addresses \
         in `proxy_protocol_networks`; `send_proxy` brings the client's own then.",
        "Galera's nodes all take writes: leave `role` out there. One that is not in sync answers 1047, which is alive.",
    ],
    ..Profile::BASE
};
