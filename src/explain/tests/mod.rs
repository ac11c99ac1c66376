//! What is foretold happens: random rules, pools and states, a real session in each, and its line in the log.

mod draw;
mod world;

use std::time::{Duration, Instant};

use self::draw::Case;
use self::world::{Line, World};
use super::{Decision, Explanation, Outcome, Rule};

/// Seeds are printed where one fails; `HOWDAH_TEST_SEED` repeats it alone.
#[test]
fn what_is_foretold_is_what_happens() {
    let own = std::env::var("HOWDAH_TEST_SEED").ok();
    let own = own.and_then(|seed| seed.parse::<u64>().ok());
    let first = own.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let cases = if own.is_some() { 1 } else { 1_000 };
    println!("seeds from {first}");
    let mut seen = Seen::default();
    std::thread::scope(|scope| {
        // Most of them wait, for servers that refuse and for places in queues.
        let parts: Vec<_> = (0..PARTS.min(cases))
            .map(|part| {
                scope.spawn(move || play((first + part..first + cases).step_by(PARTS as usize)))
            })
            .collect();
        for part in parts {
            seen.add(part.join().expect("no panic"));
        }
    });
    if own.is_none() {
        seen.judge();
    }
}

fn play(seeds: impl Iterator<Item = u64>) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let mut seen = Seen::default();
    for seed in seeds {
        let compared = runtime.block_on(async {
            let one = tokio::time::timeout(Duration::from_secs(30), compare(seed));
            one.await.unwrap_or_else(|_| panic!("seed {seed} hangs"))
        });
        match compared {
            Some((told, line)) => seen.count(&told, &line),
            None => seen.late += 1,
        }
    }
    seen
}

/// Where there are bounds on new sessions in a second, a case that takes long lets others in meanwhile: it is played again,
/// and in the end left out.
async fn compare(seed: u64) -> Option<(Explanation, Line)> {
    for _ in 0..3 {
        let began = Instant::now();
        let case = Case::draw(seed);
        let hurries = case.has_rates();
        let world = World::build(&case).await;
        let told = world.ask();
        let again = world.ask();
        assert_eq!(
            again.decision, told.decision,
            "seed {seed}: asking changed something"
        );
        assert_eq!(
            (&again.server, &again.pick),
            (&told.server, &told.pick),
            "seed {seed}"
        );
        assert_eq!(again.next, told.next, "seed {seed}");
        let line = world.come().await;
        if !hurries || began.elapsed() < SOON {
            judge(seed, &world, &told, &line);
            return Some((told, line));
        }
    }
    None
}

fn judge(seed: u64, world: &World, told: &Explanation, line: &Line) {
    let all = format!(
        "seed {seed}\ntold {told:#?}\nhappened {line:#?}\n{:#?}",
        world.case
    );
    let happened = (line.server.as_deref(), line.pick.as_deref());
    match told.decision {
        Decision::Refused => {
            assert_eq!(happened, (None, None), "{all}");
            assert_eq!(Some(&line.reason), told.reason.as_ref(), "{all}");
        }
        Decision::Queue => {
            assert_eq!(happened, (None, None), "{all}");
            assert_eq!(line.reason, "queue-timeout", "{all}");
        }
        Decision::Unknown => panic!("nothing is unknown here: {all}"),
        Decision::Server => {
            assert_eq!(line.pool, told.pool, "{all}");
            let server = line.server.clone().unwrap_or_default();
            if !told.alternatives.is_empty() {
                let drawn = told.alternatives.iter().any(|one| one.server == server);
                let refused = told
                    .alternatives
                    .iter()
                    .any(|one| world.refuses(&one.server));
                assert!(drawn || refused, "{all}");
                return;
            }
            // Who follows a server that refuses is drawn, where the pool draws: nobody is named.
            if told.next.is_empty() && told.server.as_ref() != Some(&server) {
                let first = told.server.as_deref().unwrap_or_default();
                assert!(world.refuses(first) && line.attempts > 1, "{all}");
                return;
            }
            let chain: Vec<&String> = told.server.iter().chain(&told.next).collect();
            let Some(tried) = chain.iter().position(|one| !world.refuses(one)) else {
                let waits = ["queue-timeout", "limit"].contains(&line.reason.as_str());
                assert!(waits || line.reason == "connect-refused", "{all}");
                return;
            };
            assert_eq!(&server, chain[tried], "{all}");
            assert_eq!(line.attempts, tried as u64 + 1, "{all}");
            if tried == 0 {
                assert_eq!(line.pick, told.pick, "{all}");
            }
        }
    }
}

/// That the draws meet every rule.
#[derive(Default)]
struct Seen {
    servers: u32,
    queued: u32,
    retried: u32,
    by_lot: u32,
    late: u32,
    reasons: std::collections::BTreeMap<String, u32>,
    picks: std::collections::BTreeMap<String, u32>,
    stops: std::collections::BTreeMap<&'static str, u32>,
}

impl Seen {
    fn count(&mut self, told: &Explanation, line: &Line) {
        self.servers += u32::from(told.decision == Decision::Server);
        self.queued += u32::from(told.decision == Decision::Queue);
        self.retried += u32::from(line.attempts > 1);
        self.by_lot += u32::from(!told.alternatives.is_empty());
        *self
            .reasons
            .entry(told.reason.clone().unwrap_or_default())
            .or_default() += 1;
        *self
            .picks
            .entry(told.pick.clone().unwrap_or_default())
            .or_default() += 1;
        for step in told
            .steps
            .iter()
            .filter(|step| step.outcome == Outcome::Stop)
        {
            *self.stops.entry(step.rule.as_str()).or_default() += 1;
        }
    }

    fn add(&mut self, other: Self) {
        self.servers += other.servers;
        self.queued += other.queued;
        self.retried += other.retried;
        self.by_lot += other.by_lot;
        self.late += other.late;
        for (word, count) in other.reasons {
            *self.reasons.entry(word).or_default() += count;
        }
        for (word, count) in other.picks {
            *self.picks.entry(word).or_default() += count;
        }
        for (word, count) in other.stops {
            *self.stops.entry(word).or_default() += count;
        }
    }

    fn judge(&self) {
        println!("{:?} {:?} {:?}", self.reasons, self.picks, self.stops);
        println!(
            "{} retried, {} by lot, {} late",
            self.retried, self.by_lot, self.late
        );
        assert!(self.late < 100, "too slow a machine");
        let reasons = [
            "denied",
            "limit",
            "rate-limit",
            "source-limit",
            "no-route",
            "no-server",
            "all-full",
        ];
        for reason in reasons {
            assert!(
                self.reasons.get(reason) > Some(&4),
                "{reason}: {:?}",
                self.reasons
            );
        }
        let picks = [
            "sticky",
            "backup",
            "only-one",
            "round-robin",
            "least-connection",
            "response-time",
            "random",
            "source-hash",
        ];
        for pick in picks {
            assert!(self.picks.get(pick) > Some(&4), "{pick}: {:?}", self.picks);
        }
        assert!(self.servers > 300 && self.queued > 4 && self.retried > 30 && self.by_lot > 20);
        let stops = [Rule::Acl, Rule::Server, Rule::Route, Rule::Queue].map(Rule::as_str);
        assert!(
            stops.iter().all(|rule| self.stops.contains_key(rule)),
            "{:?}",
            self.stops
        );
    }
}

/// Well within the second that a token of a bound lasts.
const SOON: Duration = Duration::from_millis(900);

/// Threads that play.
const PARTS: u64 = 8;
