//! The table: what either side of a session sees when something happens to it.
//!
//! These are rules, not records: [`expect`] is written from the contract (section 4, "How an end looks"), every cell
//! of the matrix is judged by it, and docs/reliability.md prints it. A cell that cannot be says why.

/// How bytes travel: where TLS ends at howdah, and how plain bytes are moved. Bytes of TLS have to be opened, so that
/// only plain sessions know several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transport {
    pub(crate) name: &'static str,
    pub(crate) relay: &'static str,
    pub(crate) client_tls: bool,
    pub(crate) server_tls: bool,
}

impl Transport {
    pub(crate) const ALL: [Self; 6] = [
        Self::plain("plain, copy", "copy"),
        Self::plain("plain, splice", "splice"),
        Self::plain("plain, auto", "auto"),
        Self::tls("TLS from clients", true, false),
        Self::tls("TLS to servers", false, true),
        Self::tls("TLS on both sides", true, true),
    ];

    const fn plain(name: &'static str, relay: &'static str) -> Self {
        Self {
            name,
            relay,
            client_tls: false,
            server_tls: false,
        }
    }

    const fn tls(name: &'static str, client_tls: bool, server_tls: bool) -> Self {
        Self {
            name,
            relay: "auto",
            client_tls,
            server_tls,
        }
    }
}

/// Gives a closed set of words its list and its names.
macro_rules! named {
    ($(#[$about:meta])* $type:ident { $($variant:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $type {
            $($variant,)*
        }

        impl $type {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

named! {
    /// What a session is doing when it happens. Both sides are connected, and have shaken hands where TLS is spoken.
    Phase {
        BeforeFirstByte = "before the first byte",
        TurnAsked = "asked, not yet answered",
        AmidAnswer = "amid an answer",
        AmidUpload = "amid an upload",
        BothWays = "bulk both ways",
        Idle = "answered, then idle",
        ClientEnded = "client has asked and ended",
        ServerEnded = "server has answered and ended",
    }
}

named! {
    /// What happens to it.
    Event {
        ServerEnds = "server ends",
        ServerEndsMute = "server ends without close_notify",
        ServerResets = "server resets",
        ServerVanishes = "server vanishes",
        ServerStops = "server is stopped, and goes on",
        ClientEnds = "client ends",
        ClientEndsMute = "client ends without close_notify",
        ClientResets = "client resets",
        ClientVanishes = "client vanishes",
        ClientStops = "client is stopped, and goes on",
        Drain = "drain",
        Maintenance = "maintenance",
        Removal = "reload without the server",
        Cut = "drain, and its time is up",
        Stop = "SIGTERM, and drain_timeout is up",
        Silence = "silence, and the time for it is up",
    }
}

/// What one side sees within the time given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// The end of the other's stream, in order: FIN, under TLS close_notify.
    End,
    /// A reset; under TLS also a stream that stops without close_notify.
    Reset,
    /// Nothing new: it is the one that acts, or has seen the end already, or the session goes on.
    Nothing,
}

/// By when it is seen, counted from the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// A packet arrived: at once.
    AtOnce,
    /// No packet can arrive: the kernel finds out after `keepalive`.
    Keepalive,
    /// An order of ours has its own deadline.
    Deadline,
    /// `timeouts.idle`, and `timeouts.half_close` where one side has ended.
    Timeout,
    /// Nothing ends: the session goes on to an end in order, and loses no byte.
    Never,
}

/// What has arrived by then, of what was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// Every byte.
    All,
    /// A beginning of it, without a wrong byte.
    Beginning,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expectation {
    pub(crate) client: Sees,
    pub(crate) server: Sees,
    pub(crate) when: When,
    pub(crate) bytes: Bytes,
    /// The word in the access log.
    pub(crate) reason: &'static str,
}

/// The rules. `Err` explains a cell that cannot be.
pub(crate) fn expect(
    transport: Transport,
    phase: Phase,
    event: Event,
) -> Result<Expectation, &'static str> {
    use Event as E;
    if let Some(why) = impossible(transport, phase, event) {
        return Err(why);
    }
    let expectation = |(client, server), when, bytes, reason| Expectation {
        client,
        server,
        when,
        bytes,
        reason,
    };
    let to_client = |sees| (sees, Sees::Nothing);
    let to_server = |sees| (Sees::Nothing, sees);
    Ok(match event {
        // An end in order is passed on after the last byte, and the opposite direction goes on to its own end.
        E::ServerEnds => expectation(
            to_client(Sees::End),
            When::AtOnce,
            Bytes::All,
            first_to_end(phase, "server-closed"),
        ),
        E::ClientEnds | E::ClientEndsMute => expectation(
            to_server(Sees::End),
            When::AtOnce,
            Bytes::All,
            first_to_end(phase, "client-closed"),
        ),
        // Any other end of the server is a reset for the client, after all that the server had sent.
        E::ServerEndsMute | E::ServerResets => expectation(
            to_client(Sees::Reset),
            When::AtOnce,
            Bytes::All,
            "server-reset",
        ),
        E::ServerVanishes => expectation(
            to_client(Sees::Reset),
            When::Keepalive,
            Bytes::Beginning,
            "server-reset",
        ),
        // Nobody waits for what a client had said that has gone.
        E::ClientResets => expectation(
            to_server(Sees::Reset),
            When::AtOnce,
            Bytes::Beginning,
            "client-reset",
        ),
        E::ClientVanishes => expectation(
            to_server(Sees::Reset),
            When::Keepalive,
            Bytes::Beginning,
            "client-reset",
        ),
        // The kernel of a stopped process still answers, and orders without a deadline touch no session.
        E::ServerStops | E::ClientStops | E::Drain | E::Maintenance | E::Removal => expectation(
            (Sees::Nothing, Sees::Nothing),
            When::Never,
            Bytes::All,
            first_to_end(phase, "client-closed"),
        ),
        E::Cut => ordered(phase, When::Deadline, "drained"),
        E::Stop => ordered(phase, When::Deadline, "shutdown"),
        E::Silence => silent(phase),
    })
}

