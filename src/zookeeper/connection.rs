//! One connection to one ZooKeeper server: a session of its own, questions and answers in order, pings, notices.
//!
//! Whoever only looks leaves nothing behind in a session, so the connection after one that broke is a new session. Who holds
//! znodes takes the session up again by its [key](SessionKey). Either watches everything anew. The server is pinged when
//! nothing else was said for a part of the session's time, and given up when it was silent for twice that ([`Pace`]), or lets
//! an answer drip in for longer than [`ANSWER`].
//!
//! * What comes in is bounded by one frame and a read; notices that wait by [`NOTICES_MAX`].
//! * [`Connection::hear`] may be dropped and called again. No other future may: a question and its answer belong together.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::wire::zookeeper::{
    self, AUTH_FAILED, FRAME_MAX, Held, LOGIN, NOTICE, PING, Request, SESSION_EXPIRED, SessionKey,
    WANTS_SASL, ZooKeeperError,
};

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Of a socket, a name or TLS.
    #[error("{0}")]
    Io(io::Error),
    /// FIN, or a reset, where an answer was due: so does a server without a quorum, and one that was asked in plain where it wants TLS.
    #[error("it closes connections: it has no quorum, wants TLS, or refuses this address")]
    Closed,
    /// For so long.
    #[error("silent for {0:?}")]
    Silent(Duration),
    /// Something comes, and does not end.
    #[error("an answer takes longer than {ANSWER:?}")]
    Slow,
    /// It is no ZooKeeper, or a broken one.
    #[error("{0}")]
    Protocol(#[from] ZooKeeperError),
    /// An answer to a question that nobody asked, or too many notices.
    #[error("it answers what nobody asked")]
    Unasked,
    /// The session has no time.
    #[error("it refuses the session")]
    Refused,
    /// The session that was to be taken up has ended, and with it what lived as long.
    #[error("the session has ended")]
    Expired,
    /// The account is wrong, or SASL is wanted.
    #[error("it refuses the login")]
    Login,
    /// An error of its own.
    #[error("it answers with error {0}")]
    Code(i32),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
                Self::Closed
            }
            _ => Self::Io(error),
        }
    }
}

/// What came while nothing was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Watches fired for these paths.
    Changed(Vec<String>),
    /// The server answered a ping: what is watched is as it was.
    Nothing,
}

/// An answer: its code, and where in the inbox its content is.
struct Answer {
    code: i32,
    content: Range<usize>,
}

/// See the module.
pub struct Connection<S> {
    stream: S,
    /// Not sent yet, where a wait was dropped amid its ping.
    outbox: Vec<u8>,
    inbox: Vec<u8>,
    /// So much of the inbox is read.
    taken: usize,
    notices: Vec<String>,
    noticed_bytes: usize,
    next_xid: i32,
    zxid: i64,
    /// Of the session.
    timeout: Duration,
    pace: Pace,
    key: SessionKey,
    said: Instant,
    /// Since when nothing came, while it was listened to.
    silent_since: Option<Instant>,
    /// When those went out that are not answered yet.
    pings: VecDeque<Instant>,
    proven: Option<Instant>,
}

/// What a new connection has to say first.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The last change that we have seen: a server that has not is refused by itself.
    pub zxid: i64,
    /// A login by scheme `digest`.
    pub account: Option<&'a str>,
    /// Which session; the default for a new one.
    pub session: SessionKey,
    /// How long it may last without us; what a server grants is taken where it is shorter.
    pub timeout: Duration,
    /// How soon a server that hangs is left.
    pub pace: Pace,
}

