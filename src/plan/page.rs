//! One HTTP request, and what status and body of the answer mean.

use std::borrow::Cow;

use super::{Meaning, Rule, Says};
use crate::base::pattern::Pattern;

/// A request and what its answer means, as a service's profile holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// GET, HEAD, OPTIONS or POST.
    pub method: &'static str,
    /// Begins with a slash.
    pub path: &'static str,
    /// What each status means. Where one is up and claims no role, the body is judged. A status that is not here is down,
    /// but for redirects, 401, 403 and 407, which are alive. What is expected with a Refresh header that sends on means what a
    /// 307 means.
    pub statuses: &'static [(u16, Meaning)],
    /// What a status below 500 means that is not among them, redirects and logins too.
    pub below_500: Option<Meaning>,
    /// The first expression that matches counts; a body that matches none is down. Empty: any body.
    pub body: &'static [Rule],
    /// A value of the body.
    pub json: Option<JsonRule>,
}

/// What a value of a JSON body means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonRule {
    /// RFC 6901.
    pub pointer: &'static str,
    /// Texts, numbers and truth values as they are written.
    pub values: &'static [(&'static str, Meaning)],
}

/// One HTTP request and what is expected of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAsk {
    /// GET, HEAD, OPTIONS or POST.
    pub method: String,
    /// Begins with a slash.
    pub path: String,
    /// The Host header; default: the server's address.
    pub host: Option<String>,
    /// Any of these: then the body is judged, but for statuses that ask for a login. Default 200.
    pub expect_status: Vec<u16>,
    /// What other statuses mean.
    pub statuses: Vec<(u16, Meaning)>,
    /// What a status below 500 means that is named nowhere.
    pub below_500: Option<Meaning>,
    /// Must occur in the body.
    pub expect_body: Option<String>,
    /// The first that matches the body counts, and one must, where there are any.
    pub body: Vec<(Pattern, Meaning)>,
    /// A value of the body.
    pub json: Option<JsonAsk>,
}

/// What a value of a JSON body means; the first of `values` that is alike counts, any other is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonAsk {
    /// RFC 6901.
    pub pointer: Cow<'static, str>,
    /// Texts, numbers and truth values as they are written.
    pub values: Vec<(Cow<'static, str>, Meaning)>,
}

impl Page {
    /// GET, of which 200 is up whatever the body says.
    pub const fn get(path: &'static str) -> Self {
        Self {
            method: "GET",
            path,
            statuses: &[(200, Meaning::UP)],
            below_500: None,
            body: &[],
            json: None,
        }
    }
}

impl HttpAsk {
    /// GET, of which 200 is up whatever the body says.
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.to_owned(),
            host: None,
            expect_status: vec![200],
            statuses: Vec::new(),
            below_500: None,
            expect_body: None,
            body: Vec::new(),
            json: None,
        }
    }

    /// As a profile says.
    ///
    /// # Errors
    /// The first expression that is none, and why.
    pub fn of(page: &Page) -> Result<Self, String> {
        let is_plain = |means: &Meaning| means.says == Says::Up && means.role.is_none();
        let (expected, statuses): (Vec<_>, Vec<_>) =
            (page.statuses.iter().copied()).partition(|(_, means)| is_plain(means));
        let compile = |rule: &Rule| {
            let pattern = Pattern::new(rule.pattern.clone());
            pattern.map(|pattern| (pattern, rule.means))
        };
        Ok(Self {
            method: page.method.to_owned(),
            expect_status: expected.into_iter().map(|(status, _)| status).collect(),
            statuses,
            below_500: page.below_500,
            body: page.body.iter().map(compile).collect::<Result<_, _>>()?,
            json: page.json.map(|json| JsonAsk::of(&json)),
            ..Self::get(page.path)
        })
    }
}

impl JsonAsk {
    fn of(rule: &JsonRule) -> Self {
        let values = rule.values.iter();
        Self {
            pointer: Cow::Borrowed(rule.pointer),
            values: values
                .map(|(value, means)| (Cow::Borrowed(*value), *means))
                .collect(),
        }
    }
}
