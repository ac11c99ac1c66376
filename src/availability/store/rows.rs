//! The tables of the file, and how a mark is written into them: all of it, or nothing.

use std::path::Path;

use redb::backends::InMemoryBackend;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    WriteTransaction,
};

use super::codec;
use super::keep::Keep;
use super::message::{Found, Query, Recent};
use super::pending::{Pending, lasted};
use crate::availability::calendar::{Moment, Step};
use crate::availability::ledger::{Outage, State};
use crate::availability::model::Former;
use crate::availability::period::Spans;
use crate::availability::target::{Kind, Target};
use crate::base::word::Label;
use crate::telemetry::journal::Event;
use crate::telemetry::timelines::Saved;

/// Kind, name, step, beginning → [`codec`].
const PERIODS: TableDefinition<'_, (u8, &str, u8, u64), &[u8]> = TableDefinition::new("periods");
/// Kind, name, beginning → JSON of end, cause, planned.
const OUTAGES: TableDefinition<'_, (u8, &str, u64), &[u8]> = TableDefinition::new("outages");
/// Kind, name → JSON: null unwatched, true up, else beginning, cause and planned of an outage.
const STATES: TableDefinition<'_, (u8, &str), &[u8]> = TableDefinition::new("states");
/// Number → the event, in JSON.
const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
/// When a piece of the time lines ends → the piece, in JSON.
const LINES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("lines");
/// `format` → version; `marked` → when; `clean` → 1 after a stop by order.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");

/// See the module.
pub(crate) struct Rows(Database);

impl Rows {
    /// Opens the file, or makes it; every page is looked at, so that damage is found now.
    pub(super) fn open(path: &Path) -> Result<Self, redb::Error> {
        let mut builder = builder();
        Ok(Self(
            builder.set_check_integrity_on_open(true).create(path)?,
        ))
    }

    pub(super) fn in_memory() -> Result<Self, redb::Error> {
        let memory = InMemoryBackend::new();
        Ok(Self(builder().create_with_backend(memory)?))
    }

    /// The version of the tables; `None`: there are none yet.
    pub(super) fn format(&self) -> Result<Option<u64>, redb::Error> {
        self.about("format")
    }

