//! Shares follow weights: choices counted while nothing changes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use howdah::plan::Balance;
use howdah::pool::ServerId;
use tokio::time::Instant;

use super::world::World;

impl World {
    /// Ends all sessions, gives many new ones, and counts. Clients are new ones, so that no entry of the sticky table binds them.
    pub(crate) async fn count_shares(&mut self) {
        self.clear();
        let now = Instant::now();
        let side = self.model.side();
        if side.is_empty() {
            return;
        }
        let growing = self.model.is_growing(now);
        let weigh = |id: &ServerId| match self.model.plan.balance {
            // Only its bound follows a weight that grows, and few sessions are below that.
            Balance::SourceHash => self.model.weigh_whole(*id),
            _ if growing => self.model.weigh(*id, now),
            _ => self.model.weigh_whole(*id),
        };
        let weights: HashMap<ServerId, u64> = side.iter().map(|id| (*id, weigh(id))).collect();
        let sum: u64 = weights.values().sum();
        let (choices, tolerance): (u64, fn(u64, f64, f64) -> f64) = match self.model.plan.balance {
            // Whole rounds are exact.
            Balance::RoundRobin => (if growing { 2 } else { 10 } * sum, |_, _, _| 0.5),
            // Chance: seven standard deviations.
            Balance::Random => (1000, |_, fair, share| {
                1.0 + 7.0 * (fair * (1.0 - share)).sqrt()
            }),
            // Chance, and 256 points on the ring for each unit of weight.
            Balance::SourceHash => (1000, |weight, fair, share| {
                let points = fair * (1.0 - share) / (256.0 * weight as f64).sqrt();
                1.0 + 7.0 * ((fair * (1.0 - share)).sqrt() + points)
            }),
            Balance::ResponseTime => return self.fill_alike().await,
            // Every single choice is foretold, always.
            Balance::LeastConnection => return,
        };
        let mut counts: HashMap<ServerId, u64> = HashMap::new();
        for _ in 0..choices {
            let client = self.new_client();
            let held = self
                .choose(client, &[])
                .expect("one is up and all are empty");
            *counts.entry(held.server).or_default() += 1;
            self.end(held);
        }
        for (server, weight) in weights {
            let share = weight as f64 / sum as f64;
            let fair = choices as f64 * share;
            let count = counts.get(&server).copied().unwrap_or(0);
            assert!(
                (count as f64 - fair).abs() <= tolerance(weight, fair, share),
                "{server:?} of weight {weight} of {sum} got {count} of {choices} choices"
            );
        }
    }

    /// After an hour of silence probes find all servers equally fast, so that each choice is foretold.
    async fn fill_alike(&mut self) {
        self.pass(Duration::from_secs(3600)).await;
        for member in self.pool.load().members() {
            self.pool
                .probed(&member.server, Duration::from_millis(10), Instant::now());
        }
        self.model.alike = true;
        let mut held = Vec::new();
        for _ in 0..100 {
            let client = self.new_client();
            held.extend(self.choose(client, &[]));
        }
        self.model.alike = false;
        held.into_iter().for_each(|held| self.end(held));
    }

    fn new_client(&mut self) -> IpAddr {
        self.newest += 1;
        Ipv4Addr::from_bits(0x0b00_0000 + self.newest % 0x00ff_ffff).into()
    }
}
