//! Reading the log: one record by its id, or those of a filter, the newest first.
//!
//! A query reads indexes from the end and opens only the lines that match. It blocks: call it where that is allowed.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use authx_engine::EntityUid;
use serde_json::Value;
use ulid::Ulid;

use super::chain::Line;
use super::index::{ENTRY_BYTES, Entry, Outcome, key};
use super::segment::{self, Step};
use super::summary::Summary;

/// Records stand in the order of writing, ids in that of deciding: this many milliseconds apart at most.
pub(super) const SLACK: u64 = 60_000;

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Decision,
    /// Of what is administered.
    Change,
    /// Refused credentials.
    Security,
}

/// What records are asked for; what is `None` is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub kind: Option<Kind>,
    pub id: Option<Ulid>,
    /// One of these names, as recorded: `User::"alice"`; of a relation check `user:alice`.
    pub principal: Option<Vec<String>>,
    pub action: Option<Vec<String>>,
    pub resource: Option<Vec<String>>,
    /// One of these ids.
    pub stores: Option<Vec<String>>,
    pub allowed: Option<bool>,
    /// Milliseconds since 1970, the first included and the second not.
    pub from: Option<u64>,
    pub to: Option<u64>,
}

/// A record's place in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    segment: u64,
    entry: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.segment, self.entry)
    }
}

impl Position {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (segment, entry) = text.split_once(':')?;
        Some(Self { segment: segment.parse().ok()?, entry: entry.parse().ok()? })
    }
}

/// Bytes of the records that are found at once; one at least is, however large.
const MAX_BYTES: usize = 16 << 20;

/// Some records.
#[derive(Debug, Default)]
pub struct FoundRecords {
    pub records: Vec<Found>,
    /// They are fewer than were asked for because they are large: there may be more.
    pub cut: bool,
}

/// A record that was found.
#[derive(Debug)]
pub struct Found {
    pub position: Position,
    /// As it was recorded.
    pub content: Value,
}

/// The names under which an entity may be recorded: as it is said, and as Cedar writes it.
#[must_use]
pub fn entity_names(text: &str) -> Vec<String> {
    let mut names = vec![text.to_owned()];
    names.extend(EntityUid::parse(text).ok().map(|uid| uid.to_string()).filter(|name| name != text));
    names
}

/// The records of a filter in a tenant's folder behind (older than) a place, the newest first, at most `limit`.
///
/// # Errors
/// When files cannot be read.
pub fn find(dir: &Path, filter: &Filter, behind: Option<Position>, limit: usize) -> std::io::Result<FoundRecords> {
    let mut found = FoundRecords::default();
    let mut bytes_found = 0;
    let wanted = Wanted::new(filter);
    for number in numbers(dir)?.into_iter().rev() {
        if behind.is_some_and(|behind| number > behind.segment) {
            continue;
        }
        let Some(segment) = Segment::open(dir, number)? else { continue };
        if segment.ended_before(filter.from) {
            break;
        }
        let end = behind.filter(|behind| behind.segment == number).map_or(usize::MAX, |behind| behind.entry);
        for (at, bytes) in segment.entries().iter().enumerate().take(end).rev() {
            if found.records.len() >= limit {
                return Ok(found);
            }
            if bytes_found >= MAX_BYTES {
                found.cut = true;
                return Ok(found);
            }
            if !wanted.has_id(bytes) {
                continue;
            }
            let Some(entry) = Entry::from_bytes(bytes).filter(|entry| wanted.may_be(entry)) else { continue };
            let line = segment.line(&entry)?;
            if let Some(content) = content(&line).filter(|content| wanted.is(&Summary::read(content))) {
                bytes_found += line.len();
                let position = Position { segment: number, entry: at };
                found.records.extend(read(content).map(|content| Found { position, content }));
            }
        }
    }
    Ok(found)
}

/// One record by its id.
///
/// # Errors
/// When files cannot be read.
pub fn get(dir: &Path, id: Ulid) -> std::io::Result<Option<Found>> {
    let filter = Filter { id: Some(id), from: Some(id.timestamp_ms()), ..Filter::default() };
    find(dir, &filter, None, 1).map(|mut found| found.records.pop())
}

fn numbers(dir: &Path) -> std::io::Result<Vec<u64>> {
    match segment::list(dir) {
        // Nothing was recorded yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        numbers => numbers,
    }
}

fn content(line: &[u8]) -> Option<&[u8]> {
    Line::read(line)?.content()
}

fn read(content: &[u8]) -> Option<Value> {
    serde_json::from_slice(content).ok()
}

/// A segment with its index in memory.
struct Segment {
    file: File,
    index: Vec<u8>,
}

