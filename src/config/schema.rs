//! The file's grammar as JSON Schema (draft 7, which editors know best), from the same declarations as its reading and the
//! manual: editors complete keys and words by it, and mark what is unknown.
//!
//! A schema judges each value alone. What belongs together, `howdah check` says.

use super::file::File;
use super::words::Word;

/// The schema, as text.
pub fn schema() -> String {
    let mut schema = File::schema();
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "howdah.toml".into();
    schema["description"] = "Configuration of howdah".into();
    format!("{schema:#}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn a_key_has_its_words_its_line_of_the_manual_and_its_default() {
        let schema: Value = serde_json::from_str(&super::schema()).expect("JSON");
        assert_eq!(schema["required"], json!(["listener", "pool"]));
        let pool = &schema["properties"]["pool"]["additionalProperties"];
        assert_eq!(pool["additionalProperties"], false);
        let balance = &pool["properties"]["balance"]["enum"];
        assert!(
            balance.to_string().contains("least-connection"),
            "{balance}"
        );
        let rise = &pool["properties"]["probe"]["anyOf"][1]["properties"]["rise"];
        assert_eq!(
            (&rise["default"], &rise["maximum"]),
            (&json!(2), &json!(100))
        );
        let told = rise["description"].as_str().expect("told");
        assert!(told.starts_with("Agreeing answers") && told.ends_with("Default: 2"));
    }
}
