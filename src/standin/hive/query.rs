//! What a stand-in answers to a statement.
//!
//! | statement | answer |
//! |---|---|
//! | `SELECT 1` | 1 |
//! | `SELECT sleep(2.5)` | the instance's name, 2.5 s later |
//! | `SELECT repeat(100000)` | that many rows of [`ROW_WIDTH`] bytes |
//! | `SET key` | `key=` and the instance's name |
//! | any other `SELECT`, `WITH`, `VALUES`, `SHOW`, `DESCRIBE`, `EXPLAIN` | the instance's name |
//! | `USE`, `SET key=value`, `CREATE`, `INSERT` and their like | nothing, and all is well |
//! | anything else | an error, as from a parser |

use std::ops::Range;
use std::time::Duration;

use crate::wire::hive::{Column, Schema};

/// The outcome of a statement: how long it takes, and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Before the result is there.
    pub(super) takes: Duration,
    /// `None` for statements without one.
    pub(super) table: Option<Table>,
}

/// A result of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Name of the column.
    pub(super) column: String,
    /// Its rows.
    pub(super) rows: Rows,
}

/// The rows of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// None.
    Empty,
    /// A single INT.
    Number(i32),
    /// A single STRING.
    Text(String),
    /// So many STRINGs of [`ROW_WIDTH`] bytes each, that begin with the instance's name and the row's number.
    Many(u64, String),
}

impl Table {
    /// A result without rows, as of GetTables where there is no table.
    pub(super) fn empty(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            rows: Rows::Empty,
        }
    }

    /// What GetResultSetMetadata tells.
    pub(super) fn schema(&self) -> Schema {
        let kind = self.rows.part(0..0).type_id();
        Schema {
            columns: vec![(self.column.clone(), kind)],
        }
    }
}

impl Rows {
    /// How many.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Number(_) | Self::Text(_) => 1,
            Self::Many(count, _) => *count,
        }
    }

    /// Those with numbers in `range`, which ends with [`Self::count`] at the latest.
    pub(super) fn part(&self, range: Range<u64>) -> Column {
        match self {
            Self::Empty => Column::Text(Vec::new()),
            Self::Number(number) => Column::Int(range.map(|_| Some(*number)).collect()),
            Self::Text(text) => Column::Text(range.map(|_| Some(text.clone())).collect()),
            Self::Many(_, name) => Column::Text(range.map(|row| Some(wide(name, row))).collect()),
        }
    }
}

fn wide(name: &str, row: u64) -> String {
    format!("{:.<ROW_WIDTH$}", format!("{name} row {row} "))
}

/// Looks at a statement as the table above says.
///
/// # Errors
/// With the text for the client.
pub(super) fn run(statement: &str, name: &str) -> Result<Outcome, String> {
    let statement = statement.trim().trim_end_matches(';').trim_end();
    let lower = statement.to_ascii_lowercase();
    let (verb, rest) = lower
        .split_once(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or((&lower, ""));
    let mut takes = Duration::ZERO;
    let rows = match verb {
        "select" if rest.trim() == "1" => Some(Rows::Number(1)),
        "select" => {
            let rest = rest.trim();
            if let Some(seconds) = argument(rest, "sleep") {
                takes = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            }
            match argument(rest, "repeat") {
                // A float holds every count that anybody will wait for.
                Some(count) => Some(Rows::Many(count as u64, name.to_owned())),
                None => Some(Rows::Text(name.to_owned())),
            }
        }
        "set" if !rest.is_empty() && !rest.contains('=') => {
            Some(Rows::Text(format!("{}={name}", rest.trim())))
        }
        "with" | "values" | "show" | "describe" | "desc" | "explain" => {
            Some(Rows::Text(name.to_owned()))
        }
        verb if SILENT.contains(&verb) => None,
        _ => return Err(format!("ParseException: {name} does not know '{verb}'")),
    };
    let column = match &rows {
        Some(Rows::Number(number)) => number.to_string(),
        _ => COLUMN.to_owned(),
    };
    let table = rows.map(|rows| Table { column, rows });
    Ok(Outcome { takes, table })
}

/// The number in `function(number)`, where `text` begins with that.
fn argument(text: &str, function: &str) -> Option<f64> {
    let inner = text
        .strip_prefix(function)?
        .trim_start()
        .strip_prefix('(')?;
    inner.split(')').next()?.trim().parse().ok()
}

/// Statements that change something, and give no rows.
const SILENT: &[&str] = &[
    "use",
    "set",
    "reset",
    "create",
    "drop",
    "alter",
    "insert",
    "update",
    "delete",
    "merge",
    "truncate",
    "load",
    "msck",
    "analyze",
    "refresh",
    "invalidate",
    "add",
    "grant",
    "revoke",
    "cache",
];

/// The column of every other result.
const COLUMN: &str = "served_by";

/// Bytes of each row of `repeat`.
pub(super) const ROW_WIDTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(statement: &str) -> Option<Rows> {
        run(statement, "hs2-1")
            .unwrap()
            .table
            .map(|table| table.rows)
    }

    #[test]
    fn statements_answer_as_the_table_says() {
        let named = || Some(Rows::Text("hs2-1".into()));
        assert_eq!(rows("SELECT 1"), Some(Rows::Number(1)));
        assert_eq!(rows(" select 1 ; "), Some(Rows::Number(1)));
        assert_eq!(rows("select 10"), named());
        assert_eq!(rows("SELECT * FROM t"), named());
        assert_eq!(rows("show databases"), named());
        assert_eq!(rows("USE `default`"), None);
        assert_eq!(rows("set a=b"), None);
        assert_eq!(
            rows("SET howdah.instance"),
            Some(Rows::Text("howdah.instance=hs2-1".into()))
        );
        assert_eq!(
            rows("SELECT repeat(7)"),
            Some(Rows::Many(7, "hs2-1".into()))
        );
        let slow = run("select sleep(2.5)", "hs2-1").unwrap();
        assert_eq!(slow.takes, Duration::from_millis(2500));
        assert_eq!(slow.table.map(|table| table.rows), named());
        assert!(run("selekt 1", "hs2-1").is_err());
    }
}
