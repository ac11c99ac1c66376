//! What a request carries: a JSON object with known keys, within bounds of size and time.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::answer::Fault;

/// The whole of it.
pub(super) async fn collect(incoming: Incoming) -> Result<Vec<u8>, Fault> {
    let whole = Limited::new(incoming, BODY_MAX).collect();
    match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Fault::Request(
            format!("the body is longer than {} KiB", BODY_MAX / 1024),
        )),
        Ok(Err(error)) => Err(Fault::Request(format!("the body did not arrive: {error}"))),
        Err(_) => Err(Fault::Request("the body took too long to arrive".into())),
    }
}

/// Its keys, all of them among `known`. An empty body is an empty object.
pub(super) fn fields(body: &[u8], known: &[&str]) -> Result<Map<String, Value>, Fault> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let fields = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(Fault::Request("the body must be a JSON object".into())),
        Err(error) => return Err(Fault::Request(format!("the body is no JSON: {error}"))),
    };
    only(&fields, known)?;
    Ok(fields)
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Fault> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) if known.is_empty() => {
            let text = format!("the body has the key {key:?}, and this command takes none");
            Err(Fault::Impossible(text, Vec::new()))
        }
        Some(key) => {
            let known = known.join(", ");
            let text = format!("the body has the unknown key {key:?}: known are {known}");
            Err(Fault::Impossible(text, Vec::new()))
        }
    }
}

const BODY_MAX: usize = 64 * 1024;
const BODY_TIME: Duration = Duration::from_secs(10);