/// How soon a server that hangs is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Pinged after a third of the session's time, left after two thirds.
    Calm = 3,
    /// Pinged after a sixth, left after a third: there is as much time again to find another one.
    Eager = 6,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Opens a session.
    ///
    /// # Errors
    /// See [`Broken`].
    pub async fn open(stream: S, hello: Hello<'_>) -> Result<Self, Broken> {
        let mut connection = Self {
            stream,
            inbox: Vec::new(),
            outbox: Vec::new(),
            taken: 0,
            notices: Vec::new(),
            noticed_bytes: 0,
            next_xid: 1,
            zxid: hello.zxid,
            timeout: hello.timeout,
            pace: hello.pace,
            key: hello.session,
            said: Instant::now(),
            silent_since: None,
            pings: VecDeque::new(),
            proven: None,
        };
        let mut out = Vec::new();
        let millis = i32::try_from(hello.timeout.as_millis()).unwrap_or(i32::MAX);
        zookeeper::put_connect(hello.zxid, millis, &hello.session, &mut out);
        if let Some(account) = hello.account {
            Request::Digest { account }.put(LOGIN, &mut out);
        }
        connection.send(&out).await?;
        let first = connection.frame(None).await?;
        let connected = zookeeper::connected(&connection.inbox[first])?;
        let granted = u64::try_from(connected.timeout_millis).unwrap_or(0);
        if granted == 0 {
            let known = hello.session != SessionKey::default();
            return Err(if known {
                Broken::Expired
            } else {
                Broken::Refused
            });
        }
        connection.timeout = Duration::from_millis(granted).clamp(SHORTEST, hello.timeout);
        connection.key = connected.session;
        if hello.account.is_some() {
            connection.answer(LOGIN).await?;
        }
        Ok(connection)
    }

    /// The last change that its server has shown.
    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    /// With it the session can be taken up again.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// How long the session lasts without us.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When the last change went out that the ensemble as a whole has agreed to: no earlier than then it knew us alive. An
    /// answer to a ping proves less, as one server gives it alone, which may have lost the others.
    pub fn proven(&self) -> Option<Instant> {
        self.proven
    }

    /// One question that has a path; what it answers, or the code of its refusal.
    ///
    /// # Errors
    /// See [`Broken`].
    pub async fn ask(&mut self, request: Request<'_>) -> Result<Result<&[u8], i32>, Broken> {
        let xid = self.xid();
        let mut out = Vec::new();
        request.put(xid, &mut out);
        let asked = Instant::now();
        self.send(&out).await?;
        let answer = self.answer(xid).await?;
        let changes = matches!(
            request,
            Request::Create { .. } | Request::Set { .. } | Request::Delete { .. }
        );
        if changes && answer.code == 0 {
            self.proven = Some(asked);
        }
        Ok(match answer.code {
            0 => Ok(&self.inbox[answer.content]),
            code => Err(code),
        })
    }

    /// What each of `paths` holds, all asked at once: `told` hears their places, in order.
    ///
    /// # Errors
    /// See [`Broken`].
    pub async fn read_all(
        &mut self,
        paths: &[String],
        mut told: impl FnMut(usize, Result<Held<'_>, i32>),
    ) -> Result<(), Broken> {
        let (mut out, mut xids) = (Vec::new(), Vec::with_capacity(paths.len()));
        for path in paths {
            let xid = self.xid();
            Request::Data { path }.put(xid, &mut out);
            xids.push(xid);
        }
        self.send(&out).await?;
        for (place, xid) in xids.into_iter().enumerate() {
            let answer = self.answer(xid).await?;
            match answer.code {
                0 => told(place, Ok(zookeeper::held(&self.inbox[answer.content])?)),
                code => told(place, Err(code)),
            }
        }
        Ok(())
    }

    /// Waits until a watch fires, or a ping is answered. Cancel-safe.
    ///
    /// # Errors
    /// See [`Broken`].
    pub async fn hear(&mut self) -> Result<Heard, Broken> {
        while self.notices.is_empty() {
            let frame = self.frame(None).await?;
            match self.sort(frame)? {
                None => {}
                Some((PING, _)) => return Ok(Heard::Nothing),
                Some(_) => return Err(Broken::Unasked),
            }
        }
        self.noticed_bytes = 0;
        Ok(Heard::Changed(std::mem::take(&mut self.notices)))
    }

    /// Ends the session, so that the server need not wait for its time.
    pub async fn close(mut self) {
        let mut out = Vec::new();
        Request::Close.put(self.next_xid, &mut out);
        let _ = timeout_at(Instant::now() + PART, async {
            self.send(&out).await?;
            Ok::<_, Broken>(self.stream.shutdown().await?)
        })
        .await;
    }

    fn xid(&mut self) -> i32 {
        let xid = self.next_xid;
        // Never those that have a meaning of their own, which are below zero.
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        xid
    }

    async fn answer(&mut self, wanted: i32) -> Result<Answer, Broken> {
        let due = Some(Instant::now() + ANSWER);
        loop {
            let frame = self.frame(due).await?;
            match self.sort(frame)? {
                Some((xid, answer)) if xid == wanted => return Ok(answer),
                None | Some((PING, _)) => {}
                Some(_) => return Err(Broken::Unasked),
            }
        }
    }

    /// A notice is kept; anything else is an answer to that number.
    fn sort(&mut self, frame: Range<usize>) -> Result<Option<(i32, Answer)>, Broken> {
        let reply = zookeeper::reply(&self.inbox[frame.clone()])?;
        if reply.xid == NOTICE {
            let path = zookeeper::changed(reply.content)?;
            self.noticed_bytes += path.len();
            self.notices.push(path.to_owned());
            let few = self.notices.len() <= NOTICES_MAX && self.noticed_bytes <= FRAME_MAX;
            return if few { Ok(None) } else { Err(Broken::Unasked) };
        }
        if reply.xid == PING {
            self.pings.pop_front().ok_or(Broken::Unasked)?;
        }
        if reply.code == SESSION_EXPIRED {
            return Err(Broken::Expired);
        }
        if matches!(reply.code, AUTH_FAILED | WANTS_SASL) {
            return Err(Broken::Login);
        }
        self.zxid = self.zxid.max(reply.zxid);
        let content = frame.end - reply.content.len()..frame.end;
        let code = reply.code;
        Ok(Some((reply.xid, Answer { code, content })))
    }

    /// Where in the inbox the next frame is. What was there before is gone. One that is not `due` may begin whenever it
    /// likes.
    async fn frame(&mut self, mut due: Option<Instant>) -> Result<Range<usize>, Broken> {
        loop {
            if let Some(body) = zookeeper::frame(&self.inbox[self.taken..])? {
                let start = self.taken + 4;
                self.taken = start + body.len();
                return Ok(start..self.taken);
            }
            self.inbox.drain(..std::mem::take(&mut self.taken));
            if !self.inbox.is_empty() {
                due.get_or_insert_with(|| Instant::now() + ANSWER);
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                return Err(Broken::Slow);
            }
            self.receive().await?;
        }
    }

    /// Silence counts from when it is listened to.
    async fn receive(&mut self) -> Result<(), Broken> {
        let patience = self.patience();
        let dead_at = *self.silent_since.get_or_insert_with(Instant::now) + patience;
        loop {
            let ping_at = self.said + patience / 2;
            if self.inbox.capacity() > INBOX && self.inbox.is_empty() {
                self.inbox = Vec::new();
            }
            self.inbox.reserve(INBOX);
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.inbox) => {
                    self.silent_since = None;
                    return if read? == 0 { Err(Broken::Closed) } else { Ok(()) };
                }
                () = sleep_until(ping_at.min(dead_at)) => {}
            }
            if Instant::now() >= dead_at {
                return Err(Broken::Silent(patience));
            }
            let mut ping = Vec::new();
            Request::Ping.put(PING, &mut ping);
            self.pings.push_back(Instant::now());
            self.send(&ping).await?;
        }
    }

    fn patience(&self) -> Duration {
        self.timeout * 2 / self.pace as u32
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let patience = self.patience();
        self.said = Instant::now();
        self.outbox.extend(bytes);
        let sent = timeout_at(self.said + patience, async {
            while !self.outbox.is_empty() {
                let taken = self.stream.write(&self.outbox).await?;
                if taken == 0 {
                    return Err(ErrorKind::BrokenPipe.into());
                }
                self.outbox.drain(..taken);
            }
            self.stream.flush().await
        });
        match sent.await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(Broken::Silent(patience)),
        }
    }
}

