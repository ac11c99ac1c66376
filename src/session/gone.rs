//! Whether a client that waits is still there.

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::end::Reason;

/// Until the client ends or resets; what it may send meanwhile stays where it is. The runtime tells of an end to whoever
/// waits for urgent data, and of the arrival of bytes it does not.
pub(super) async fn gone(client: &TcpStream) -> Reason {
    loop {
        match client.ready(Interest::PRIORITY).await {
            Ok(ready) if !ready.is_read_closed() => tokio::task::yield_now().await,
            _ => break,
        }
    }
    match client.take_error() {
        Ok(None) => Reason::ClientClosed,
        _ => Reason::ClientReset,
    }
}
