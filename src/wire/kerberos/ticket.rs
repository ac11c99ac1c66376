//! A ticket, and the moment at which it is shown.

use std::fmt;
use std::time::SystemTime;

use super::crypto::{Block, Key};
use crate::base::principal::Principal;

/// What a KDC grants: shown to a service, it proves who asks.
#[derive(Clone)]
pub struct Ticket {
    /// Who asks.
    pub client: Principal,
    /// Whom it is for.
    pub service: Principal,
    /// For the service alone to read.
    pub(super) sealed: Vec<u8>,
    /// Known to the service and us.
    pub(super) key: Key,
    /// From then on.
    pub starts: SystemTime,
    /// Until then.
    pub ends: SystemTime,
}

/// Now, and what nobody can guess: both new for each message.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By our clock.
    pub now: SystemTime,
    /// One for each thing that is sealed.
    pub random: [Block; 2],
    /// Links an answer to its question; below 2^30, as old services take it for a number with a sign.
    pub nonce: u32,
}

impl Moment {
    /// The present.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn draw(now: SystemTime) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let (mut random, mut nonce) = ([[0; 16]; 2], [0; 4]);
        random
            .iter_mut()
            .try_for_each(|block| aws_lc_rs::rand::fill(block))?;
        aws_lc_rs::rand::fill(&mut nonce)?;
        Ok(Self {
            now,
            random,
            nonce: u32::from_be_bytes(nonce) >> 2,
        })
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ticket of {} for {}", self.client, self.service)
    }
}
