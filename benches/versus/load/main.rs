//! The load generator of `benches/versus/run`: a server that answers, and clients that ask.
//!
//! It must weigh less than the proxies it measures, so it is one thread with one epoll set, sockets
//! that keep their blocking flag (`MSG_DONTWAIT` spares the call that would change it), and answers
//! thrown away inside the kernel (`MSG_TRUNC`); `recover` alone takes three. Every mode runs for a bounded time or count and
//! prints one JSON line. wrk, iperf3 and `openssl s_time` can talk to the server as well: what it
//! speaks is the smallest possible HTTP.

mod bulk;
mod datagrams;
mod fresh;
mod histogram;
mod idle;
mod link;
mod paced;
mod recover;
mod server;
mod small;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use recover::Recover;

/// What every client mode needs.
#[derive(Args)]
struct Load {
    /// Whom to ask.
    target: SocketAddr,
    /// Connections open at once.
    #[arg(long, default_value_t = 50)]
    connections: usize,
    /// How long to measure.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How long to run before, unmeasured.
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
    /// Stop after this many answers, if that is sooner; 0 is no bound.
    #[arg(long, default_value_t = 0)]
    count: u64,
}

#[derive(Subcommand)]
enum Mode {
    /// Answer `GET /N` with a head and N bytes; HTTP/1.0 is closed after its answer.
    Server {
        /// `ADDRESS:PORT`, or `ADDRESS+COUNT:PORT` for COUNT addresses one after another.
        #[arg(required = true)]
        listen: Vec<String>,
        /// The letter of which answers consist.
        #[arg(long, default_value_t = 'x')]
        mark: char,
        /// When this process dies, its connections are reset; otherwise the kernel ends them in order.
        #[arg(long)]
        abrupt: bool,
    },
    /// Send every datagram back.
    Echo {
        /// As for `server`.
        #[arg(required = true)]
        listen: Vec<String>,
    },
    /// Datagrams of 64 bytes out and back, from as many kept ports as connections are asked for.
    Datagrams {
        #[command(flatten)]
        load: Load,
        /// A new port for each.
        #[arg(long)]
        fresh: bool,
    },
    /// 64 bytes out, 64 bytes back, over kept connections, as fast as they come.
    Small(Load),
    /// A new connection for every 64 bytes out and back.
    Fresh(Load),
    /// Large answers over kept connections.
    Bulk {
        #[command(flatten)]
        load: Load,
        /// Bytes of one answer.
        #[arg(long, default_value_t = 1 << 20)]
        size: usize,
    },
    /// 64 bytes out and back at a fixed rate; latency counts from when the request was due.
    Paced {
        #[command(flatten)]
        load: Load,
        /// Requests per second over all connections.
        #[arg(long)]
        rate: f64,
    },
    /// Open sessions, one exchange each, then silence until standard input ends.
    Idle {
        /// Whom to ask.
        target: SocketAddr,
        /// How many.
        #[arg(long)]
        sessions: usize,
        /// Speak TLS and trust this authority.
        #[arg(long)]
        ca: Option<PathBuf>,
    },
    /// Open sessions, kill a server at the first line of standard input, and come back.
    Recover(Recover),
}

#[derive(Parser)]
#[command(about = "Load for benches/versus/run")]
struct Cli {
    #[command(subcommand)]
    mode: Mode,
}

fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().mode {
        Mode::Server {
            listen,
            mark,
            abrupt,
        } => server::run(&listen, mark as u8, abrupt),
        Mode::Echo { listen } => datagrams::serve(&listen),
        Mode::Datagrams { load, fresh } => datagrams::run(&load, fresh),
        Mode::Small(load) => small::run(&load),
        Mode::Fresh(load) => fresh::run(&load),
        Mode::Bulk { load, size } => bulk::run(&load, size),
        Mode::Paced { load, rate } => paced::run(&load, rate),
        Mode::Idle {
            target,
            sessions,
            ca,
        } => idle::run(target, sessions, ca.as_deref()),
        Mode::Recover(recover) => recover.run(),
    }
}

impl Load {
    fn warmup(&self) -> Duration {
        Duration::from_secs_f64(self.warmup)
    }

    fn seconds(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
