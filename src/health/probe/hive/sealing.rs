//! What a server may want around each frame after a login by Kerberos: a signature, or a seal.

use std::time::SystemTime;

use crate::health::Reason;
use crate::health::probe::trace::{Answer, Asked};
use crate::wire::kerberos::Moment;
use crate::wire::kerberos::gss::{Context, Distrust};

/// QOP `auth-int` or `auth-conf`.
#[derive(Debug)]
pub(in super::super) struct Sealing {
    context: Context,
    secret: bool,
}

/// Layers of RFC 4752 §3.3, as bits.
const NONE: u8 = 1;
const SIGNED: u8 = 2;
const SECRET: u8 = 4;

impl Sealing {
    /// What the server offers, and what is taken: the first byte is a set of layers.
    ///
    /// # Errors
    /// Where it offers none.
    pub(super) fn chosen(offer: &[u8], mut context: Context) -> Asked<(Vec<u8>, Option<Self>)> {
        let offered = offer.first().copied().unwrap_or(0);
        let layers = [NONE, SIGNED, SECRET];
        let layer = layers.into_iter().find(|layer| offered & layer != 0);
        let layer = layer.ok_or_else(|| distrust("the server offers no layer of protection"))?;
        let most: [u8; 3] = if layer == NONE { [0; 3] } else { [0xff; 3] };
        let answer = context.wrap(&[&[layer][..], &most].concat(), None);
        let sealing = Self {
            context,
            secret: layer == SECRET,
        };
        Ok((answer, (layer != NONE).then_some(sealing)))
    }

    pub(super) fn wrap(&mut self, message: &[u8]) -> Asked<Vec<u8>> {
        let random = match self.secret {
            true => Some(moment()?.random[0]),
            false => None,
        };
        Ok(self.context.wrap(message, random))
    }

    pub(super) fn unwrap(&self, frame: &[u8]) -> Asked<Vec<u8>> {
        self.context
            .unwrap(frame)
            .map_err(|fault| distrusted(&fault))
    }
}

/// Now, with something random.
pub(in super::super) fn moment() -> Asked<Moment> {
    let drawn = Moment::draw(SystemTime::now());
    drawn.map_err(|_| Answer::down(Reason::Unusable, "the system gives no random numbers"))
}

pub(in super::super) fn distrusted(fault: &Distrust) -> Answer {
    distrust(&fault.to_string())
}

fn distrust(text: &str) -> Answer {
    Answer::down(Reason::KerberosRefused, text)
}
