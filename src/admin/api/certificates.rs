//! `GET /api/v1/certificates`: those in use, with their ends.

use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::admin::CertificateView;
use crate::admin::answer::json;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::base::time::rfc3339;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Certificates that howdah shows, and when they end",
    answer: Given::Json(schema::<Certificates>),
    ..Endpoint::get("/api/v1/certificates", |call| {
        Box::pin(async move {
            let now = SystemTime::now();
            let all = call.view.certificates.iter();
            let certificates = all.filter_map(|one| Certificate::of(one, now)).collect();
            Ok(json(&Certificates { certificates }))
        })
    })
};

/// All in use.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Certificates {
    /// Of listeners, pools and the admin address.
    certificates: Vec<Certificate>,
}

/// One, the first of its chain.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Certificate {
    /// Who shows it: `listener "hive"`, `pool "hive"`, `admin`.
    #[serde(rename = "where")]
    place: String,
    /// The file.
    file: String,
    /// Its subject.
    subject: String,
    /// The names that it is good for.
    names: Vec<String>,
    /// Who signed it.
    issuer: String,
    /// RFC 3339, UTC.
    not_before: String,
    /// RFC 3339, UTC.
    not_after: String,
    /// Until then; below zero where it has ended.
    days_left: f64,
}

impl Certificate {
    /// `None` for what no parser takes, which no configuration names.
    fn of(view: &CertificateView, now: SystemTime) -> Option<Self> {
        let identity = &view.identity;
        let (_, parsed) = X509Certificate::from_der(identity.chain.first()?).ok()?;
        let not_before = u64::try_from(parsed.validity().not_before.timestamp()).unwrap_or(0);
        let not_before = UNIX_EPOCH + std::time::Duration::from_secs(not_before);
        let left = match identity.not_after.duration_since(now) {
            Ok(left) => left.as_secs_f64(),
            Err(past) => -past.duration().as_secs_f64(),
        };
        Some(Self {
            place: view.place.clone(),
            file: identity.cert_path.display().to_string(),
            subject: parsed.subject().to_string(),
            names: identity.names.clone(),
            issuer: parsed.issuer().to_string(),
            not_before: rfc3339(not_before).to_string(),
            not_after: rfc3339(identity.not_after).to_string(),
            days_left: (left / DAY * 100.0).round() / 100.0,
        })
    }
}

/// In seconds.
const DAY: f64 = 86_400.0;
