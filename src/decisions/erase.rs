//! Takes the content of decisions out of a tenant's files, for good: the chain still verifies, and nobody can guess what was
//! there. Nobody else may write to a file that is rewritten: either no server runs, or its log lets go of it (`live`).

mod live;

pub use live::Erasing;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::chain::{Line, push_erased};
use super::index::Entry;
use super::journal::{Journal, Prepared, Retention, sync_dir};
use super::log::LogError;
use super::query::entity_names;
use super::segment;
use super::summary::Summary;
use super::verify::verify_live;
use crate::clock::Clock;
use crate::ids::TenantId;
use crate::tokens::Tokens;

/// Nothing is deleted, and no segment begun, by taking something out.
const ALL_STAYS: Retention = Retention { segment_bytes: u64::MAX, kept: Duration::MAX, kept_bytes: u64::MAX };

/// Which decisions.
#[derive(Debug)]
pub enum Erasure {
    Ids(HashSet<ulid::Ulid>),
    /// Of whom, under any of these names.
    Principal(Vec<String>),
}

/// A text that is no id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no id of a decision: expected a ULID")]
pub struct BadDecisionId(String);

/// Why nothing was taken out.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("the log was altered, so nothing is taken out: `authx audit verify` tells where")]
    Altered,
    #[error("the log cannot be rewritten: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the server is being stopped, and not everything was taken out")]
    Stopped,
}

impl Erasure {
    /// The decisions about an entity as principal, written as in a check.
    #[must_use]
    pub fn of_principal(text: &str) -> Self {
        Self::Principal(entity_names(text))
    }

    /// The decisions with these ids.
    ///
    /// # Errors
    /// The first that is none.
    pub fn of_ids(texts: &[String]) -> Result<Self, BadDecisionId> {
        let id = |text: &String| ulid::Ulid::from_string(text).map_err(|_| BadDecisionId(text.clone()));
        texts.iter().map(id).collect::<Result<_, _>>().map(Self::Ids)
    }

    fn is(&self, summary: &Summary) -> bool {
        summary.is_decision()
            && match self {
                Self::Ids(ids) => ulid::Ulid::from_string(&summary.id).is_ok_and(|id| ids.contains(&id)),
                // What was taken out before has no name.
                Self::Principal(names) => !summary.principal.is_empty() && names.contains(&summary.principal),
            }
    }
}

/// Takes decisions out of a tenant's folder to which nobody writes, and tells how many they were. That it was done is noted in
/// the chain: `note` is the content of that record.
///
/// # Errors
/// When the chain is not whole or files cannot be written. What was taken out until then is out.
pub fn erase(
    dir: &Path,
    tenant: TenantId,
    which: &Erasure,
    tokens: &Tokens,
    note: impl FnOnce(u64) -> String,
) -> Result<u64, EraseError> {
    if !dir.is_dir() {
        return Ok(0);
    }
    let open = || Journal::open(dir, tenant, ALL_STAYS, tokens.clone(), Clock);
    // What a kill left of a line goes first.
    open().map(drop)?;
    verified(dir, tenant, tokens)?;
    let mut count = 0;
    let taken = take_out(dir, &segment::list(dir)?, which, &|| false, &mut count);
    if count > 0 {
        let mut journal = open()?;
        journal.append([Prepared::of_content(note(count).into_bytes())].iter())?;
        journal.sync()?;
    }
    taken.map(|()| count)
}

/// Goes on when a chain is whole.
fn verified(dir: &Path, tenant: TenantId, tokens: &Tokens) -> Result<(), EraseError> {
    if verify_live(dir, tenant, tokens)?.problems.is_empty() { Ok(()) } else { Err(EraseError::Altered) }
}

/// Takes decisions out of segments to which nobody writes, and counts them.
fn take_out(
    dir: &Path,
    numbers: &[u64],
    which: &Erasure,
    stopped: &dyn Fn() -> bool,
    count: &mut u64,
) -> Result<(), EraseError> {
    remove_staged(dir)?;
    for number in numbers {
        if stopped() {
            return Err(EraseError::Stopped);
        }
        *count += rewrite(dir, *number, which)?;
    }
    Ok(())
}

/// What an erasure that was killed left.
fn remove_staged(dir: &Path) -> std::io::Result<()> {
    segment::list(dir)?.into_iter().try_for_each(|number| {
        remove_if_there(&staged(&segment::path(dir, number)))?;
        remove_if_there(&staged(&segment::index_path(dir, number)))
    })
}

fn remove_if_there(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file that is to take the place of another.
fn staged(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Rewrites a segment without the contents that go, unless none does.
fn rewrite(dir: &Path, number: u64, which: &Erasure) -> std::io::Result<u64> {
    let path = segment::path(dir, number);
    let staged_path = staged(&path);
    let old = File::open(&path)?;
    // Its age is that of its records.
    let modified = old.metadata()?.modified()?;
    let (mut lines, mut new) = (BufReader::new(old), BufWriter::new(File::create(&staged_path)?));
    let (mut text, mut index, mut offset, mut count) = (Vec::new(), Vec::new(), 0, 0);
    while lines.read_until(b'\n', &mut text)? > 0 {
        let mut erased = Vec::new();
        let mut entry = Entry::default();
        if let Some(line) = text.strip_suffix(b"\n").and_then(Line::read) {
            let summary = Summary::of(&line);
            if which.is(&summary) {
                push_erased(&mut erased, &line);
                count += 1;
            } else {
                entry = summary.entry(0, 0);
            }
        }
        let kept = if erased.is_empty() { &text } else { &erased };
        new.write_all(kept)?;
        let length = kept.len() as u64;
        index.extend_from_slice(&Entry { offset, ..entry }.of_length(length - 1).to_bytes());
        offset += length;
        text.clear();
    }
    if count == 0 {
        std::fs::remove_file(staged_path)?;
        return Ok(0);
    }
    let new = new.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    new.set_modified(modified)?;
    new.sync_all()?;
    // Hashes of names are in the index: it goes first, and can be made anew. Who reads meanwhile finds the one that belongs to
    // the segment, or none.
    let index_path = segment::index_path(dir, number);
    let staged_index = staged(&index_path);
    std::fs::write(&staged_index, index)?;
    remove_if_there(&index_path)?;
    std::fs::rename(staged_path, path)?;
    std::fs::rename(staged_index, index_path)?;
    sync_dir(dir)?;
    Ok(count)
}

#[cfg(test)]
mod tests;
