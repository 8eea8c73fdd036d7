//! Takes the content of decisions out of a tenant's files, for good: the chain still verifies, and nobody can guess what was
//! there. Nobody else may write to the files meanwhile.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::chain::{Line, push_erased};
use super::event::Change;
use super::index::Entry;
use super::journal::{Journal, Prepared, Retention, sync_dir};
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

/// Why nothing was taken out.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("the log was altered, so nothing is taken out: `authx audit verify` tells where")]
    Altered,
    #[error("the log cannot be rewritten: {0}")]
    Io(#[from] std::io::Error),
}

impl Erasure {
    /// The decisions about an entity as principal, written as in a check.
    #[must_use]
    pub fn of_principal(text: &str) -> Self {
        Self::Principal(entity_names(text))
    }

    fn is(&self, summary: &Summary) -> bool {
        summary.is_decision()
            && match self {
                Self::Ids(ids) => ulid::Ulid::from_string(&summary.id).is_ok_and(|id| ids.contains(&id)),
                Self::Principal(names) => names.contains(&summary.principal),
            }
    }
}

/// Takes decisions out of a tenant's folder, notes in the chain that it was done, and tells how many they were.
///
/// # Errors
/// When the chain is not whole or files cannot be written. What was taken out until then is out.
pub fn erase(dir: &Path, tenant: TenantId, which: &Erasure, tokens: &Tokens) -> Result<u64, EraseError> {
    if !dir.is_dir() {
        return Ok(0);
    }
    remove_staged(dir)?;
    let open = || Journal::open(dir, tenant, ALL_STAYS, tokens.clone(), Clock);
    // What a kill left of a line goes first.
    open().map(drop)?;
    if !verify_live(dir, tenant, tokens)?.problems.is_empty() {
        return Err(EraseError::Altered);
    }
    let mut count = 0;
    for number in segment::list(dir)? {
        count += rewrite(dir, number, which)?;
    }
    if count > 0 {
        let change = Change {
            store: None,
            principal: "shell",
            name: None,
            action: "log.erase",
            resource: format!("tenant:{tenant}"),
            revision: None,
            details: json!({"records": count}),
            request_id: None,
        };
        let mut journal = open()?;
        journal.append([Prepared::of_content(change.content(Clock.ulid()).into_bytes())].iter())?;
        journal.sync()?;
    }
    Ok(count)
}

/// What an erasure that was killed left.
fn remove_staged(dir: &Path) -> std::io::Result<()> {
    segment::list(dir)?.into_iter().try_for_each(|number| remove_if_there(&staged(dir, number)))
}

fn remove_if_there(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn staged(dir: &Path, number: u64) -> PathBuf {
    segment::path(dir, number).with_extension("new")
}

/// Rewrites a segment without the contents that go, unless none does.
fn rewrite(dir: &Path, number: u64, which: &Erasure) -> std::io::Result<u64> {
    let (path, staged) = (segment::path(dir, number), staged(dir, number));
    let old = File::open(&path)?;
    // Its age is that of its records.
    let modified = old.metadata()?.modified()?;
    let (mut lines, mut new) = (BufReader::new(old), BufWriter::new(File::create(&staged)?));
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
        std::fs::remove_file(staged)?;
        return Ok(0);
    }
    let new = new.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    new.set_modified(modified)?;
    new.sync_all()?;
    // Hashes of names are in the index: it goes first, and can be made anew.
    let index_path = segment::index_path(dir, number);
    remove_if_there(&index_path)?;
    std::fs::rename(staged, path)?;
    std::fs::write(index_path, index)?;
    sync_dir(dir)?;
    Ok(count)
}

#[cfg(test)]
mod tests;