/// Of a session of who only looks: a server that hangs is left after two thirds.
pub(super) const SESSION: Duration = Duration::from_secs(9);

/// A server that grants less would be pinged all the time.
const SHORTEST: Duration = Duration::from_millis(600);

/// For one answer, whole: a list of a hundred thousand names takes a few seconds over a slow line.
const ANSWER: Duration = Duration::from_secs(20);

/// A goodbye is not waited for.
const PART: Duration = Duration::from_millis(200);

/// Read at once; a larger inbox is given back when it is empty.
const INBOX: usize = 16 * 1024;

/// Watches that fired and were not looked at yet.
const NOTICES_MAX: usize = 200_000;

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// Frames as a server sends them.
    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    fn welcome() -> Vec<u8> {
        let (none, password) = ([0; 4], [0; 17]);
        framed(&[
            &none,
            &9000u32.to_be_bytes(),
            &7u64.to_be_bytes(),
            &16u32.to_be_bytes(),
            &password,
        ])
    }

    fn answer(xid: i32, code: i32, content: &[u8]) -> Vec<u8> {
        framed(&[
            &xid.to_be_bytes(),
            &3i64.to_be_bytes(),
            &code.to_be_bytes(),
            content,
        ])
    }

    fn notice(path: &str) -> Vec<u8> {
        let length = u32::try_from(path.len()).unwrap().to_be_bytes();
        answer(NOTICE, 0, &[&[0; 8][..], &length, path.as_bytes()].concat())
    }

    async fn opened(first: &[u8]) -> (Result<Connection<DuplexStream>, Broken>, DuplexStream) {
        let (ours, mut theirs) = duplex(1 << 20);
        theirs.write_all(first).await.unwrap();
        let hello = Hello {
            zxid: 0,
            account: None,
            session: SessionKey::default(),
            timeout: SESSION,
            pace: Pace::Calm,
        };
        (Connection::open(ours, hello).await, theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn answers_and_notices_may_come_in_any_order_and_in_pieces() {
        let (connection, mut theirs) = opened(&welcome()).await;
        let mut connection = connection.unwrap();
        let names = [&1u32.to_be_bytes()[..], &1u32.to_be_bytes(), b"a"].concat();
        let bytes = [notice("/h"), answer(1, 0, &names)].concat();
        let server = tokio::spawn(async move {
            for byte in bytes {
                theirs.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            theirs
        });
        let content = connection
            .ask(Request::Children { path: "/h" })
            .await
            .unwrap();
        assert_eq!(zookeeper::children(content.unwrap()), Ok(vec!["a"]));
        assert_eq!(
            connection.hear().await.unwrap(),
            Heard::Changed(vec!["/h".into()])
        );
        assert_eq!(connection.zxid(), 3);
        drop(server.await.unwrap());
        assert!(matches!(connection.hear().await, Err(Broken::Closed)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_pinged_and_given_up_when_it_stays_silent() {
        let (connection, mut theirs) = opened(&welcome()).await;
        let mut connection = connection.unwrap();
        let server = tokio::spawn(async move {
            let (mut said, mut ping) = (Vec::new(), Vec::new());
            Request::Ping.put(PING, &mut ping);
            while !said.ends_with(&ping) {
                assert_ne!(theirs.read_buf(&mut said).await.unwrap(), 0);
            }
            theirs.write_all(&answer(PING, 0, &[])).await.unwrap();
            theirs
        });
        let began = Instant::now();
        assert_eq!(connection.hear().await.unwrap(), Heard::Nothing);
        assert_eq!(began.elapsed(), SESSION / 3);
        let _silent = server.await.unwrap();
        assert!(matches!(connection.hear().await, Err(Broken::Silent(_))));
        assert_eq!(began.elapsed(), SESSION);
    }

    #[tokio::test(start_paused = true)]
    async fn what_drips_in_does_not_hold_a_connection_for_ever() {
        for asking in [true, false] {
            let (connection, mut theirs) = opened(&welcome()).await;
            let mut connection = connection.unwrap();
            tokio::spawn(async move {
                let answer = answer(1, 0, &[0; 64]);
                for byte in answer {
                    theirs.write_all(&[byte]).await.ok()?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Some(theirs)
            });
            let began = Instant::now();
            let broken = match asking {
                true => connection
                    .ask(Request::Exists { path: "/h" })
                    .await
                    .map(|_| ())
                    .unwrap_err(),
                false => connection.hear().await.unwrap_err(),
            };
            assert_eq!(broken.to_string(), "an answer takes longer than 20s");
            assert!(began.elapsed() <= ANSWER + Duration::from_secs(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_zookeeper_is_named() {
        for (first, said) in [
            (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), "it speaks HTTP"),
            (vec![0x15, 3, 1, 0, 2, 2, 40], "it speaks TLS"),
            (framed(&[&[0; 20]]), "it refuses the session"),
            (framed(&[&[0; 3]]), "an answer is cut short"),
        ] {
            let (connection, _theirs) = opened(&first).await;
            assert_eq!(connection.err().expect("refused").to_string(), said);
        }
        for (unasked, said) in [
            (answer(77, 0, &[]), "it answers what nobody asked"),
            (answer(PING, 0, &[]), "it answers what nobody asked"),
            (answer(1, WANTS_SASL, &[]), "it refuses the login"),
        ] {
            let (connection, mut theirs) = opened(&welcome()).await;
            theirs.write_all(&unasked).await.unwrap();
            let mut connection = connection.unwrap();
            let asked = connection.ask(Request::Exists { path: "/h" }).await;
            assert_eq!(asked.unwrap_err().to_string(), said);
        }
    }

    /// A lease is reckoned from there: it must not last longer than the ensemble can know of us.
    #[tokio::test(start_paused = true)]
    async fn what_the_ensemble_agreed_to_proves_our_life_from_when_it_was_asked() {
        let (connection, mut theirs) = opened(&welcome()).await;
        let mut connection = connection.unwrap();
        assert_eq!(connection.proven(), None, "a session alone proves nothing");
        let slow = Duration::from_secs(2);
        tokio::spawn(async move {
            let refused = answer(2, zookeeper::NODE_EXISTS, &[]);
            for answer in [answer(1, 0, &[]), refused, answer(3, 0, &[])] {
                tokio::time::sleep(slow).await;
                theirs.write_all(&answer).await.unwrap();
            }
            theirs
        });
        let create = Request::Create {
            path: "/h/a",
            data: b"",
            life: zookeeper::Life::Ephemeral,
            closed: false,
        };
        let exists = Request::Exists { path: "/h" };
        connection.ask(exists).await.unwrap().unwrap();
        assert_eq!(connection.proven(), None, "one server alone answers that");
        let refused = connection.ask(create).await.unwrap();
        assert_eq!(refused.map(|_| ()), Err(zookeeper::NODE_EXISTS));
        assert_eq!(connection.proven(), None, "nothing was changed");
        let asked = Instant::now();
        connection.ask(create).await.unwrap().unwrap();
        assert_eq!(connection.proven(), Some(asked));
        assert_eq!(asked.elapsed(), slow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_taken_up_again_may_have_ended() {
        let key = SessionKey {
            id: 7,
            password: [3; 16],
        };
        let (none, password) = ([0; 4], [0; 16]);
        let length = 16_u32.to_be_bytes();
        let refusal = framed(&[&none, &none, &[0; 8], &length, &password, &[0]]);
        for (session, said) in [
            (key, "the session has ended"),
            (SessionKey::default(), "it refuses the session"),
        ] {
            let (ours, mut theirs) = duplex(1 << 10);
            theirs.write_all(&refusal).await.unwrap();
            let hello = Hello {
                zxid: 0,
                account: None,
                session,
                timeout: SESSION,
                pace: Pace::Eager,
            };
            let opened = Connection::open(ours, hello).await;
            assert_eq!(opened.err().expect("refused").to_string(), said);
        }
        let (connection, mut theirs) = opened(&welcome()).await;
        let mut connection = connection.unwrap();
        assert_eq!(connection.key().id, 7, "of the server's choice");
        let over = answer(1, SESSION_EXPIRED, &[]);
        theirs.write_all(&over).await.unwrap();
        let asked = connection.ask(Request::Exists { path: "/h" }).await;
        assert!(matches!(asked, Err(Broken::Expired)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_is_left_while_there_is_time_to_find_another() {
        let (ours, mut theirs) = duplex(1 << 10);
        theirs.write_all(&welcome()).await.unwrap();
        let hello = Hello {
            zxid: 0,
            account: None,
            session: SessionKey::default(),
            timeout: Duration::from_secs(6),
            pace: Pace::Eager,
        };
        let mut connection = Connection::open(ours, hello).await.unwrap();
        assert_eq!(
            connection.timeout(),
            hello.timeout,
            "no longer than asked for"
        );
        let began = Instant::now();
        assert!(matches!(connection.hear().await, Err(Broken::Silent(_))));
        assert_eq!(began.elapsed(), hello.timeout / 3);
    }
}
