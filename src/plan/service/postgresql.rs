//! PostgreSQL, alone or with standbys that copy it.

use super::profile::{Fact, HOUR, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "postgresql",
    aliases: &["postgres", "pgsql", "pg"],
    title: "PostgreSQL",
    summary: "PostgreSQL, a primary alone or with standbys; metastores, Hue, Ambari and Ranger keep their state in it.",
    port: Some(5432),
    idle: HOUR.saturating_mul(8),
    refuses_proxy: true,
    tls_inside: true,
    probe: Question::PostgreSql,
    clients: "Pools of connections in programs (HikariCP, pgbouncer, libpq's): they speak first, keep their connections for \
        hours, and open new ones when those break.",
    facts: &[
        Fact {
            of: "port",
            why: "`port`. TLS is on the same one: a client asks for it in its first eight bytes.",
            source: "PostgreSQL documentation, Frontend/Backend Protocol, \"SSL Session Encryption\"",
        },
        Fact {
            of: "timeouts.idle",
            why: "Pools keep idle connections for hours; a server ends none of them by itself.",
            source: "PostgreSQL documentation, `idle_session_timeout`",
        },
        Fact {
            of: "dial",
            why: "Its clients speak first; a connection that says nothing holds a process until `authentication_timeout`.",
            source: "PostgreSQL documentation, Frontend/Backend Protocol, \"Start-up\"",
        },
        Fact {
            of: "probe",
            why: "A startup without a login ends where the server asks for a password, and leaves nothing in its log. Only a login \
                tells the role: `pg_is_in_recovery()`.",
            source: "PostgreSQL documentation, \"Recovery Information Functions\"; measured by tests/real/test_databases.py",
        },
        Fact {
            of: "role",
            why: "Nothing is said of it, since without an account nobody knows it. A pool for writes says `active`, one for reads \
                `standby`, both with a `username` in the probe.",
            source: "docs/services/postgresql.md",
        },
    ],
    hints: &[
        "Without `username` a standby looks like a primary: writes end on it in `cannot execute INSERT in a read-only transaction`.",
        "All clients come from howdah's address: `pg_hba.conf` needs a line for it, and its users and databases are then the only \
         way to tell clients apart.",
        "Each probe takes one of `max_connections` for some milliseconds; `superuser_reserved_connections` are not for it.",
        "Programs that name both servers (`target_session_attrs`, JDBC's `targetServerType`) need no balancer; howdah is for \
         those that can be told one address.",
    ],
    ..Profile::BASE
};
