//! `[vip.NAME]` → [`VipPlan`]: addresses that several machines share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::{judge_name, missing};
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::file::{Vip, Vips};
use crate::config::suggest;
use crate::config::words::Many;
use crate::plan::{Host, ListenerName, ListenerPlan, VipName, VipPlan};

pub(super) fn lower(
    words: &Vips,
    listeners: &[Arc<ListenerPlan>],
    cx: &mut Cx,
) -> Vec<Arc<VipPlan>> {
    let mut plans: Vec<Arc<VipPlan>> = Vec::new();
    for (name, words) in &words.0 {
        judge_name(name, "", "virtual address", cx);
        cx.owner = format!("vip {:?}", name.value);
        let Some(plan) = one(name, words, listeners, cx) else {
            continue;
        };
        collide(&plan, &plans, words, cx);
        plans.push(Arc::new(plan));
    }
    plans
}

fn one(
    name: &Spot<String>,
    words: &Vip,
    listeners: &[Arc<ListenerPlan>],
    cx: &mut Cx,
) -> Option<VipPlan> {
    for (absent, key, example) in [
        (
            words.addresses.is_absent(),
            "addresses",
            "addresses = [\"192.0.2.10/24\"]",
        ),
        (
            words.interface.is_absent(),
            "interface",
            "interface = \"eth0\"",
        ),
        (
            words.router_id.is_absent(),
            "router_id",
            "router_id = 51, the same as on the other machine",
        ),
    ] {
        if absent {
            missing(&words.span, key, example, cx);
        }
    }
    let addresses = addresses(&words.addresses, cx);
    let number = |whole: u64| u8::try_from(whole).ok();
    let router_id = words.router_id.value().and_then(|id| number(id.0));
    let interface = words.interface.get().map(|word| interface(word, cx));
    let family = addresses.first().map(IpNet::addr);
    let track = many(&words.track).map(|word| tracked(word, listeners, cx));
    let track = track.collect();
    let peers = many(&words.unicast_peers).filter_map(|word| peer(word, family, cx));
    let unicast_peers = peers.collect();
    let priority = words
        .priority
        .value()
        .and_then(|priority| number(priority.0));
    let plan = VipPlan {
        name: VipName::new(&name.value),
        interface: interface?,
        router_id: router_id?,
        priority: priority.unwrap_or(VipPlan::PRIORITY),
        advert_interval: interval(words, cx),
        track,
        preempt: words.preempt.or(true),
        preempt_delay: words.preempt_delay.or(Duration::ZERO),
        unicast_peers,
        addresses,
    };
    (!plan.addresses.is_empty()).then_some(plan)
}

fn many(field: &Field<Many<String>>) -> impl Iterator<Item = &Spot<String>> {
    field.value().into_iter().flat_map(|many| &many.0)
}

fn addresses(field: &Field<Many<String>>, cx: &mut Cx) -> Vec<IpNet> {
    let mut all: Vec<IpNet> = Vec::new();
    for word in many(field) {
        let alone = || word.value.parse::<IpAddr>().ok().map(IpNet::from);
        let read = word.value.parse::<IpNet>().ok().or_else(alone);
        let Some(address) = read.filter(|one| is_one_to_hold(one.addr())) else {
            let what = format!("{} has no usable address {:?}", cx.owner, word.value);
            cx.error(&word.span, what)
                .why("an address of a machine is wanted, with its network")
                .fix("write it as `ip addr` shows it: \"192.0.2.10/24\"");
            continue;
        };
        let first = all.first().copied().unwrap_or(address);
        if first.addr().is_ipv4() != address.addr().is_ipv4() {
            let what = format!("{} mixes IPv4 and IPv6", cx.owner);
            cx.error(&word.span, what)
                .why("VRRP elects for each of them by itself")
                .fix("write a [vip.NAME] for each; they may have the same router_id");
        } else if all.iter().any(|one| one.addr() == address.addr()) {
            let what = format!("{} has {} twice", cx.owner, address.addr());
            cx.error(&word.span, what)
                .why("the second")
                .fix("leave it out");
        } else {
            all.push(address);
        }
    }
    if let Some(span) = field.span()
        && all.len() > MANY
    {
        let what = format!("{} has {} addresses", cx.owner, all.len());
        cx.error(&span, what)
            .why(format!("an advertisement holds {MANY} at most"))
            .fix("write several [vip.NAME]");
    }
    all
}

