//! A goal of availability: `slo = 99.9`.

use serde_json::{Value as Schema, json};
use toml::de::DeValue;

use super::cx::Cx;
use super::field::Value;
use super::words::Word;
use crate::plan::Goal;

impl Word for Goal {
    fn kind() -> String {
        "percent below 100".into()
    }

    fn schema() -> Schema {
        json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100, "examples": [99.9] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let digits = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) => number.as_str(),
            _ => {
                let example = format!("{} = 99.9, in percent and without quotes", cx.key);
                cx.wrong_type(value, "a number", &example);
                return None;
            }
        };
        let percent: Option<f64> = digits.parse().ok();
        let goal = percent.and_then(goal);
        if goal.is_none() {
            let what = format!("{} is no goal", cx.subject());
            let why = match percent {
                Some(percent) if percent >= 100.0 => "leaves no time to fail in",
                Some(percent) if percent > 0.0 => "more than three decimals",
                _ => "a percentage is wanted",
            };
            cx.error(&value.span(), what)
                .why(why)
                .fix("more than 0 and less than 100, to three decimals: 99.9 leaves 43 minutes in 30 days");
        }
        goal
    }
}

fn goal(percent: f64) -> Option<Goal> {
    let thousandths = percent * 1000.0;
    let whole = thousandths.round();
    let exact = (thousandths - whole).abs() < 1e-6 && (0.0..1e6).contains(&whole);
    exact.then(|| Goal::of_thousandths(whole as u32)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_decimals_are_taken_as_they_are_written() {
        for (percent, thousandths) in [(99.9, 99_900), (99.999, 99_999), (50.0, 50_000), (0.001, 1)]
        {
            assert_eq!(
                goal(percent),
                Goal::of_thousandths(thousandths),
                "{percent}"
            );
        }
        for percent in [0.0, -1.0, 100.0, 99.9999, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(goal(percent), None, "{percent}");
        }
    }
}
