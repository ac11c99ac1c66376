//! What to try when a probe finds something else than it was told of.

use crate::health::Reason;

/// How the question was put, and so how it is put otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// By the words of the command.
    Words,
    /// As a pool's file says.
    Pool,
}

/// A sentence, where there is one to say.
pub(super) fn hint(reason: Reason, put: Put) -> Option<&'static str> {
    let found = HINTS.iter().find(|(of, ..)| *of == reason);
    found.map(|(_, words, pool)| match put {
        Put::Words => *words,
        Put::Pool => *pool,
    })
}

/// The reason; what to say on the command line, and in the file.
const HINTS: &[(Reason, &str, &str)] = &[
    (
        Reason::SpeaksTls,
        "it speaks TLS: ask with --tls, and with --ca FILE where the system's store does not know who signed its certificate",
        "it speaks TLS: let the pool have [pool.NAME.tls], with ca = \"FILE\" where the system's store does not know who signed its certificate",
    ),
    (
        Reason::NotTls,
        "it speaks no TLS: leave --tls, --ca and --server-name out",
        "it speaks no TLS: leave [pool.NAME.tls] out, or say probe.tls = false where the probe asks another port",
    ),
    (
        Reason::CertificateUntrusted,
        "name who signed its certificate: --ca FILE",
        "name who signed its certificate: ca = \"FILE\" in [pool.NAME.tls]",
    ),
    (
        Reason::CertificateName,
        "ask by a name that the certificate has, or say it: --server-name NAME",
        "write the server by a name that the certificate has, or say it: server_name = \"NAME\" in [pool.NAME.tls]",
    ),
    (
        Reason::ClientCertificate,
        "it asks for a certificate of yours: --cert FILE --key FILE",
        "it asks for a certificate of howdah's: certificate and key in [pool.NAME.tls]",
    ),
    (
        Reason::SpeaksHttp,
        "it speaks HTTP: of a HiveServer2 ask with --transport http, else by type http",
        "it speaks HTTP: say transport = \"http\" of a HiveServer2 in [pool.NAME.probe], else type = \"http\"",
    ),
    (
        Reason::SpeaksSasl,
        "it wants SASL: --auth plain",
        "it wants SASL: auth = \"plain\" in [pool.NAME.probe]",
    ),
    (
        Reason::NotSasl,
        "it speaks no SASL: --auth nosasl",
        "it speaks no SASL: auth = \"nosasl\" in [pool.NAME.probe]",
    ),
    (
        Reason::AccountNeeded,
        "it wants an account: --user NAME --password-file FILE",
        "it wants an account: username and password_file in [pool.NAME.probe]",
    ),
    (
        Reason::UnsupportedMechanism,
        "it wants another login, with Kerberos a ticket: --keytab FILE --principal NAME",
        "it wants another login, with Kerberos a ticket: keytab and principal in [pool.NAME.probe]",
    ),
];
