//! One tenant's chain on disk: taken up where it ended, appended to, cut into segments, trimmed from its beginning.
//!
//! Files are opened for each append: a thousand idle tenants hold none open.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::chain::{Link, SALT_BYTES, Salt, push_line, text};
use super::index::{ENTRY_BYTES, Entry, Keys, Outcome};
use super::segment::{self, Opening, Step};
use super::summary::Summary;
use crate::clock::{Clock, fill_random};
use crate::ids::TenantId;
use crate::pace::Pace;
use crate::tokens::Tokens;

/// How large segments become and how long they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub segment_bytes: u64,
    pub kept: Duration,
    pub kept_bytes: u64,
}

/// A record to append.
#[derive(Debug)]
pub struct Prepared {
    pub(super) content: Vec<u8>,
    pub(super) id: u128,
    pub(super) keys: Keys,
    pub(super) outcome: Outcome,
    /// Answered decisions that it tells of.
    pub(super) decisions: u64,
}

impl Prepared {
    /// About how many bytes it holds in memory.
    pub(super) fn weight(&self) -> usize {
        self.content.capacity() + size_of::<Self>()
    }

    /// A record of the log about itself.
    pub(super) fn note(content: &serde_json::Value, decisions: u64) -> Self {
        let content = content.to_string().into_bytes();
        Self { content, id: 0, keys: Keys::default(), outcome: Outcome::None, decisions }
    }

    /// Decisions that were answered and are not recorded.
    pub(super) fn gap(reason: &str, count: u64, clock: Clock) -> Self {
        Self::note(&json!({"kind": "gap", "reason": reason, "count": count, "at": clock.now().to_string()}), count)
    }
}

/// One tenant's chain.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    tenant: TenantId,
    retention: Retention,
    clock: Clock,
    tokens: Tokens,
    /// The last segment, and its bytes and records; zero before there is one.
    segment: u64,
    bytes: u64,
    link: Link,
    decisions: u64,
    /// Written, but the disk was not told to keep it.
    unsynced: bool,
}

