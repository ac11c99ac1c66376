//! What servers say of their load: an agent's line, and pages of metrics.

use howdah::wire::{agent, gauges};

/// What a line says does not depend on what stands after its sharp, and a line that says nothing has a stranger at most.
pub fn agent(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    let said = agent::read(line);
    assert!(line.contains('#') || said.why.is_empty());
    let more = agent::read(&format!("{line} # and more"));
    assert_eq!(
        (more.weight, more.most, more.order, more.state),
        (said.weight, said.most, said.order, said.state)
    );
}

/// Numbers are numbers, of names that were asked for; what is no page is said to be none.
pub fn gauges(bytes: &[u8]) {
    let wanted = |name: &str| name.starts_with('a');
    for found in [
        gauges::beans(bytes, "metrics:name=", wanted),
        gauges::flat(bytes, wanted),
    ] {
        match found {
            Ok(found) => {
                assert!(found.get("b").is_none() && found.sum("b").is_none());
                assert!(found.get("a").is_none_or(f64::is_finite));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
