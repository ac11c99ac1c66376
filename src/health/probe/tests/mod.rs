//! Each reason, from a server that gives cause for it. Servers are tasks of the test's own runtime, on loopback.

mod connection;
mod database;
mod greeting;
mod kerberos;
mod secure;
mod session;
mod web;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::health::{Reason, Verdict};
use crate::plan::{HiveAuth, HiveTransport, HttpAsk, Secret};
use crate::wire::hive::{
    Call, Column, Failure, Handle, Operation, Reply, Request, RowSet, Status as HiveStatus, state,
};
use crate::wire::sasl::{self, Status};

/// Every connection gets its own `life`.
async fn server<L, F>(life: L) -> SocketAddr
where
    L: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(life(stream));
        }
    });
    address
}

/// Reads something, says `answer`, and ends.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    server(move |mut stream| async move {
        let mut heard = [0; 1024];
        let _ = stream.read(&mut heard).await;
        let _ = stream.write_all(answer).await;
    })
    .await
}

/// An address that nobody takes either: no other test is on that host.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.53.23:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn plan(ask: Ask) -> ProbePlan {
    ProbePlan {
        ask,
        port: None,
        tls: None,
        kerberos: None,
        interval: Duration::from_secs(5),
        fast_interval: Duration::from_secs(1),
        deep_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
        rise: 1,
        fall: 1,
        observe: crate::plan::ObservePlan::DEFAULT,
    }
}

/// For the tests of other files.
pub(super) fn plan_of(ask: Ask, timeout: Duration) -> ProbePlan {
    ProbePlan {
        timeout,
        ..plan(ask)
    }
}

/// For a question that is not going to be answered.
fn hasty(plan: ProbePlan) -> ProbePlan {
    ProbePlan {
        timeout: Duration::from_millis(400),
        ..plan
    }
}

fn hive_plan(depth: Depth) -> ProbePlan {
    hive_as(depth, HiveAuth::Plain { account: None })
}

fn hive_as(depth: Depth, auth: HiveAuth) -> ProbePlan {
    plan(Ask::HiveServer2 {
        depth,
        transport: HiveTransport::Binary,
        auth,
    })
}

fn account() -> HiveAuth {
    let account = Some(("carol".to_owned(), Secret::new("secret")));
    HiveAuth::Plain { account }
}

fn get(path: &str) -> HttpAsk {
    HttpAsk::get(path)
}

async fn find(address: SocketAddr, plan: &ProbePlan) -> Finding {
    find_with(address, plan, &mut ProbeMemory::default()).await
}

async fn find_with(address: SocketAddr, plan: &ProbePlan, memory: &mut ProbeMemory) -> Finding {
    let addresses = [address];
    let endpoint = Endpoint {
        addresses: &addresses,
        host: "127.0.0.1",
        send_proxy: None,
    };
    ask(&endpoint, plan, Effort::Full, &Means::default(), memory).await
}

#[track_caller]
fn assert_found(finding: &Finding, verdict: Verdict, reason: Reason, step: &str) {
    let found = (finding.verdict, finding.reason, finding.step);
    assert_eq!(found, (verdict, reason, step), "{finding:?}");
}

#[track_caller]
fn assert_up(finding: &Finding) {
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
}

/// A HiveServer2 of the test's making.
#[derive(Clone)]
struct Hive {
    /// What the login is answered with; `None`: it is taken.
    bad: Option<&'static str>,
    sasl: bool,
    /// Thrift 0.12 or later.
    new: bool,
    open: HiveStatus,
    query: HiveStatus,
    row: Option<i32>,
    /// How each connection ended.
    ends: mpsc::UnboundedSender<&'static str>,
}

type Ends = mpsc::UnboundedReceiver<&'static str>;

impl Hive {
    #[allow(clippy::disallowed_methods, reason = "a test hears a handful")]
    fn new() -> (Self, Ends) {
        let (ends, heard) = mpsc::unbounded_channel();
        let hive = Self {
            bad: None,
            sasl: true,
            new: false,
            open: HiveStatus::success(),
            query: HiveStatus::success(),
            row: Some(1),
            ends,
        };
        (hive, heard)
    }

