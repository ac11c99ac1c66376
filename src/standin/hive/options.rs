//! What a stand-in for HiveServer2 is to be.

/// What to be.
#[derive(Clone, Debug)]
pub struct HiveOptions {
    /// What every `SELECT` answers.
    pub name: String,
    /// Who may enter.
    pub auth: Auth,
    /// How messages travel.
    pub transport: Transport,
    /// Whose manners it has.
    pub flavour: Flavour,
}

/// Key `hive.server2.authentication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// SASL PLAIN; any user and password that are not empty (NONE).
    Anybody,
    /// SASL PLAIN; one account (as with LDAP, PAM, CUSTOM).
    Account {
        /// The name.
        user: String,
        /// And its password.
        password: String,
    },
    /// No SASL (NOSASL).
    NoSasl,
    /// SASL, but PLAIN is not offered (KERBEROS). Nobody gets in.
    OnlyGssapi,
}

/// Key `hive.server2.transport.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Thrift on the socket.
    Binary,
    /// POST to `/cliservice`.
    Http,
}

/// Where the two kinds of server differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Refuses a login with BAD and a text.
    Hive,
    /// Refuses a login by closing.
    Impala,
}

impl HiveOptions {
    /// A HiveServer2 with authentication NONE over binary Thrift.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            auth: Auth::Anybody,
            transport: Transport::Binary,
            flavour: Flavour::Hive,
        }
    }
}
