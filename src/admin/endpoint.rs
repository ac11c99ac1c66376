//! One endpoint of the admin address: what is asked, who may ask, what it takes and what it answers, declared once.
//!
//! A constant of this type in a file of `api/`, and its line in the table there, is all that an endpoint needs: dispatch,
//! the header `Allow`, the guard, the reading of its parameters and the OpenAPI document come from it.

use std::pin::Pin;

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use super::answer::{Answer, Fault};
use super::call::Call;
use super::path::name_in;
use super::query::Parameter;

/// What the table has a row of.
pub(super) struct Endpoint {
    pub(super) method: Verb,
    /// Like `/api/v1/pools/{pool}/servers/{server}`: a name in braces stands for one segment.
    pub(super) path: &'static str,
    pub(super) access: Access,
    /// A line for the document.
    pub(super) summary: &'static str,
    /// What else there is to say; may be empty.
    pub(super) description: &'static str,
    /// What may stand after the `?`. With none declared, an order refuses whatever stands there, and who
    /// looks is passed over.
    pub(super) query: &'static [Parameter],
    /// What the request carries.
    pub(super) body: Option<Taken>,
    pub(super) answer: Given,
    /// Statuses beside 200 and those that follow from the rest (400, 401, 404 of a name in the path).
    pub(super) faults: &'static [u16],
    pub(super) serve: fn(Call) -> Served,
}

/// An answer on its way.
pub(super) type Served = Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send>>;

/// The methods that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// HEAD too.
    Get,
    Post,
    Put,
    Delete,
}

/// Who may ask; [`super::guard`] says who that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Anybody,
    /// Who may look.
    Look,
    /// Who may command. The word is the log's, in the line that each order leaves.
    Command(&'static str),
}

/// A JSON object that a request carries.
pub(super) struct Taken {
    pub(super) schema: SchemaOf,
    /// JSON.
    pub(super) example: &'static str,
}

/// What an answer 200 is made of.
pub(super) enum Given {
    /// JSON of that type.
    Json(SchemaOf),
    /// Text of that media type.
    Text(&'static str),
}

/// The schema of a type, by way of the document's generator, which keeps each type once.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// For [`Taken`] and [`Given`].
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Endpoint {
    /// For those who may look.
    pub(super) const fn get(path: &'static str, serve: fn(Call) -> Served) -> Self {
        Self {
            method: Verb::Get,
            path,
            access: Access::Look,
            summary: "",
            description: "",
            query: &[],
            body: None,
            answer: Given::Text("text/plain; charset=utf-8"),
            faults: &[],
            serve,
        }
    }

    /// An order; `word` is what the log calls it.
    pub(super) const fn order(
        method: Verb,
        path: &'static str,
        word: &'static str,
        serve: fn(Call) -> Served,
    ) -> Self {
        Self {
            method,
            access: Access::Command(word),
            ..Self::get(path, serve)
        }
    }

    /// The names in braces.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(name_in)
    }
}

impl Verb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// For the header `Allow`.
    pub(super) fn allows(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            other => other.as_str(),
        }
    }

    /// Whether a request's method is this one.
    pub(super) fn is(self, method: &hyper::Method) -> bool {
        self.as_str() == method || (self == Self::Get && method == hyper::Method::HEAD)
    }
}
