//! Who ends TLS, and which pool takes the client.

use super::answer::{Explanation, Outcome, Rule};
use super::query::{Query, Rules, Stopped};
use crate::plan::{AcceptTls, ClientAuth, Dial, Protocol, SniPattern};
use crate::session::{Destination, Reason};
use crate::tls::accept;

pub(super) fn routed<'a>(
    rules: Rules<'a>,
    query: &Query,
    protocol: Protocol,
    told: &mut Explanation,
) -> Result<&'a Destination, Stopped> {
    let by_name = protocol == Protocol::Tcp;
    let sni = query.sni.as_deref().filter(|_| by_name);
    // What a listener does not read, it does not route by.
    let sni = match (&rules.plan.tls, rules.switch.routes.is_empty()) {
        _ if !by_name => None,
        (Some(tls), _) => {
            ended_here(tls, sni, told)?;
            sni
        }
        (None, false) => {
            let text = "passed through untouched; the name is read from the ClientHello, so a client without TLS is \
                        refused (bad-client-hello)";
            told.pass(Rule::Tls, text);
            sni
        }
        (None, true) => None,
    };
    let Some((pattern, destination)) = rules.switch.find(sni) else {
        return Err(nowhere(sni, told));
    };
    let pool = destination.pool.name();
    let text = match (pattern, sni) {
        (Some(pattern), _) => format!("{} matches: pool \"{pool}\"", shown(pattern)),
        (None, _) if rules.switch.routes.is_empty() => format!("pool \"{pool}\""),
        (None, Some(sni)) => {
            format!("no route matches \"{sni}\": the listener's own pool \"{pool}\"")
        }
        (None, None) => format!("the client asks for no name: the listener's own pool \"{pool}\""),
    };
    told.tell(Rule::Route, Outcome::Choose, text);
    told.pool = Some(pool.to_string());
    let snapshot = destination.pool.load();
    if by_name && snapshot.plan().dial == Dial::Late && rules.switch.routes.is_empty() {
        let text = "a server is chosen when the client has sent its first bytes, and not before: one that stays silent for \
                    timeouts.first_byte is refused (client-silent)";
        told.pass(Rule::FirstByte, text);
    }
    Ok(destination)
}

fn ended_here(tls: &AcceptTls, sni: Option<&str>, told: &mut Explanation) -> Result<(), Stopped> {
    let places = accept::on_offer(tls, sni);
    let asked = sni.map_or_else(|| "no name".to_owned(), |sni| format!("\"{sni}\""));
    let Some(identity) = places.first().and_then(|place| tls.identities.get(*place)) else {
        let text =
            format!("no certificate carries {asked}, and sni = \"strict\" refuses such clients");
        return Err(told.stop(Rule::Tls, Reason::TlsFailed.as_str(), text));
    };
    let fits = sni.is_some_and(|sni| accept::carries(tls, sni));
    let why = match (fits, sni) {
        (true, _) => format!("carries {asked}"),
        (false, None) => "the first, as the client asks for no name".into(),
        (false, Some(_)) => {
            format!("the first, as none carries {asked}: a client that checks names will not go on")
        }
    };
    let certificate = identity.cert_path.display();
    let own = match tls.client_auth {
        ClientAuth::None => "",
        ClientAuth::Optional => "; it may show a certificate of its own",
        ClientAuth::Required => {
            "; it must show a certificate of its own, else it is refused (tls-failed)"
        }
    };
    let text = format!("ends here with {certificate} ({why}){own}");
    told.pass(Rule::Tls, text);
    Ok(())
}

fn nowhere(sni: Option<&str>, told: &mut Explanation) -> Stopped {
    let asked = sni.map_or_else(
        || "the client asks for no name".to_owned(),
        |sni| format!("no route matches \"{sni}\""),
    );
    let text = format!("{asked}, and the listener has no pool of its own");
    told.stop(Rule::Route, Reason::NoRoute.as_str(), text)
}

fn shown(pattern: &SniPattern) -> String {
    match pattern {
        SniPattern::Exact(name) => format!("\"{name}\""),
        SniPattern::Wildcard(suffix) => format!("\"*.{suffix}\""),
    }
}
