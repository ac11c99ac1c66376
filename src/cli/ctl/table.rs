//! A table for people: columns as wide as they need to be, and together no wider than the terminal.
//!
//! What does not fit is taken from the columns of names, which lose their middle; numbers and words stay whole. Where that is not
//! enough, the columns go that can be spared.

use std::net::SocketAddr;

/// Columns with a head, and rows.
pub(in crate::cli) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
    /// Columns that may go, the first to go first.
    spared: Vec<usize>,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Align {
    Left,
    Right,
    /// Left, and coloured by its word.
    State,
    /// Left; gives way where the table is too wide.
    Name,
}

impl Table {
    pub(in crate::cli) fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            aligns: columns.iter().map(|(_, align)| *align).collect(),
            rows: vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()],
            spared: Vec::new(),
        }
    }

    /// The columns of these heads go where there is no room, the first of them first.
    pub(in crate::cli) fn spare(mut self, heads: &[&str]) -> Self {
        let place = |head: &&str| self.rows[0].iter().position(|column| column == head);
        self.spared = heads.iter().filter_map(place).collect();
        self
    }

    pub(in crate::cli) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// As wide as it is.
    #[allow(
        dead_code,
        reason = "for tables whose columns have bounds of their own"
    )]
    pub(in crate::cli) fn print(&self, colour: bool) -> String {
        self.fit(colour, usize::MAX)
    }

    /// Not wider than `width`, as far as names can give way and columns can be spared.
    pub(in crate::cli) fn fit(&self, colour: bool, width: usize) -> String {
        let (columns, widths) = self.layout(width);
        let alike: Vec<Alike> = (columns.iter().copied())
            .map(|column| self.alike(column))
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (place, &column) in columns.iter().enumerate() {
                let (align, width) = (self.aligns[column], widths[place]);
                let cell = alike[place].elide(&row[column], width);
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                let paint = if !colour {
                    ""
                } else if number == 0 {
                    DIM
                } else {
                    tint(align, &cell)
                };
                let reset = if paint.is_empty() { "" } else { RESET };
                line.push_str(if place == 0 { "" } else { GAP });
                match align {
                    Right => line.push_str(&format!("{pad}{paint}{cell}{reset}")),
                    Left | State | Name => line.push_str(&format!("{paint}{cell}{reset}{pad}")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// How wide it is by itself.
    pub(in crate::cli) fn natural_width(&self) -> usize {
        total(&self.layout(usize::MAX).1)
    }

    fn alike(&self, column: usize) -> Alike {
        let cells = self.rows.iter().skip(1).map(|row| row[column].as_str());
        Alike::of(cells)
    }

    /// The columns that there is room for, and how wide each is.
    fn layout(&self, most: usize) -> (Vec<usize>, Vec<usize>) {
        let mut columns: Vec<usize> = (0..self.aligns.len()).collect();
        let mut widths = self.widths(&columns, most);
        for spared in &self.spared {
            if total(&widths) <= most {
                break;
            }
            columns.retain(|column| column != spared);
            widths = self.widths(&columns, most);
        }
        (columns, widths)
    }

    fn widths(&self, columns: &[usize], most: usize) -> Vec<usize> {
        let widest = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = columns.iter().copied().map(widest).collect();
        while total(&widths) > most {
            let names = widths.iter_mut().zip(columns);
            let is_name = |column: usize| self.aligns[column] == Name;
            let names = names.filter(|(width, column)| is_name(**column) && **width > LEAST);
            let Some((width, _)) = names.max_by_key(|(width, _)| **width) else {
                break;
            };
            *width -= 1;
        }
        widths
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
}

/// How many letters the names of a column have in common at either end: who reads them looks for the others.
#[derive(Clone, Copy, Debug, Default)]
struct Alike {
    begin: usize,
    end: usize,
}

impl Alike {
    fn of<'c>(mut cells: impl Iterator<Item = &'c str>) -> Self {
        let Some(first) = cells.next() else {
            return Self::default();
        };
        let whole = first.chars().count();
        let all = Self {
            begin: whole,
            end: whole,
        };
        cells.fold(all, |alike, cell| Self {
            begin: same(first.chars(), cell.chars()).min(alike.begin),
            end: same(first.chars().rev(), cell.chars().rev()).min(alike.end),
        })
    }

    /// Begin and end of it, with a sign for what is left out between them: of what is common to all, if there is enough of it.
    fn elide(self, text: &str, width: usize) -> String {
        let length = text.chars().count();
        if length <= width {
            return text.to_owned();
        }
        let room = width.saturating_sub(1);
        // Where what differs ends, counted from the begin, and where it begins, counted from the end.
        let differs_to = length - self.end.min(length);
        let differs_from = length - self.begin.min(length);
        let half = room - room / 2;
        let head = match (differs_to <= room, differs_from <= room) {
            _ if differs_to <= half || differs_from <= room / 2 => half,
            (true, _) => differs_to,
            (false, true) => room - differs_from,
            (false, false) => half,
        };
        let begin = text.chars().take(head);
        let end = text.chars().skip(length - (room - head));
        begin.chain(['…']).chain(end).collect()
    }
}

fn same(one: impl Iterator<Item = char>, other: impl Iterator<Item = char>) -> usize {
    one.zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

/// Lines no wider than `width`, broken between words; those after the first are indented further. Ends with a newline.
pub(in crate::cli) fn wrap(text: &str, indent: usize, width: usize) -> String {
    let mut lines = vec![" ".repeat(indent)];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let begins = line.trim().is_empty();
        let space = usize::from(!begins);
        if !begins && line.chars().count() + space + word.chars().count() > width {
            lines.push(format!("{}{word}", " ".repeat(indent + FURTHER)));
            continue;
        }
        line.push_str(if begins { "" } else { " " });
        line.push_str(word);
    }
    lines.join("\n") + "\n"
}

/// A terminal obeys control characters: they do not get there.
pub(in crate::cli) fn clean(text: &str) -> String {
    text.chars()
        .map(|one| if one.is_control() { '?' } else { one })
        .collect()
}

/// The detail without the address that was asked, by which one server's differs from another's, and without the number that the
/// system has for its words.
pub(in crate::cli) fn bare(detail: &str) -> &str {
    let asked = detail.split_once(": ");
    let asked = asked.filter(|(address, _)| address.parse::<SocketAddr>().is_ok());
    let said = asked.map_or(detail, |(_, said)| said);
    said.split_once(" (os error").map_or(said, |(said, _)| said)
}

fn tint(align: Align, cell: &str) -> &'static str {
    match (align, cell) {
        (State, "up") => "\x1b[32m",
        (State, "alive" | "draining" | "maintenance") => "\x1b[33m",
        (State, "down") => "\x1b[31m",
        _ => "",
    }
}

use Align::{Left, Name, Right, State};

const GAP: &str = "  ";
/// Of a name so much is left.
const LEAST: usize = 12;
const FURTHER: usize = 2;
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_way_and_numbers_stay() {
        let mut table = Table::new(&[("NAME", Name), ("ADDRESS", Name), ("N", Right)]);
        let (name, address) = ("n".repeat(60), "a".repeat(30));
        table.row(vec![name, address, "1234567".into()]);
        assert_eq!(table.natural_width(), 101);
        for width in [100, 80, 60, 35] {
            let text = table.fit(false, width);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert_eq!(widest, Some(width), "{text}");
            assert!(text.contains("1234567") && text.contains('…'));
        }
        assert!(table.fit(false, 5).contains("1234567"));
        assert!(!table.print(false).contains('…'));
    }

    #[test]
    fn columns_that_can_be_spared_go_one_by_one() {
        let mut table = Table::new(&[("NAME", Name), ("STATE", State), ("N", Right), ("M", Right)])
            .spare(&["M", "N"]);
        table.row(vec![
            "n".repeat(20),
            "up".into(),
            "1234567".into(),
            "765".into(),
        ]);
        for (width, heads) in [
            (33, vec!["NAME", "STATE", "N", "M"]),
            (32, vec!["NAME", "STATE", "N"]),
            (27, vec!["NAME", "STATE"]),
        ] {
            let text = table.fit(false, width);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{text}");
            let shown = text.lines().next().unwrap_or_default().split_whitespace();
            assert_eq!(shown.collect::<Vec<_>>(), heads);
        }
    }

    #[test]
    fn what_is_elided_keeps_both_ends() {
        let elide = |text: &str, width| Alike::default().elide(text, width);
        let name = "hs2-1.example.com:10000";
        assert_eq!(elide(name, 23), name);
        assert_eq!(elide(name, 15), "hs2-1.e…m:10000");
        assert_eq!(elide("grüße", 3), "g…e");
        assert_eq!(elide("abc", 0), "…");
    }

    /// Forty servers that end alike, or begin alike, are still forty.
    #[test]
    fn what_tells_names_apart_is_kept() {
        for (one, other) in [
            (
                "coordinator-01.rack.example.com",
                "coordinator-02.rack.example.com",
            ),
            (
                "prod.example.analytics.impalad01",
                "prod.example.analytics.impalad02",
            ),
            ("x-hive-server-of-sales-1", "y-hive-server-of-sales-1"),
            ("hs2-1.example.com:10000", "hs2-1.example.com:10001"),
        ] {
            let alike = Alike::of([one, other].into_iter());
            for width in [16, 18, 20, 22] {
                let shown = (alike.elide(one, width), alike.elide(other, width));
                assert_ne!(shown.0, shown.1);
                assert_eq!(shown.0.chars().count(), width);
            }
        }
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrap("a b", 2, 80), "  a b\n");
        assert_eq!(wrap("one two three", 2, 9), "  one two\n    three\n");
        assert_eq!(wrap("unbreakable", 2, 5), "  unbreakable\n");
    }
}
