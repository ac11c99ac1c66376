//! The admin address: a whole connection's bytes, answered by a view of one pool whose orders are carried out.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use howdah::admin::{self, Command, HandlerContext, Rejected, RuntimeView};
use howdah::availability::Availability;
use howdah::listener::sessions::SessionTable;
use howdah::plan::{AdminPlan, HistoryPlan};
use howdah::pool::Pool;
use howdah::state::StateView;
use howdah::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// Every request is answered, and every answer is HTTP.
pub fn admin(bytes: &[u8]) {
    thread_local! {
        static DESK: (Runtime, HandlerContext) = open();
    }
    DESK.with(|(clock, context)| {
        let answer = clock.block_on(converse(bytes, context.clone()));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
        let faulty = b"HTTP/1.1 500";
        assert!(!answer.windows(faulty.len()).any(|window| window == faulty));
    });
}

async fn converse(bytes: &[u8], context: HandlerContext) -> Vec<u8> {
    let (mut near, far) = duplex(1 << 20);
    let serve = admin::serve_stream(far, context);
    let ask = async move {
        // A server that has heard enough has closed.
        let _ = near.write_all(bytes).await;
        let _ = near.shutdown().await;
        let mut answer = Vec::new();
        // A stream has no end: who has heard that it is one leaves.
        let is_stream = |answer: &[u8]| answer.windows(STREAM.len()).any(|one| one == STREAM);
        while let Ok(1..) = near.read_buf(&mut answer).await {
            if is_stream(&answer) {
                break;
            }
        }
        answer
    };
    let mut ask = std::pin::pin!(ask);
    tokio::select! {
        biased;
        answer = &mut ask => answer,
        () = serve => ask.await,
    }
}

fn open() -> (Runtime, HandlerContext) {
    let clock = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let loaded = howdah::config::judge(Path::new("howdah.toml"), FILE.into()).expect("a good file");
    let metrics = Metrics::new();
    let (pool, keeper) = Pool::new(Arc::clone(&loaded.plan.pools[0]), &metrics);
    clock.spawn(keeper.run());
    let (commands, mut asked) = mpsc::channel(8);
    clock.spawn(async move {
        while let Some(command) = asked.recv().await {
            let Command::Reload { reply, .. } = command;
            let error = "no file".to_owned();
            let _ = reply.send(Err(Rejected {
                error,
                faults: Vec::new(),
                told: Vec::new(),
            }));
        }
    });
    let view = RuntimeView {
        started: Instant::now(),
        generation: 1,
        listeners: Vec::new(),
        pools: vec![pool],
        draining: None,
        needs_restart: Vec::new(),
        refused: None,
        configuration: admin::Configuration::of(None, ""),
        certificates: Vec::new(),
        peers: Arc::default(),
        state: StateView::default(),
        plan: None,
        cluster: None,
        predecessors: howdah::handover::predecessors::Predecessors::default(),
        admin: AdminPlan {
            bind: SocketAddr::from(([127, 0, 0, 1], 9600)),
            socket: None,
            token: None,
            reader_token: None,
            tls: None,
        },
        vips: howdah::vip::Board::default(),
    };
    let context = HandlerContext {
        view: Arc::new(arc_swap::ArcSwap::from_pointee(view)),
        availability: Availability::start(&HistoryPlan::default(), &metrics).expect("a thread"),
        metrics,
        commands,
        sessions: SessionTable::nobody(),
        schema: howdah::config::schema,
    };
    (clock, context)
}

const STREAM: &[u8] = b"text/event-stream";

const FILE: &str = r#"
[[listener]]
name = "hive"
bind = "127.0.0.1:0"
pool = "hive"

[pool.hive]
service = "tcp"
servers = ["127.0.0.1:10000", { name = "other", address = "127.0.0.1:10001" }]
"#;