impl Segment {
    /// `None` when it was deleted meanwhile.
    fn open(dir: &Path, number: u64) -> std::io::Result<Option<Self>> {
        let path = segment::path(dir, number);
        loop {
            let read = Self::read(dir, number).and_then(|segment| {
                let (opened, there) = (segment.file.metadata()?, std::fs::metadata(&path)?);
                Ok((opened.ino() == there.ino()).then_some(segment))
            });
            match read {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                // One that was rewritten meanwhile has another index.
                Ok(None) => {}
                read => return read,
            }
        }
    }

    fn read(dir: &Path, number: u64) -> std::io::Result<Self> {
        let path = segment::path(dir, number);
        let file = File::open(&path)?;
        let mut index = std::fs::read(segment::index_path(dir, number)).unwrap_or_default();
        let last = index.as_chunks::<ENTRY_BYTES>().0.iter().rev().find_map(Entry::from_bytes);
        // Lines may be a little ahead of their entries; an index that lacks more is made anew.
        let end = last.map(|entry| entry.offset + u64::from(entry.length) + 1 + (64 << 20));
        if end.is_none_or(|end| end < file.metadata().map_or(u64::MAX, |metadata| metadata.len())) {
            index.clear();
            segment::walk(&path, None, &mut |at, step, _| {
                if let Step::Good(line) = step {
                    index.extend_from_slice(&Summary::of(&line).entry(at.offset, at.length - 1).to_bytes());
                }
            })?;
        }
        Ok(Self { file, index })
    }

    fn entries(&self) -> &[[u8; ENTRY_BYTES]] {
        self.index.as_chunks().0
    }

    /// Whether everything in it, and so in those before it, is older than a time.
    fn ended_before(&self, from: Option<u64>) -> bool {
        let entries = self.entries().iter().rev().filter_map(Entry::from_bytes);
        let newest = entries.map(|entry| entry.id).find(|id| *id != 0).map(|id| Ulid(id).timestamp_ms());
        newest.zip(from).is_some_and(|(newest, from)| newest + SLACK < from)
    }

    fn line(&self, entry: &Entry) -> std::io::Result<Vec<u8>> {
        let mut line = vec![0; entry.length as usize];
        self.file.read_exact_at(&mut line, entry.offset)?;
        Ok(line)
    }
}

/// A filter with its hashes.
struct Wanted<'a> {
    filter: &'a Filter,
    id: Option<[u8; 16]>,
    principal: Option<Vec<u64>>,
    action: Option<Vec<u64>>,
    resource: Option<Vec<u64>>,
    stores: Option<Vec<u64>>,
}

impl<'a> Wanted<'a> {
    fn new(filter: &'a Filter) -> Self {
        let hashed = |names: &Option<Vec<String>>| {
            names.as_ref().map(|names| names.iter().map(|name| key(name)).collect::<Vec<_>>())
        };
        Self {
            filter,
            id: filter.id.map(|id| id.0.to_be_bytes()),
            principal: hashed(&filter.principal),
            action: hashed(&filter.action),
            resource: hashed(&filter.resource),
            stores: hashed(&filter.stores),
        }
    }

    /// Whether an entry is of the id that is asked for, if one is: it stands first.
    fn has_id(&self, entry: &[u8; ENTRY_BYTES]) -> bool {
        self.id.is_none_or(|id| entry.starts_with(&id))
    }

    /// Whether an entry may be of a decision that is asked for.
    fn may_be(&self, entry: &Entry) -> bool {
        let at = Ulid(entry.id).timestamp_ms();
        let fits = |wanted: &Option<Vec<u64>>, is: u64| wanted.as_ref().is_none_or(|wanted| wanted.contains(&is));
        let (kind, outcome) = match entry.outcome {
            Outcome::None => return false,
            Outcome::Allow => (Kind::Decision, Some(true)),
            Outcome::Deny => (Kind::Decision, Some(false)),
            Outcome::Change => (Kind::Change, None),
            Outcome::Security => (Kind::Security, None),
        };
        self.filter.from.is_none_or(|from| at >= from)
            && self.filter.to.is_none_or(|to| at < to)
            && self.filter.kind.is_none_or(|wanted| wanted == kind)
            && (self.filter.allowed.is_none() || self.filter.allowed == outcome)
            && fits(&self.principal, entry.keys.principal)
            && fits(&self.action, entry.keys.action)
            && fits(&self.resource, entry.keys.resource)
            && fits(&self.stores, entry.keys.store)
    }

    /// Whether it is one: hashes may collide.
    fn is(&self, summary: &Summary) -> bool {
        let fits = |wanted: &Option<Vec<String>>, is: &String| wanted.as_ref().is_none_or(|wanted| wanted.contains(is));
        fits(&self.filter.principal, &summary.principal)
            && fits(&self.filter.action, &summary.action)
            && fits(&self.filter.resource, &summary.resource)
            && fits(&self.filter.stores, &summary.store)
    }
}