    async fn start(self) -> SocketAddr {
        server(move |stream| self.clone().serve(stream)).await
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        if self.sasl
            && let Err(end) = self.negotiate(&mut stream, &mut bytes).await
        {
            let _ = self.ends.send(end);
            return;
        }
        let end = loop {
            let Some(message) = self.message(&mut stream, &mut bytes).await else {
                break "ended after the login";
            };
            let Some(reply) = self.reply(&message) else {
                break "not understood";
            };
            let mut out = Vec::new();
            if self.sasl {
                sasl::put_frame(&mut out, &reply);
            } else {
                out = reply;
            }
            if stream.write_all(&out).await.is_err() {
                break "write failed";
            }
        };
        let _ = self.ends.send(end);
    }

    async fn negotiate(
        &self,
        stream: &mut TcpStream,
        bytes: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        for turn in 0..2 {
            let (status, payload) = loop {
                if let Ok(Some((message, taken))) = sasl::message(bytes) {
                    let owned = (message.status, message.payload.to_vec());
                    bytes.drain(..taken);
                    break owned;
                }
                match stream.read_buf(bytes).await {
                    Ok(0) if turn == 0 => return Err("ended before a byte"),
                    Ok(0) => return Err("ended within the login"),
                    Ok(_) => {}
                    Err(_) => return Err("reset"),
                }
            };
            if turn == 0 {
                assert_eq!(status, Status::Start);
                assert!(payload == b"PLAIN" || payload == b"GSSAPI");
                let kerberos = self.bad.is_some_and(|text| text.starts_with("Unsupported"));
                if kerberos && payload == b"PLAIN" {
                    return self.refuse(stream).await;
                }
            } else if self.bad.is_some() {
                return self.refuse(stream).await;
            }
        }
        stream
            .write_all(b"\x05\0\0\0\0")
            .await
            .map_err(|_| "write failed")
    }

    async fn refuse(&self, stream: &mut TcpStream) -> Result<(), &'static str> {
        let mut out = Vec::new();
        sasl::put_message(&mut out, Status::Bad, self.bad.unwrap().as_bytes());
        let _ = stream.write_all(&out).await;
        Err("refused")
    }

    async fn message(&self, stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
        loop {
            let framed = if self.sasl {
                let frame = sasl::frame(bytes, sasl::FRAME_MAX).ok()?;
                frame.map(|(content, taken)| (content.to_vec(), taken))
            } else {
                let length = crate::wire::thrift::message_length(bytes).ok();
                length.map(|length| (bytes[..length].to_vec(), length))
            };
            if let Some((message, taken)) = framed {
                bytes.drain(..taken);
                return Some(message);
            }
            if stream.read_buf(bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    fn reply(&self, message: &[u8]) -> Option<Vec<u8>> {
        let Ok(call) = Call::decode(message) else {
            let message = if self.new {
                "Unrecognized type 16"
            } else {
                "Required field 'sessionHandle' is unset!"
            };
            let failure = Failure {
                kind: 7,
                message: message.to_owned(),
            };
            return Some(failure.encode("GetInfo", 0));
        };
        let handle = Handle {
            guid: [1; 16],
            secret: [2; 16],
        };
        let mut reply = Reply::default();
        match &call.request {
            Request::OpenSession { .. } => {
                reply.status = self.open.clone();
                reply.session = Some(handle);
            }
            Request::ExecuteStatement { .. } => {
                reply.status = self.query.clone();
                reply.operation = Some(Operation {
                    id: handle,
                    kind: 0,
                    has_rows: true,
                });
            }
            Request::GetOperationStatus(_) => reply.state = Some(state::FINISHED),
            Request::FetchResults { .. } => {
                let columns = vec![Column::Int(self.row.into_iter().map(Some).collect())];
                reply.rows = Some(RowSet { start: 0, columns });
            }
            Request::CloseOperation(_) | Request::CloseSession(_) => {}
            other => {
                let failure = Failure::unknown_method(other.name());
                return Some(failure.encode(other.name(), call.sequence));
            }
        }
        Some(reply.encode(call.request.name(), call.sequence, 5))
    }
}
