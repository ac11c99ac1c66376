//! Who is at the other end of a connection.
//!
//! Of a unix socket the kernel tells. Of a TCP connection within this machine the kernel's own table tells whose the
//! other end is: `/proc/net/tcp` has a row for each end, with the user who made it. A connection that the peer has closed
//! has a row too, but nobody's, and the user shown there is 0: such rows are passed over, and since the other end may be
//! closed while a row is printed, two looks must agree (docs/adr/0020-who-may-command.md).

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One end of an admin connection: the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Over TCP.
    Tcp {
        /// Its address.
        remote: SocketAddr,
        /// Ours.
        local: SocketAddr,
    },
    /// Over the unix socket, whose mode let it in.
    Unix {
        /// The user, where the kernel says.
        uid: Option<u32>,
    },
}

impl Peer {
    /// The user of this machine at the other end of a TCP connection. Blocks on `/proc`.
    pub(super) fn uid(&self) -> Option<u32> {
        let (remote, local) = match self {
            Self::Unix { uid } => return *uid,
            Self::Tcp { remote, local } => (*remote, *local),
        };
        if !remote.ip().to_canonical().is_loopback() {
            return None;
        }
        // The kernel prints the table in pieces: where connections come and go by the thousand, a row may fall between two.
        let look = || (0..LOOKS).find_map(|_| look(remote, local));
        let (first, second) = (look()?, look()?);
        (first == second).then_some(first)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { remote, .. } => remote.fmt(f),
            Self::Unix { .. } => f.write_str("unix socket"),
        }
    }
}

/// Opens the tables for as long as the process lives.
pub(super) fn hold_tables() {
    for table in &TABLES {
        drop(table.opened());
    }
}

/// Whose the end `remote` of its connection with `local` is. An end of IPv4 may have been made as one of IPv6, as Java
/// does, and stands in that table then.
fn look(remote: SocketAddr, local: SocketAddr) -> Option<u32> {
    let owner = |row: String| owner(&row, remote, local);
    TABLES.iter().find_map(|table| table.find(owner))
}

/// A table of the kernel, held open: whoever gives an order while sessions have taken every descriptor must still be known.
struct Table {
    path: &'static str,
    file: Mutex<Option<File>>,
}

static TABLES: [Table; 2] = [Table::of("/proc/net/tcp"), Table::of("/proc/net/tcp6")];

impl Table {
    const fn of(path: &'static str) -> Self {
        let file = Mutex::new(None);
        Self { path, file }
    }

    fn opened(&self) -> MutexGuard<'_, Option<File>> {
        let path = self.path;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            let unread = |error: &io::Error| tracing::warn!(path, %error, "cannot read who is connected: nobody is taken for root");
            *file = File::open(path).inspect_err(unread).ok();
        }
        file
    }

    /// What `wanted` makes of the first row that it likes. Read from its beginning, the table is as it is now.
    fn find(&self, wanted: impl Fn(String) -> Option<u32>) -> Option<u32> {
        let file = self.opened();
        let mut table = file.as_ref()?;
        table.rewind().ok()?;
        let mut rows = BufReader::new(table).lines().map_while(Result::ok);
        rows.find_map(wanted)
    }
}

/// As many as it takes to find a row that is there.
const LOOKS: usize = 4;

/// The user of a row of that table, if it is this end, open, and somebody's; see proc_net_tcp(5).
fn owner(row: &str, remote: SocketAddr, local: SocketAddr) -> Option<u32> {
    let mut fields = row.split_ascii_whitespace();
    let (own, other, state) = (fields.nth(1)?, fields.next()?, fields.next()?);
    let (uid, inode) = (fields.nth(3)?, fields.nth(1)?);
    let here = own.len() == other.len()
        && is(own, remote)
        && is(other, local)
        && state == ESTABLISHED
        && inode != "0";
    here.then(|| uid.parse().ok())?
}

/// Whether `text` is that address: words of the machine's byte order in hexadecimal digits, then the port.
fn is(text: &str, address: SocketAddr) -> bool {
    let six = text.len() > 20;
    let octets = match (address.ip(), six) {
        (IpAddr::V4(ip), false) => ip.octets().to_vec(),
        (IpAddr::V4(ip), true) => ip.to_ipv6_mapped().octets().to_vec(),
        (IpAddr::V6(ip), true) => ip.octets().to_vec(),
        (IpAddr::V6(ip), false) => match ip.to_ipv4_mapped() {
            Some(ip) => ip.octets().to_vec(),
            None => return false,
        },
    };
    let words = octets.chunks_exact(4).map(|word| {
        let word = <[u8; 4]>::try_from(word).unwrap_or_default();
        format!("{:08X}", u32::from_ne_bytes(word))
    });
    let shown: String = words.collect();
    text == format!("{shown}:{:04X}", address.port())
}

/// `TCP_ESTABLISHED`.
const ESTABLISHED: &str = "01";

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_other_end_within_this_machine_has_a_user() {
        let own = rustix::process::geteuid().as_raw();
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(bind) else {
                continue; // A machine without IPv6.
            };
            let local = listener.local_addr().expect("bound");
            let client = TcpStream::connect(local).expect("connects");
            let (_server, remote) = listener.accept().expect("accepts");
            let peer = Peer::Tcp { remote, local };
            assert_eq!(peer.uid(), Some(own), "{bind}");
            drop(client);
            assert_eq!(peer.uid(), None, "closed, and nobody's: {bind}");
        }
    }

    #[test]
    fn a_row_of_nobody_is_not_the_row_of_root() {
        if cfg!(target_endian = "big") {
            return;
        }
        let (remote, local) = ("127.0.0.1:40000", "127.0.0.1:9600");
        let of = |row: &str| {
            owner(
                row,
                remote.parse().expect("valid"),
                local.parse().expect("valid"),
            )
        };
        let row = |state: &str, uid: u32, inode: u32| {
            format!(
                "   1: 0100007F:9C40 0100007F:2580 {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0000000000000000 20 4 30 10 -1"
            )
        };
        assert_eq!(of(&row("01", 1000, 77)), Some(1000));
        assert_eq!(of(&row("01", 0, 0)), None);
        assert_eq!(of(&row("05", 0, 77)), None);
        let mapped = row("01", 5, 77).replace("0100007F:", "0000000000000000FFFF00000100007F:");
        assert_eq!(of(&mapped), Some(5));
        let turned = "   1: 0100007F:2580 0100007F:9C40 01 0:0 00:0 0 0 0 9 1";
        assert_eq!(of(turned), None);
        for odd in ["", "  sl  local_address rem_address   st", "1: x y 01"] {
            assert_eq!(of(odd), None);
        }
    }
}