fn is_one_to_hold(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback()
}

fn interface(word: &Spot<String>, cx: &mut Cx) -> String {
    let name = &word.value;
    let strange = |c: char| c.is_whitespace() || c == '/' || c.is_control();
    if name.is_empty() || name.len() > 15 || name.contains(strange) {
        let what = format!("{} has no usable interface {name:?}", cx.owner);
        cx.error(&word.span, what)
            .why("names of interfaces have 1 to 15 characters")
            .fix("write it as `ip link` shows it: \"eth0\"");
    }
    name.clone()
}

fn tracked(word: &Spot<String>, listeners: &[Arc<ListenerPlan>], cx: &mut Cx) -> ListenerName {
    let known: Vec<&str> = listeners.iter().map(|one| one.name.as_str()).collect();
    if !known.contains(&word.value.as_str()) {
        let what = format!(
            "{} tracks a listener {:?} that is not in the file",
            cx.owner, word.value
        );
        let hint = suggest::value(&word.value, &known, &[]);
        let hint = hint.unwrap_or_else(|| "name one of them, or leave track out".to_owned());
        cx.error(&word.span, what)
            .why(format!("known: {}", known.join(", ")))
            .fix(hint);
    }
    ListenerName::new(&word.value)
}

fn peer(word: &Spot<String>, family: Option<IpAddr>, cx: &mut Cx) -> Option<Host> {
    let read = Host::read(&word.value);
    let (why, fix) = match read {
        Ok(Host::Ip(ip)) if family.is_some_and(|one| one.is_ipv4() != ip.is_ipv4()) => (
            "it is of the other family than the addresses",
            "name the other machine's address of the same family",
        ),
        Ok(host) => return Some(host),
        Err(why) => (
            why,
            "write an address or a name of the other machine, without a port",
        ),
    };
    let what = format!("{} has no usable peer {:?}", cx.owner, word.value);
    cx.error(&word.span, what).why(why).fix(fix);
    None
}

fn interval(words: &Vip, cx: &mut Cx) -> Duration {
    let Some(word) = words.advert_interval.get() else {
        return VipPlan::ADVERT_INTERVAL;
    };
    let (least, most) = (Duration::from_millis(10), Duration::from_secs(40));
    let whole = word.value.as_micros().is_multiple_of(10_000);
    if !whole || word.value < least || word.value > most {
        let what = format!("{} has an advert_interval that VRRP cannot say", cx.owner);
        cx.error(&word.span, what)
            .why("it counts in hundredths of a second, from 10ms to 40s")
            .fix("write advert_interval = \"200ms\"");
    }
    word.value.clamp(least, most)
}

/// Nothing is shared by two of them.
fn collide(plan: &VipPlan, others: &[Arc<VipPlan>], words: &Vip, cx: &mut Cx) {
    let hosts = plan.hosts();
    for other in others {
        let theirs = other.hosts();
        let same_family = theirs[0].is_ipv4() == hosts[0].is_ipv4();
        let (interface, id) = (&plan.interface, plan.router_id);
        if same_family && other.interface == *interface && other.router_id == id {
            let what = format!(
                "{} and vip \"{}\" have the same router_id",
                cx.owner, other.name
            );
            cx.error(&words.router_id.span().unwrap_or_default(), what)
                .why(format!("{id} stands for one group on {interface:?}"))
                .fix("choose another number from 1 to 255, on all machines");
        }
        if let Some(both) = hosts.iter().find(|one| theirs.contains(one)) {
            let what = format!("{} and vip \"{}\" both have {both}", cx.owner, other.name);
            cx.error(&words.addresses.span().unwrap_or_default(), what)
                .why("an address moves with one of them")
                .fix("leave it out of one");
        }
    }
}

/// What the message counts with one byte.
const MANY: usize = 255;
