//! The process's own figures, read from `/proc/self` each time `/metrics` is asked for.
//!
//! What cannot be read stays as it was: these figures are never worth a failed scrape.

use std::fs;
use std::sync::{Mutex, PoisonError};

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use super::families::Families;

/// Reads the figures anew. Blocks for as long as `/proc` takes to list the open descriptors.
pub(super) fn refresh(families: &Families) {
    // Processor time is added as a difference: two at once would add it twice.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stat) = fs::read_to_string("/proc/self/stat")
        .ok()
        .as_deref()
        .and_then(parse)
    {
        let ticks = clock_ticks_per_second() as f64;
        let used = stat.cpu_ticks as f64 / ticks;
        families
            .process_cpu
            .inc_by((used - families.process_cpu.get()).max(0.0));
        families.process_threads.set(shown(stat.threads));
        families
            .process_resident
            .set(shown(stat.resident_pages * page_size() as u64));
        if let Some(boot) = boot_time() {
            families
                .process_start
                .set(boot + stat.start_ticks as f64 / ticks);
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory that is being read.
        families
            .process_open_fds
            .set(shown(open.count().saturating_sub(1) as u64));
    }
    let limit = getrlimit(Resource::Nofile).current;
    families.process_max_fds.set(limit.map_or(i64::MAX, shown));
}

static ALONE: Mutex<()> = Mutex::new(());

struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    resident_pages: u64,
}

/// Fields 14, 15, 20, 22 and 24 of proc_pid_stat(5). Field 2, the program's name, may hold spaces and
/// parentheses: counting starts after the last `)`, with field 3.
fn parse(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        threads: field(20)?,
        start_ticks: field(22)?,
        resident_pages: field(24)?,
    })
}

/// Unix time at which the machine started; the line `btime` of `/proc/stat`.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn shown(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 4 0 777 9 33 1";
        let stat = parse(line).expect("all fields are there");
        assert_eq!(stat.cpu_ticks, 150);
        assert_eq!(stat.threads, 4);
        assert_eq!(stat.start_ticks, 777);
        assert_eq!(stat.resident_pages, 33);
    }

    #[test]
    fn figures_of_this_process_are_sound() {
        let families = Families::declare();
        refresh(&families);
        assert!(families.process_resident.get() > 1 << 20);
        assert!(families.process_open_fds.get() >= 3);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let age = now.as_secs_f64() - families.process_start.get();
        assert!((-2.0..3600.0).contains(&age), "started {age} s ago");
    }
}
