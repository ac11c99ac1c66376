//! Which name servers this machine asks: `/etc/resolv.conf`, as resolv.conf(5) has it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolver {
    /// In the order to ask them; at least one.
    pub(super) servers: Vec<SocketAddr>,
    /// For one answer of one server.
    pub(super) patience: Duration,
    /// How often all are asked.
    pub(super) rounds: u32,
}

impl Resolver {
    /// Where there is no such file, a name server of this machine is asked.
    pub(super) async fn of_this_machine() -> Self {
        let text = tokio::fs::read_to_string("/etc/resolv.conf").await;
        Self::read(&text.unwrap_or_default())
    }

    /// Lines that are not understood are passed over, as the C library does.
    fn read(text: &str) -> Self {
        let mut read = Self {
            servers: Vec::new(),
            patience: PATIENCE,
            rounds: ROUNDS,
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    read.servers
                        .extend(server.map(|ip| SocketAddr::new(ip, PORT)));
                }
                Some("options") => words.for_each(|word| read.option(word)),
                _ => {}
            }
        }
        read.servers.truncate(SERVERS_MAX);
        if read.servers.is_empty() {
            read.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        read
    }

    fn option(&mut self, word: &str) {
        let number = |name: &str| -> Option<u32> {
            let number = word.strip_prefix(name)?.strip_prefix(':')?;
            number.parse().ok()
        };
        if let Some(seconds) = number("timeout") {
            self.patience = Duration::from_secs(seconds.clamp(1, 30).into());
        }
        if let Some(rounds) = number("attempts") {
            self.rounds = rounds.clamp(1, 5);
        }
    }
}

const PORT: u16 = 53;
/// The C library waits for 5 s; nothing waits for this but the next list.
const PATIENCE: Duration = Duration::from_secs(3);
const ROUNDS: u32 = 2;
/// MAXNS.
const SERVERS_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_system_is_understood() {
        let text = "# comment\nsearch example.com\nnameserver 10.0.0.53 ; x\nnameserver fd00::53\n\
                    nameserver nonsense\noptions ndots:2 timeout:1 attempts:99 rotate\n";
        let read = Resolver::read(text);
        let servers = ["10.0.0.53:53", "[fd00::53]:53"].map(|one| one.parse().expect("an address"));
        assert_eq!(read.servers, servers);
        assert_eq!((read.patience, read.rounds), (Duration::from_secs(1), 5));
        let none = Resolver::read("");
        assert_eq!(none.servers, ["127.0.0.1:53".parse().expect("an address")]);
    }
}
