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