/// Whoever ended first gives the reason of an end in order.
fn first_to_end(phase: Phase, now: &'static str) -> &'static str {
    match phase {
        Phase::ClientEnded => "client-closed",
        Phase::ServerEnded => "server-closed",
        _ => now,
    }
}

/// howdah itself ends the session: by a reset where that cuts something, in order where all has been said.
fn ordered(phase: Phase, when: When, reason: &'static str) -> Expectation {
    let (client, server) = match phase {
        Phase::BeforeFirstByte | Phase::Idle => (Sees::End, Sees::End),
        Phase::TurnAsked | Phase::AmidAnswer | Phase::AmidUpload | Phase::BothWays => {
            (Sees::Reset, Sees::Reset)
        }
        // The question stays unanswered, and the client must not take that for an empty answer.
        Phase::ClientEnded => (Sees::Reset, Sees::Nothing),
        Phase::ServerEnded => (Sees::Nothing, Sees::End),
    };
    let whole = client != Sees::Reset && server != Sees::Reset;
    Expectation {
        client,
        server,
        when,
        bytes: if whole { Bytes::All } else { Bytes::Beginning },
        reason,
    }
}

/// Nobody moves any more; whoever had bytes to read does not take them. A side that has not ended in time, when the
/// other has, is cut off.
fn silent(phase: Phase) -> Expectation {
    let expectation = ordered(phase, When::Timeout, "idle-timeout");
    match phase {
        Phase::ClientEnded => Expectation {
            reason: "half-close-timeout",
            ..expectation
        },
        Phase::ServerEnded => Expectation {
            server: Sees::Reset,
            bytes: Bytes::Beginning,
            reason: "half-close-timeout",
            ..expectation
        },
        _ => expectation,
    }
}

fn impossible(transport: Transport, phase: Phase, event: Event) -> Option<&'static str> {
    use Event as E;
    match event {
        E::ServerEndsMute if !transport.server_tls => Some("without TLS there is no close_notify"),
        E::ClientEndsMute if !transport.client_tls => Some("without TLS there is no close_notify"),
        E::ServerEnds | E::ServerEndsMute if phase == Phase::ServerEnded => {
            Some("the server has ended already")
        }
        E::ClientEnds | E::ClientEndsMute if phase == Phase::ClientEnded => {
            Some("the client has ended already")
        }
        _ => None,
    }
}