impl Journal {
    /// Takes a chain up where it ended. What a kill left of a line is taken away.
    pub(super) fn open(
        dir: &Path,
        tenant: TenantId,
        retention: Retention,
        tokens: Tokens,
        clock: Clock,
    ) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let dir = dir.to_owned();
        let start = Link::START;
        let mut journal = Self {
            dir,
            tenant,
            retention,
            clock,
            tokens,
            segment: 0,
            bytes: 0,
            link: start,
            decisions: 0,
            unsynced: true,
        };
        while let Some(last) = segment::list(&journal.dir)?.last().copied() {
            if journal.take_up(last)? {
                return Ok(journal);
            }
            // The writer was stopped before the first line was whole.
            std::fs::remove_file(segment::path(&journal.dir, last))?;
        }
        Ok(journal)
    }

    /// Reads the last segment; `false` when it has no line.
    fn take_up(&mut self, number: u64) -> std::io::Result<bool> {
        let path = segment::path(&self.dir, number);
        let (mut entries, mut end, mut decisions, mut bad) = (Vec::new(), 0, 0, None);
        let link = segment::walk(&path, None, &mut |at, step, _| match step {
            Step::Good(line) => {
                let summary = Summary::of(&line);
                decisions += summary.decisions();
                entries.extend_from_slice(&summary.entry(at.offset, at.length - 1).to_bytes());
                end = at.offset + at.length;
            }
            Step::Bad(why) => {
                bad = bad.or(Some((at.line, why)));
                entries.extend_from_slice(&Entry { offset: at.offset, ..Entry::default() }.to_bytes());
                end = at.offset + at.length;
            }
            Step::Torn => {}
        })?;
        if end == 0 {
            return Ok(false);
        }
        // A segment without a line that can be read is left as it is, for whoever finds out why.
        let link = link.unwrap_or(self.link);
        if let Some((line, why)) = bad {
            tracing::error!(tenant = %self.tenant, file = %path.display(), line, why, "the decision log was altered");
        }
        let file = OpenOptions::new().write(true).open(&path)?;
        if file.metadata()?.len() > end {
            tracing::warn!(tenant = %self.tenant, file = %path.display(), "a torn last record was removed");
            file.set_len(end)?;
        }
        std::fs::write(segment::index_path(&self.dir, number), entries)?;
        (self.segment, self.bytes, self.link, self.decisions) = (number, end, link, decisions);
        Ok(true)
    }

    /// Answered decisions that the chain tells of, by records and by gaps.
    pub(super) fn decisions(&self) -> u64 {
        self.decisions
    }

    /// Appends records, all or none.
    pub(super) fn append<'a>(
        &mut self,
        records: impl ExactSizeIterator<Item = &'a Prepared> + Clone,
    ) -> std::io::Result<()> {
        if self.segment == 0 || self.bytes >= self.retention.segment_bytes {
            self.begin_segment()?;
        }
        self.write(records)
    }

    /// Begins another segment, if this one is the last.
    pub(super) fn close_segment(&mut self, number: u64) -> std::io::Result<()> {
        if self.segment == number { self.begin_segment() } else { Ok(()) }
    }

    fn begin_segment(&mut self) -> std::io::Result<()> {
        self.sync()?;
        if self.segment == 0 {
            // A chain without a head was cut: there is one before the first record.
            self.seal()?;
        }
        let number = self.segment + 1;
        let at = self.clock.now().to_string();
        let opening = Opening::new(number, self.tenant.to_string(), at, &self.link, self.decisions);
        let before = (self.segment, self.bytes);
        (self.segment, self.bytes) = (number, 0);
        let written = self.write([Prepared::note(&json!(opening), 0)].iter()).and_then(|()| sync_dir(&self.dir));
        if written.is_err() {
            (self.segment, self.bytes) = before;
        }
        written
    }

    fn write<'a>(&mut self, records: impl ExactSizeIterator<Item = &'a Prepared> + Clone) -> std::io::Result<()> {
        let mut salts = vec![0; records.len() * SALT_BYTES];
        fill_random(&mut salts).map_err(|error| std::io::Error::other(error.to_string()))?;
        let salts = salts.as_chunks::<SALT_BYTES>().0;
        let bytes = records.clone().map(|record| record.content.len() + 192).sum();
        let (mut lines, mut entries) = (Vec::with_capacity(bytes), Vec::with_capacity(records.len() * ENTRY_BYTES));
        let (mut link, mut decisions, mut pace) = (self.link, self.decisions, Pace::begin());
        for (record, salt) in records.zip(salts) {
            let salt: &Salt = salt;
            pace.step();
            let begin = lines.len();
            link = push_line(&mut lines, &link, salt, &record.content);
            let length = u32::try_from(lines.len() - begin - 1).unwrap_or(u32::MAX);
            let offset = self.bytes + begin as u64;
            let entry = Entry { id: record.id, offset, length, outcome: record.outcome, keys: record.keys };
            entries.extend_from_slice(&entry.to_bytes());
            decisions += record.decisions;
        }
        let path = segment::path(&self.dir, self.segment);
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        if let Err(error) = file.write_all(&lines) {
            // What was half written is taken back, so that the next try begins where this one did.
            file.set_len(self.bytes)?;
            return Err(error);
        }
        (self.link, self.decisions, self.unsynced) = (link, decisions, true);
        self.bytes += lines.len() as u64;
        // The index can be made anew; a record is recorded without it.
        let index = OpenOptions::new().append(true).create(true).open(segment::index_path(&self.dir, self.segment));
        if let Err(error) = index.and_then(|mut index| index.write_all(&entries)) {
            tracing::warn!(tenant = %self.tenant, %error, "the index of the decision log could not be written");
        }
        Ok(())
    }

    /// Has the disk keep what was written, and notes how long the chain is.
    pub(super) fn sync(&mut self) -> std::io::Result<()> {
        if !self.unsynced || self.segment == 0 {
            return Ok(());
        }
        File::open(segment::path(&self.dir, self.segment))?.sync_data()?;
        self.seal()?;
        self.unsynced = false;
        Ok(())
    }

    /// Notes how long the chain is.
    fn seal(&self) -> std::io::Result<()> {
        let head = format!("{}:{}", self.link.seq, text(&self.link.hash));
        let sealed = self.tokens.cursor(&head_bound(&self.tenant), &head);
        let staged = self.dir.join("head.new");
        std::fs::write(&staged, sealed)?;
        std::fs::rename(staged, self.dir.join(HEAD))
    }

    /// Deletes the oldest segments that are too old or too much. The chain says so before they go.
    pub(super) fn trim(&mut self) -> std::io::Result<u64> {
        let numbers = segment::list(&self.dir)?;
        let mut sizes = Vec::with_capacity(numbers.len());
        for number in &numbers {
            let metadata = std::fs::metadata(segment::path(&self.dir, *number))?;
            // Written last when it was closed.
            let age = metadata.modified()?.elapsed().unwrap_or_default();
            sizes.push((*number, metadata.len(), age));
        }
        let mut total: u64 = sizes.iter().map(|(_, bytes, _)| bytes).sum();
        let mut through = None;
        for (number, bytes, age) in sizes {
            if number == self.segment || (age < self.retention.kept && total <= self.retention.kept_bytes) {
                break;
            }
            total -= bytes;
            through = Some(number);
        }
        let Some(through) = through else { return Ok(0) };
        let note = json!({"kind": "dropped", "through": through, "at": self.clock.now().to_string()});
        self.append([Prepared::note(&note, 0)].iter())?;
        self.sync()?;
        let gone = numbers.into_iter().filter(|number| *number <= through);
        let mut count = 0;
        for number in gone {
            // The index first: a segment without one is whole, an index without a segment is nothing.
            let _ = std::fs::remove_file(segment::index_path(&self.dir, number));
            std::fs::remove_file(segment::path(&self.dir, number))?;
            count += 1;
        }
        Ok(count)
    }
}

/// The file that says how long the chain was at least.
pub(super) const HEAD: &str = "head";

/// What the head's seal is bound to.
pub(super) fn head_bound(tenant: &TenantId) -> [&str; 2] {
    ["decision log head", tenant.as_str()]
}

pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}
