//! What a node does when its machine says so: advertise, hold its addresses on a lease of the kernel, announce them, let go.

use tokio::time::Instant;

use super::Node;
use crate::vip::kernel::{Held, RENEW_EVERY};
use crate::vip::packets::group;
use crate::wire::vrrp::{self, Advert};

impl Node {
    pub(super) fn advertise(&self, priority: u8) {
        let Some((link, packets)) = &self.place else {
            return;
        };
        let interval = self.plan.advert_interval.as_millis() / 10;
        let advert = Advert {
            router_id: self.plan.router_id,
            priority,
            interval: u16::try_from(interval).unwrap_or(vrrp::INTERVAL_MAX),
            addresses: self.plan.hosts(),
        };
        let all = [group(link.own)];
        let peers = self.peers.as_deref().filter(|peers| !peers.is_empty());
        for to in peers.unwrap_or(&all) {
            let message = vrrp::emit(&advert, link.own, *to);
            // What cannot be sent is lost as on any network; that the interface is gone is heard elsewhere.
            match packets.send(&message, *to, link) {
                Ok(()) => self.speaker.sent(),
                Err(_) => self.named.ask_again(),
            }
        }
    }

    pub(super) fn hold(&mut self) -> Result<(), String> {
        let (Some((link, _)), Some(kernel)) = (&self.place, &mut self.kernel) else {
            return Err("there is no interface to hold an address on".to_owned());
        };
        for place in link.places(&self.plan.addresses) {
            if matches!(kernel.look(place), Ok(Held::ByOthers)) {
                self.speaker.warn(&format!(
                    "this machine carries {} already, by somebody else's doing: howdah leaves it as it is, and it \
                     stays here when another one is master",
                    place.address
                ));
                continue;
            }
            let held = kernel.hold(place);
            held.map_err(|error| {
                format!("{} cannot be put on the interface: {error}", place.address)
            })?;
            self.held.push(place);
        }
        self.renew_at = Instant::now() + RENEW_EVERY;
        Ok(())
    }

    pub(super) fn renew(&mut self) {
        self.renew_at = Instant::now() + RENEW_EVERY;
        let Some(kernel) = &mut self.kernel else {
            return;
        };
        let failed = self.held.iter().find_map(|place| {
            let error = kernel.hold(*place).err()?;
            Some(format!(
                "{} cannot be kept on the interface: {error}",
                place.address
            ))
        });
        if let Some(why) = failed {
            self.lose(why);
        }
    }

    pub(super) fn release(&mut self) {
        for place in std::mem::take(&mut self.held) {
            let released = self.kernel.as_mut().map(|kernel| kernel.release(place));
            if let Some(Err(error)) = released {
                let address = place.address;
                self.speaker.warn(&format!(
                    "{address} cannot be taken away: {error}; the kernel does it in 3 s"
                ));
            }
        }
    }

    pub(super) fn announce(&self) {
        let (Some((link, _)), Some(announcer)) = (&self.place, &self.announcer) else {
            return;
        };
        let Some(hardware) = &link.hardware else {
            return;
        };
        for address in self.plan.hosts() {
            if let Err(error) = announcer.announce(address, hardware) {
                tracing::debug!(vip = %self.plan.name, %address, %error, "not announced");
            }
        }
    }
}
