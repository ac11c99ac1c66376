//! Proofs of a password, by the method that a server asks for.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// How a server wants to see the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `mysql_native_password`: MariaDB's, and MySQL's up to 5.7.
    Native,
    /// `caching_sha2_password`: MySQL's since 8.0. A server that has not seen the account since its start asks for the
    /// password itself.
    CachingSha2,
    /// `mysql_clear_password`: the password itself, as PAM and LDAP need it.
    Clear,
}

impl Method {
    /// `None`: not one of ours.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "mysql_native_password" => Some(Self::Native),
            "caching_sha2_password" => Some(Self::CachingSha2),
            "mysql_clear_password" => Some(Self::Clear),
            _ => None,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Clear => "mysql_clear_password",
        }
    }
}

/// The proof; of [`Method::Clear`] the password, for TLS alone.
pub fn scramble(method: Method, password: &str, salt: &[u8]) -> Vec<u8> {
    let secret = password.as_bytes();
    match method {
        Method::Clear => [secret, b"\0"].concat(),
        _ if secret.is_empty() => Vec::new(),
        Method::Native => {
            let once = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[secret]);
            let twice = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
            xor(&once, &hash(&SHA1_FOR_LEGACY_USE_ONLY, &[salt, &twice]))
        }
        Method::CachingSha2 => {
            let once = hash(&SHA256, &[secret]);
            let twice = hash(&SHA256, &[&once]);
            xor(&once, &hash(&SHA256, &[&twice, salt]))
        }
    }
}

fn hash(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    digest(algorithm, &parts.concat()).as_ref().to_vec()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn proofs_are_as_other_clients_make_them() {
        let salt = b"abcdefghijklmnopqrst";
        let proof = |method| hex(&scramble(method, "secret", salt));
        assert_eq!(proof(Method::Native), NATIVE);
        assert_eq!(proof(Method::CachingSha2), SHA2);
        assert_eq!(scramble(Method::Native, "", salt), b"");
        assert_eq!(scramble(Method::Clear, "secret", salt), b"secret\0");
    }

    /// By Python's hashlib.
    const NATIVE: &str = "8817c50fa779daef010ee7577825b0847df9842e";
    const SHA2: &str = "c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809";
}
