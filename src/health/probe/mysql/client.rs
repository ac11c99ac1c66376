//! The client's part of a conversation: packets in turn, a login by the methods that a server asks for, one query at a time.

use super::super::database::{NOBODY, of_stranger};
use super::super::link::Link;
use super::super::trace::{Answer, Asked};
use crate::health::Reason;
use crate::plan::DatabaseAccount;
use crate::wire::mysql::{
    self, Failure, Greeting, Login, Method, QUERY, QUIT, Reply, Table, scramble,
};

/// See the module.
pub(super) struct Client<'l> {
    link: &'l mut Link,
    /// Of the next packet of this exchange.
    number: u8,
    entered: bool,
}

/// What a login came to.
#[derive(Debug)]
pub(super) enum Entry {
    /// Logged in.
    In,
    /// Not.
    Refused(Failure),
    /// By a method of that name, which is not ours.
    Unknown(String),
    /// By the password itself, on a connection that anybody could read.
    WantsTls,
}

/// Turns of a login; the longest that is known has six.
const TURNS: usize = 8;

/// Words of `caching_sha2_password`.
const FULL: &[u8] = &[4];

impl<'l> Client<'l> {
    pub(super) fn new(link: &'l mut Link) -> Self {
        Self::at(link, 0)
    }

    /// Within an exchange.
    pub(super) fn at(link: &'l mut Link, number: u8) -> Self {
        Self {
            link,
            number,
            entered: false,
        }
    }

    pub(super) async fn greeting(&mut self) -> Asked<Result<Greeting, Failure>> {
        let body = self.hear().await?;
        Greeting::read(&body).map_err(|_| of_stranger(&body))
    }

    /// From now on the server waits for TLS. Gives the number of the next packet.
    pub(super) async fn ask_tls(
        &mut self,
        greeting: &Greeting,
        account: Option<&DatabaseAccount>,
    ) -> Asked<u8> {
        self.say(&greeting.ask_tls(database(account))).await?;
        Ok(self.number)
    }

    /// Logs in; without an account as somebody whom no server knows.
    pub(super) async fn enter(
        &mut self,
        greeting: &Greeting,
        account: Option<&DatabaseAccount>,
        tls: bool,
    ) -> Asked<Entry> {
        let secret = account.and_then(|account| account.password.as_ref());
        let secret = secret.map_or("", |secret| secret.expose());
        let preferred = Method::named(&greeting.method).filter(|method| *method != Method::Clear);
        let mut method = preferred.unwrap_or(Method::Native);
        let login = greeting.log_in(&Login {
            user: account.map_or(NOBODY, |account| &account.user),
            database: database(account),
            method: method.as_str(),
            proof: &scramble(method, secret, &greeting.salt),
            tls,
        });
        self.say(&login).await?;
        for _ in 0..TURNS {
            let body = self.hear().await?;
            match mysql::reply(&body).map_err(|_| of_stranger(&body))? {
                Reply::Ok => {
                    self.entered = true;
                    return Ok(Entry::In);
                }
                Reply::Failure(failure) => return Ok(Entry::Refused(failure)),
                Reply::Switch { method: name, salt } => {
                    let Some(asked) = Method::named(name) else {
                        return Ok(Entry::Unknown(name.to_owned()));
                    };
                    if asked == Method::Clear && !tls {
                        return Ok(Entry::WantsTls);
                    }
                    method = asked;
                    let proof = scramble(method, secret, salt);
                    self.say(&proof_or_nothing(method, proof)).await?;
                }
                Reply::More(FULL) if method == Method::CachingSha2 => {
                    if !tls {
                        return Ok(Entry::WantsTls);
                    }
                    self.say(&scramble(Method::Clear, secret, &[])).await?;
                }
                // "It was right", and the end follows.
                Reply::More(_) => {}
                Reply::Other => return Err(of_stranger(&body)),
            }
        }
        Err(Answer::down(Reason::Endless, "the login does not end"))
    }

    pub(super) fn is_in(&self) -> bool {
        self.entered
    }

    /// One query, and its whole answer.
    pub(super) async fn query(&mut self, text: &str) -> Asked<Result<Table, Failure>> {
        self.number = 0;
        self.say(&[&[QUERY], text.as_bytes()].concat()).await?;
        let mut table = Table::default();
        loop {
            let body = self.hear().await?;
            match table.feed(&body).map_err(|_| of_stranger(&body))? {
                Ok(true) => return Ok(Ok(table)),
                Ok(false) => {}
                Err(failure) => return Ok(Err(failure)),
            }
        }
    }

    /// So that the server need not wonder where its client went.
    pub(super) async fn quit(&mut self) -> Asked<()> {
        self.number = 0;
        self.say(QUIT).await
    }

    async fn say(&mut self, body: &[u8]) -> Asked<()> {
        let bytes = mysql::framed(self.number, body);
        self.number = self.number.wrapping_add(1);
        self.link.send(&bytes).await
    }

    async fn hear(&mut self) -> Asked<Vec<u8>> {
        loop {
            let heard = mysql::packet(self.link.inbox());
            if let Some((packet, taken)) = heard.map_err(|_| of_stranger(self.link.inbox()))? {
                let body = packet.body.to_vec();
                self.number = packet.number.wrapping_add(1);
                self.link.take(taken);
                return Ok(body);
            }
            if !self.link.more().await? {
                return Err(Answer::down(Reason::Closed, "closed without an answer"));
            }
        }
    }
}

fn database(account: Option<&DatabaseAccount>) -> Option<&str> {
    account.and_then(|account| account.database.as_deref())
}

/// `caching_sha2_password` takes a packet without bytes for one that is missing.
fn proof_or_nothing(method: Method, proof: Vec<u8>) -> Vec<u8> {
    match method {
        Method::CachingSha2 if proof.is_empty() => vec![0],
        _ => proof,
    }
}