    fn about(&self, key: &str) -> Result<Option<u64>, redb::Error> {
        match self.0.begin_read()?.open_table(ABOUT) {
            Ok(about) => Ok(about.get(key)?.map(|value| value.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How the howdah before left things.
    pub(super) fn former(&self) -> Result<Option<Former>, redb::Error> {
        let Some(at) = self.about("marked")? else {
            return Ok(None);
        };
        let states = self.0.begin_read()?.open_table(STATES)?;
        let mut former = Former {
            at: Moment::of_millis(at),
            clean: self.about("clean")? == Some(1),
            states: Vec::new(),
        };
        for row in states.iter()? {
            let (key, state) = row?;
            let (kind, name) = key.value();
            if let Some((target, state)) = target(kind, name).zip(state_of(state.value())) {
                former.states.push((target, state));
            }
        }
        Ok(Some(former))
    }

    /// Adds what is pending to the rows, and takes away what is older than is kept.
    pub(super) fn write(&self, new: &Pending, clean: bool, keep: Keep) -> Result<(), redb::Error> {
        let writing = self.0.begin_write()?;
        {
            let mut about = writing.open_table(ABOUT)?;
            about.insert("format", FORMAT)?;
            about.insert("marked", new.at.millis())?;
            about.insert("clean", u64::from(clean))?;
            let mut states = writing.open_table(STATES)?;
            for (target, state) in &new.states {
                states.insert(key(target), json_of(state).as_slice())?;
            }
        }
        add_periods(&writing, new)?;
        add_events(&writing, new, keep)?;
        add_lines(&writing, new, keep)?;
        add_outages(&writing, new, keep)?;
        forget(&writing, new, keep)?;
        writing.commit()?;
        Ok(())
    }

    /// What the rows say.
    pub(super) fn find(&self, query: &Query, target: &Target) -> Result<Found, redb::Error> {
        let mut found = Found {
            target: target.clone(),
            periods: Vec::new(),
            outages: Vec::new(),
        };
        let reading = self.0.begin_read()?;
        let Ok(periods) = reading.open_table(PERIODS) else {
            return Ok(found);
        };
        let (kind, name) = key(target);
        let (step, end) = (query.step.index() as u8, u64::MAX);
        for row in
            periods.range((kind, name, step, query.from.millis())..(kind, name, step, end))?
        {
            let (key, value) = row?;
            let start = Moment::of_millis(key.value().3);
            found
                .periods
                .extend(codec::decode(value.value()).map(|period| (start, period)));
        }
        let outages = reading.open_table(OUTAGES)?;
        for row in outages.range((kind, name, 0)..(kind, name, end))? {
            let (key, value) = row?;
            let outage = outage_of(key.value().2, value.value());
            found
                .outages
                .extend(outage.filter(|outage| lasted(outage, query)));
        }
        Ok(found)
    }

    /// The last events, oldest first.
    pub(super) fn events(&self) -> Result<Vec<Event>, redb::Error> {
        let Ok(events) = self.0.begin_read()?.open_table(EVENTS) else {
            return Ok(Vec::new());
        };
        let mut last = Vec::new();
        for row in events.iter()?.rev().take(EVENTS_READ) {
            last.extend(serde_json::from_slice::<Event>(row?.1.value()).ok());
        }
        last.reverse();
        Ok(last)
    }

    /// The time lines of the last hour.
    pub(super) fn lines(&self) -> Result<Saved, redb::Error> {
        let Ok(lines) = self.0.begin_read()?.open_table(LINES) else {
            return Ok(Saved::default());
        };
        let mut pieces = Vec::new();
        for row in lines.iter()? {
            pieces.extend(serde_json::from_slice::<Saved>(row?.1.value()).ok());
        }
        Ok(Saved::joined(pieces))
    }

    #[cfg(test)]
    pub(super) fn pieces(&self) -> Result<u64, redb::Error> {
        Ok(self.0.begin_read()?.open_table(LINES)?.len()?)
    }

    /// How all hours from `from` on went for each target.
    pub(super) fn sums(&self, from: Moment) -> Result<Recent, redb::Error> {
        let mut sums = Recent::new();
        let reading = self.0.begin_read()?;
        let Ok(states) = reading.open_table(STATES) else {
            return Ok(sums);
        };
        let periods = reading.open_table(PERIODS)?;
        let step = Step::Hour.index() as u8;
        for row in states.iter()? {
            let (key, _) = row?;
            let (kind, name) = key.value();
            let Some(target) = target(kind, name) else {
                continue;
            };
            let mut sum = Spans::default();
            for row in
                periods.range((kind, name, step, from.millis())..(kind, name, step, u64::MAX))?
            {
                let spans = codec::decode_spans(row?.1.value());
                sum.merge(&spans.unwrap_or_default());
            }
            sums.insert(target, sum);
        }
        Ok(sums)
    }

    /// Gives back the pages that nobody uses, where that is worth the work.
    pub(super) fn compact(&mut self, size: Option<u64>) -> Result<(), redb::Error> {
        let used = {
            let writing = self.0.begin_write()?;
            let stats = writing.stats()?;
            writing.abort()?;
            stats.allocated_pages() * stats.page_size() as u64
        };
        if size.is_some_and(|size| size > LEAST && size > 2 * used) {
            self.0.compact()?;
        }
        Ok(())
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

fn add_periods(writing: &WriteTransaction, new: &Pending) -> Result<(), redb::Error> {
    let mut periods = writing.open_table(PERIODS)?;
    for step in Step::ALL {
        for ((target, start), mut sum) in new.sums(*step) {
            let (kind, name) = key(&target);
            let key = (kind, name, step.index() as u8, start.millis());
            let before = periods.get(key)?.and_then(|row| codec::decode(row.value()));
            sum.merge(&before.unwrap_or_default());
            periods.insert(key, codec::encode(&sum).as_slice())?;
        }
    }
    Ok(())
}

fn add_events(writing: &WriteTransaction, new: &Pending, keep: Keep) -> Result<(), redb::Error> {
    let mut events = writing.open_table(EVENTS)?;
    for (number, event) in &new.events {
        let json = serde_json::to_vec(&**event).unwrap_or_default();
        events.insert(number, json.as_slice())?;
    }
    for _ in keep.events..events.len()? {
        events.pop_first()?;
    }
    Ok(())
}

fn add_lines(writing: &WriteTransaction, new: &Pending, keep: Keep) -> Result<(), redb::Error> {
    let mut lines = writing.open_table(LINES)?;
    let oldest = new.at.minus(keep.lines).millis();
    for (end, piece) in new.lines.range(oldest..) {
        let json = serde_json::to_vec(piece).unwrap_or_default();
        lines.insert(end, json.as_slice())?;
    }
    lines.retain_in(..oldest, |_, _| false)?;
    Ok(())
}

fn add_outages(writing: &WriteTransaction, new: &Pending, keep: Keep) -> Result<(), redb::Error> {
    let mut outages = writing.open_table(OUTAGES)?;
    for ((target, start), outage) in &new.outages {
        let (kind, name) = key(target);
        let json =
            serde_json::json!([outage.end.map(Moment::millis), outage.cause, outage.planned]);
        outages.insert((kind, name, start.millis()), json.to_string().as_bytes())?;
    }
    let mut concerned: Vec<&Target> = new.outages.keys().map(|(target, _)| target).collect();
    concerned.dedup();
    for target in concerned {
        let (kind, name) = key(target);
        let all = (kind, name, 0)..(kind, name, u64::MAX);
        let mut surplus = outages
            .range(all.clone())?
            .count()
            .saturating_sub(keep.outages);
        if surplus > 0 {
            outages.retain_in(all, |_, _| {
                let stays = surplus == 0;
                surplus = surplus.saturating_sub(1);
                stays
            })?;
        }
    }
    Ok(())
}

/// Rows that are older than is kept go.
fn forget(writing: &WriteTransaction, new: &Pending, keep: Keep) -> Result<(), redb::Error> {
    let states = writing.open_table(STATES)?;
    let mut periods = writing.open_table(PERIODS)?;
    for step in Step::ALL {
        let Some(begins) = keep.begins(*step, new.at) else {
            continue;
        };
        let step = step.index() as u8;
        for row in states.iter()? {
            let (key, _) = row?;
            let (kind, name) = key.value();
            let old = (kind, name, step, 0)..(kind, name, step, begins.millis());
            if periods.range(old.clone())?.next().is_some() {
                periods.retain_in(old, |_, _| false)?;
            }
        }
    }
    Ok(())
}

fn key(target: &Target) -> (u8, &str) {
    (target.kind.index() as u8, &target.name)
}

fn target(kind: u8, name: &str) -> Option<Target> {
    let kind = Kind::ALL.get(usize::from(kind))?;
    Some(Target::new(*kind, name))
}

fn json_of(state: &State) -> Vec<u8> {
    let json = match state {
        State::Unwatched => serde_json::Value::Null,
        State::Up => true.into(),
        State::Down(one) => serde_json::json!([one.start.millis(), one.cause, one.planned]),
    };
    json.to_string().into_bytes()
}

fn state_of(json: &[u8]) -> Option<State> {
    match serde_json::from_slice(json).ok()? {
        serde_json::Value::Null => Some(State::Unwatched),
        serde_json::Value::Bool(_) => Some(State::Up),
        outage => {
            let (start, cause, planned) = serde_json::from_value(outage).ok()?;
            Some(State::Down(Outage {
                start: Moment::of_millis(start),
                end: None,
                cause,
                planned,
            }))
        }
    }
}

fn outage_of(start: u64, json: &[u8]) -> Option<Outage> {
    let (end, cause, planned) = serde_json::from_slice(json).ok()?;
    let end: Option<u64> = end;
    Some(Outage {
        start: Moment::of_millis(start),
        end: end.map(Moment::of_millis),
        cause,
        planned,
    })
}

/// Raised when the tables change so that an older howdah misreads them.
pub(super) const FORMAT: u64 = 1;
/// More than the journal keeps in memory are read by nobody but `redb` itself.
const EVENTS_READ: usize = 10_000;
/// Of pages in memory; the crate's own default is a gigabyte.
const CACHE: usize = 4 * 1024 * 1024;
/// A smaller file is not worth the work.
const LEAST: u64 = 8 * 1024 * 1024;
