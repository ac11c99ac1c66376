//! Errors of sockets and of TLS, as answers with a reason of their own.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::trace::Answer;
use crate::base::connect::is_own_limit;
use crate::health::Reason;

/// A connect to `address` failed.
pub(super) fn of_connect(error: &io::Error, address: SocketAddr) -> Answer {
    let reason = match error.kind() {
        ErrorKind::ConnectionRefused => Reason::ConnectRefused,
        ErrorKind::TimedOut => Reason::ConnectTimeout,
        ErrorKind::ConnectionReset => Reason::Reset,
        _ if is_own_limit(error) => Reason::Unusable,
        _ => Reason::ConnectFailed,
    };
    Answer::down(reason, &format!("{address}: {error}"))
}

/// A read or write failed; TLS errors come wrapped in such.
pub(super) fn of_io(error: &io::Error) -> Answer {
    if let Some(tls) = tls_error(error) {
        return of_tls(tls);
    }
    let reason = match error.kind() {
        ErrorKind::ConnectionReset => Reason::Reset,
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Reason::Closed
        }
        ErrorKind::TimedOut => Reason::Timeout,
        _ => Reason::ConnectFailed,
    };
    Answer::down(reason, &error.to_string())
}

/// The TLS handshake failed.
pub(super) fn of_handshake(error: &io::Error) -> Answer {
    if tls_error(error).is_none() && error.kind() == ErrorKind::UnexpectedEof {
        let text = "closed during the TLS handshake: does the port speak TLS?";
        return Answer::down(Reason::Closed, text);
    }
    of_io(error)
}

fn of_tls(error: &TlsError) -> Answer {
    let reason = match error {
        TlsError::InvalidCertificate(fault) => of_certificate(fault),
        TlsError::InvalidMessage(_) | TlsError::InappropriateMessage { .. } => Reason::NotTls,
        TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::CertificateUnknown
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA,
        ) => Reason::ClientCertificate,
        _ => Reason::TlsFailed,
    };
    Answer::down(reason, &error.to_string())
}

fn of_certificate(fault: &CertificateError) -> Reason {
    match fault {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::CertificateName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Reason::CertificateExpired,
        _ => Reason::CertificateUntrusted,
    }
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}
