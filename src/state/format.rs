//! The bytes of the state file: JSON with a version, a checksum over all that is told, and a bound.
//!
//! The head stands first, so that who writes the file and for the how-manieth time can be read without reading all of it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::base::time::of_millis;
use crate::pool::Remembered;

/// What a howdah knew at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Larger than that of each howdah before it.
    pub generation: u64,
    /// Who wrote it.
    pub pid: u32,
    /// Its version.
    pub howdah: String,
    /// Milliseconds since 1970.
    pub saved_at: u64,
    /// By the name of the pool.
    pub pools: BTreeMap<String, Remembered>,
}

/// Why bytes are no memory. Reads after the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// More than anybody writes.
    #[error("is larger than {} MiB", MOST >> 20)]
    TooLarge,
    /// Something else.
    #[error("is no state file of howdah")]
    Foreign,
    /// Of another howdah.
    #[error("has the format {0}, and this howdah reads {VERSION}")]
    Version(u64),
    /// Cut short, or changed by hand.
    #[error("is damaged: {0}")]
    Damaged(String),
}

/// What stands before the pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) generation: u64,
    pub(super) pid: u32,
}

#[derive(Deserialize)]
struct Written<'a> {
    generation: u64,
    pid: u32,
    howdah: String,
    saved_at: u64,
    sha256: String,
    #[serde(borrow)]
    pools: &'a RawValue,
}

#[derive(Deserialize)]
struct Nature {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
struct Start {
    generation: u64,
    pid: u32,
}

impl Memory {
    /// How long ago that was; nothing, where the clock was set back since.
    pub fn age(&self, now: SystemTime) -> Duration {
        let age = now.duration_since(of_millis(self.saved_at));
        age.unwrap_or_default()
    }
}

/// The bytes of the file.
pub fn encode(memory: &Memory) -> Vec<u8> {
    // Maps, lists, numbers and strings: nothing that JSON has no form for.
    let pools = serde_json::to_vec(&memory.pools).unwrap_or_else(|_| b"{}".into());
    let Memory {
        generation,
        pid,
        howdah,
        saved_at,
        ..
    } = memory;
    let sum = checksum((*generation, *pid, howdah, *saved_at), &pools);
    let howdah = serde_json::to_string(howdah).unwrap_or_else(|_| "\"\"".into());
    let head = format!(
        "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"generation\":{generation},\"pid\":{pid},\
         \"howdah\":{howdah},\"saved_at\":{saved_at},\"sha256\":\"{sum}\"{POOLS}"
    );
    let mut bytes = Vec::with_capacity(head.len() + pools.len() + 2);
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&pools);
    bytes.extend_from_slice(b"}\n");
    bytes
}

/// The memory in these bytes.
///
/// # Errors
/// See [`Damage`].
pub fn decode(bytes: &[u8]) -> Result<Memory, Damage> {
    if bytes.len() > MOST {
        return Err(Damage::TooLarge);
    }
    let nature: Nature = match serde_json::from_slice(bytes) {
        Ok(nature) => nature,
        Err(error) if bytes.starts_with(BEGINS.as_bytes()) => return Err(damaged(&error)),
        Err(_) => return Err(Damage::Foreign),
    };
    if nature.format != FORMAT {
        return Err(Damage::Foreign);
    }
    if nature.version != VERSION {
        return Err(Damage::Version(nature.version));
    }
    let written: Written<'_> = serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
    let Written {
        generation,
        pid,
        howdah,
        saved_at,
        sha256,
        pools,
    } = written;
    let pools = pools.get().as_bytes();
    if checksum((generation, pid, &howdah, saved_at), pools) != sha256 {
        return Err(Damage::Damaged("its checksum is wrong".into()));
    }
    Ok(Memory {
        generation,
        pid,
        howdah,
        saved_at,
        pools: serde_json::from_slice(pools).map_err(|error| damaged(&error))?,
    })
}

/// Who wrote a file that begins with these bytes.
pub(super) fn head(start: &[u8]) -> Option<Head> {
    let text = str::from_utf8(start).unwrap_or_else(|cut| {
        let whole = start.get(..cut.valid_up_to()).unwrap_or_default();
        str::from_utf8(whole).unwrap_or_default()
    });
    let (head, _) = text.split_once(POOLS)?;
    let Start { generation, pid } = serde_json::from_str(&format!("{head}}}")).ok()?;
    head.starts_with(BEGINS).then_some(Head { generation, pid })
}

fn damaged(error: &serde_json::Error) -> Damage {
    Damage::Damaged(error.to_string())
}

fn checksum((generation, pid, howdah, saved_at): (u64, u32, &str, u64), pools: &[u8]) -> String {
    let mut sum = Context::new(&SHA256);
    sum.update(format!("{generation} {pid} {howdah} {saved_at}\n").as_bytes());
    sum.update(pools);
    let bytes = sum.finish();
    bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

const FORMAT: &str = "howdah-state";
/// Of the format. Another one is read by nobody.
const VERSION: u64 = 1;
const BEGINS: &str = "{\"format\":\"howdah-state\"";
const POOLS: &str = ",\"pools\":";

/// In bytes: some million of sticky clients.
pub(super) const MOST: usize = 64 << 20;
