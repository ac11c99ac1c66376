//! Numbers out of the two kinds of lists in which Java and Impala servers show their metrics.
//!
//! Only names that are asked for are kept; the rest is checked and skipped without recursion. A value that is no number
//! (Hive's gauges may say "NaN" for a while) is none.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Values by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gauges(HashMap<String, f64>);

/// Why bytes are no such list, in the parser's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GaugesError(String);

impl Gauges {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// The sum of all whose name begins so; `None` where there is none.
    pub fn sum(&self, prefix: &str) -> Option<f64> {
        let all = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        all.map(|(_, value)| *value)
            .reduce(|sum, value| sum + value)
    }

    /// Nothing that was asked for is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn keep(&mut self, name: &str, value: Option<&RawValue>) {
        let number = value.and_then(|value| value.get().parse::<f64>().ok());
        if let Some(number) = number.filter(|number| number.is_finite()) {
            self.0.insert(name.to_owned(), number);
        }
    }
}

#[derive(Deserialize)]
struct Jmx<'t> {
    #[serde(borrow)]
    beans: Vec<&'t RawValue>,
}

#[derive(Deserialize)]
struct Bean<'t> {
    #[serde(borrow)]
    name: Cow<'t, str>,
    #[serde(rename = "Value", borrow)]
    value: Option<&'t RawValue>,
    #[serde(rename = "Count", borrow)]
    count: Option<&'t RawValue>,
}

/// The beans of a `/jmx` page (`{"beans": [{"name": ..., "Value": ...}]}`) whose name, without `domain`, is `wanted`: of a
/// gauge its `Value`, of a counter its `Count`. Source: apache/hadoop JMXJsonServlet.java.
///
/// # Errors
/// When `bytes` are no such page.
pub fn beans(
    bytes: &[u8],
    domain: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Gauges, GaugesError> {
    let page: Jmx<'_> = serde_json::from_slice(bytes).map_err(told)?;
    let mut gauges = Gauges::default();
    for bean in page.beans {
        // What is not made like a metric is none.
        let Ok(bean) = serde_json::from_str::<Bean<'_>>(bean.get()) else {
            continue;
        };
        if let Some(name) = bean.name.strip_prefix(domain).filter(|name| wanted(name)) {
            gauges.keep(name, bean.value.or(bean.count));
        }
    }
    Ok(gauges)
}

/// The members of one flat object (Impala's `/jsonmetrics`) that are `wanted`; truth values are 1 and 0.
/// Source: apache/impala be/src/util/metrics.cc, LegacyToJson.
///
/// # Errors
/// When `bytes` are no JSON object.
pub fn flat(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Gauges, GaugesError> {
    let page: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(bytes).map_err(told)?;
    let mut gauges = Gauges::default();
    for (name, value) in page.iter().filter(|(name, _)| wanted(name)) {
        match value.get() {
            "true" => drop(gauges.0.insert(name.to_string(), 1.0)),
            "false" => drop(gauges.0.insert(name.to_string(), 0.0)),
            _ => gauges.keep(name, Some(value)),
        }
    }
    Ok(gauges)
}

fn told(error: serde_json::Error) -> GaugesError {
    GaugesError(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gauges_and_counters_are_found_among_other_beans() {
        let page = br#"{ "beans" : [
            { "name" : "metrics:name=hs2_open_sessions", "modelerType" : "JmxGauge", "Value" : 12 },
            { "name" : "metrics:name=jvm.pause.extraSleepTime", "Count" : 4500 },
            { "name" : "metrics:name=open_operations", "Value" : "NaN" },
            { "name" : "metrics:name=waiting_compile_ops", "Value" : NaN },
            { "name" : "java.lang:type=Memory" } ] }"#;
        let all = |_: &str| true;
        assert!(beans(page, "metrics:name=", all).is_err(), "NaN is no JSON");
        let page = String::from_utf8_lossy(page).replace(" NaN", " 1e400");
        let found = beans(page.as_bytes(), "metrics:name=", all).unwrap();
        assert_eq!(found.get("hs2_open_sessions"), Some(12.0));
        assert_eq!(found.get("jvm.pause.extraSleepTime"), Some(4500.0));
        assert_eq!(
            (
                found.get("open_operations"),
                found.get("waiting_compile_ops")
            ),
            (None, None)
        );
        assert_eq!(found.0.len(), 2);
        let none = beans(page.as_bytes(), "metrics:name=", |name| name == "x").unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn members_of_a_flat_object_are_summed_by_the_beginning_of_their_name() {
        let page =
            br#"{"a.x": 1, "a.y": 2.5, "b": true, "c": "1", "d": {"a": 1}, "e": null, "f": [[]]}"#;
        let found = flat(page, |name| name != "a.z").unwrap();
        assert_eq!(
            (found.sum("a."), found.get("b"), found.sum("z")),
            (Some(3.5), Some(1.0), None)
        );
        assert_eq!(["c", "d", "e", "f"].map(|name| found.get(name)), [None; 4]);
        assert!(flat(b"[]", |_| true).is_err() && flat(b"", |_| true).is_err());
    }

    #[test]
    fn a_deep_nesting_costs_nothing() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let page = format!("{{\"x\": {deep}, \"y\": 1}}");
        assert_eq!(flat(page.as_bytes(), |_| true).unwrap().get("y"), Some(1.0));
        let page = format!(
            "{{\"beans\": [{deep}, {{\"name\": \"y\", \"Value\": 1, \"z\": {deep}}}], \"w\": {deep}}}"
        );
        assert_eq!(
            beans(page.as_bytes(), "", |_| true).unwrap().get("y"),
            Some(1.0)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..500), text in "[\\[\\]{}\":,a1]{0,60}") {
            for bytes in [&bytes, text.as_bytes()] {
                let _ = beans(bytes, "", |_| true);
                let _ = flat(bytes, |_| true);
            }
        }
    }
}
