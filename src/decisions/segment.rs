//! The files of one tenant's chain: their names, how they begin, and a walk over their lines.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::{Line, Link, hash_of, text};
use crate::ids::{TenantId, Timestamp};

/// The content of the first record of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Opening {
    kind: OpeningKind,
    segment: u64,
    tenant: String,
    at: String,
    /// The hash of the record before this one, in base64url.
    after: String,
    /// Decisions before this segment: recorded ones, and those that gaps tell of.
    decisions: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OpeningKind {
    Segment,
}

impl Opening {
    pub(super) fn new(segment: u64, tenant: String, at: String, after: &Link, decisions: u64) -> Self {
        Self { kind: OpeningKind::Segment, segment, tenant, at, after: text(&after.hash), decisions }
    }

    /// Where the chain stood before the record that has this content.
    fn before(&self, line: &Line<'_>) -> Option<Link> {
        Some(Link { seq: line.seq.checked_sub(1)?, hash: hash_of(&self.after)? })
    }

    /// Reads the content of the first record.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        serde_json::from_slice(content).ok()
    }

    /// Whether it was begun before a time, in milliseconds since 1970.
    pub(super) fn began_before(&self, millis: u64) -> bool {
        Timestamp::parse(&self.at).is_some_and(|at| u64::try_from(at.as_millis()).unwrap_or(0) < millis)
    }

    /// Whether it begins this segment of this tenant.
    pub(super) fn is(&self, segment: u64, tenant: &TenantId) -> bool {
        self.segment == segment && self.tenant == tenant.as_str()
    }
}

pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.ndjson"))
}

pub(super) fn index_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.idx"))
}

/// The tenants that have a folder, in order.
pub(super) fn tenants(dir: &Path) -> std::io::Result<Vec<TenantId>> {
    let names = std::fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut tenants: Vec<TenantId> = names.filter_map(|name| TenantId::parse(&name).ok()).collect();
    tenants.sort_unstable();
    Ok(tenants)
}

/// The numbers of the segments in a folder, in order.
pub(super) fn list(dir: &Path) -> std::io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(".ndjson")).and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// One step of a walk.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A record that follows from the one before.
    Good(Line<'a>),
    /// A line that is none, or does not follow.
    Bad(&'static str),
    /// The last line has no end: the writer was stopped while writing it.
    Torn,
}

/// Where a step is: the line's number from 1, its first byte and how many it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Walks a segment's lines in order; `before` is where the chain stood, or `None` to believe the first line. Behind a
/// bad line the walk goes on with what that line says of itself, so that one alteration is told once.
pub(super) fn walk(
    path: &Path,
    before: Option<Link>,
    visit: &mut dyn FnMut(At, Step<'_>, Option<Link>),
) -> std::io::Result<Option<Link>> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut link, mut text) = (before, Vec::new());
    let mut at = At { line: 0, offset: 0, length: 0 };
    loop {
        text.clear();
        let read = file.read_until(b'\n', &mut text)?;
        if read == 0 {
            return Ok(link);
        }
        at = At { line: at.line + 1, offset: at.offset + at.length, length: read as u64 };
        let Some(whole) = text.strip_suffix(b"\n") else {
            visit(at, Step::Torn, link);
            return Ok(link);
        };
        let Some(read) = Line::read(whole) else {
            visit(at, Step::Bad("it has not the form of a record"), link);
            continue;
        };
        let opening = || Opening::read(read.content()?)?.before(&read);
        let verified = match link.or_else(opening) {
            None => Err("it is not the first record of a segment"),
            Some(before) => read.verify(&before),
        };
        // A line that was altered still says where it stood.
        link = Some(Link { seq: read.seq, hash: read.hash });
        match verified {
            Ok(_) => visit(at, Step::Good(read), link),
            Err(why) => visit(at, Step::Bad(why), link),
        }
    }
}
