//! Does it speak TLS, with a certificate for the right name and of today?

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::link::{Link, Target};
use super::trace::{Answer, Asked, Trace};
use crate::health::Reason;

/// How long a server may take to end its side after ours.
const PART: Duration = Duration::from_millis(250);

/// The handshake without resumption, which would not show the certificate, and then the close: in TLS 1.3 a server refuses
/// our certificate, or the lack of one, only after our side is done (RFC 8446 §4.4.2).
pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
) -> Asked<Answer> {
    let tcp = target.connect(trace.deadline()).await?;
    trace.step("tls");
    let unusable = || Answer::down(Reason::Unusable, "the probe has no TLS settings");
    let connector = target.tls.ok_or_else(unusable)?;
    let link = link.insert(target.secure(connector, tcp, true).await?);
    trace.step("close");
    let until = trace.deadline().min(Instant::now() + PART);
    let parted = timeout_at(until, async {
        link.shut().await;
        while link.more().await? {}
        Asked::Ok(())
    });
    match parted.await {
        Ok(Err(refused)) if refused.reason == Reason::ClientCertificate => Err(refused),
        _ => Ok(Answer::up()),
    }
}
