//! Sends one chunk.

use reqwest::Method;
use serde_json::Value;

use super::{Args, Chunk, OnExisting};
use crate::cli::Exit;
use crate::cli::client::{Client, Reply};

/// What became of rows that were sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) new: u64,
    /// Were there before.
    pub(super) existing: u64,
    pub(super) skipped: u64,
    pub(super) revision: u64,
}

impl Written {
    pub(super) fn add(&mut self, other: &Self) {
        self.new += other.new;
        self.existing += other.existing;
        self.skipped += other.skipped;
        self.revision = self.revision.max(other.revision);
    }

    /// Tuples that are in now.
    pub(super) fn tuples(&self) -> u64 {
        self.new + self.existing
    }
}

/// Why a chunk was not written.
pub(super) enum Refusal {
    /// A line for each wrong row.
    Rows(Vec<String>),
    Failed(Exit, String),
}

pub(super) struct Sender {
    pub(super) client: Client,
    /// The store's.
    pub(super) path: String,
    pub(super) args: Args,
}

impl Sender {
    /// Writes a chunk; without the rows that the store refuses, when these are to be skipped.
    pub(super) async fn send(&self, mut chunk: Chunk) -> Result<Written, Refusal> {
        let path = format!("{}/write", self.path);
        let mut skipped = chunk.invalid.len() as u64;
        loop {
            if chunk.rows.is_empty() {
                return Ok(Written { existing: chunk.repeated, skipped, ..Written::default() });
            }
            let sent = self.client.send(Method::POST, &path, Some(self.body(&chunk)));
            let reply = sent.await.map_err(|message| Refusal::Failed(Exit::Unreachable, message))?;
            if reply.status == 200 {
                let number = |key: &str| reply.body.get(key).and_then(Value::as_u64).unwrap_or_default();
                let new = number("tuples_written");
                let existing = (chunk.rows.len() as u64).saturating_sub(new) + chunk.repeated;
                return Ok(Written { new, existing, skipped, revision: number("revision") });
            }
            let wrong = wrong_rows(&reply);
            if wrong.is_empty() {
                return Err(Refusal::Failed(Exit::Error, reply.reason()));
            }
            if !self.args.skip_invalid {
                return Err(Refusal::Rows(lines(&chunk, &wrong)));
            }
            let before = chunk.rows.len();
            let mut index = 0..;
            chunk.rows.retain(|_| index.next().is_none_or(|index| !wrong.iter().any(|(at, _)| *at == index)));
            skipped += (before - chunk.rows.len()) as u64;
            if chunk.rows.len() == before {
                return Err(Refusal::Failed(Exit::Error, reply.reason()));
            }
        }
    }

    fn body(&self, chunk: &Chunk) -> String {
        let on_existing = match self.args.on_existing {
            OnExisting::Ignore => "ignore",
            OnExisting::Error => "error",
        };
        let rows: Vec<&str> = chunk.rows.iter().map(|(_, text)| text.as_str()).collect();
        format!(r#"{{"tuples":{{"write":[{}],"on_existing":"{on_existing}"}}}}"#, rows.join(","))
    }
}

/// The rows that a refusal points at, by their place in the chunk, and what is wrong with them.
fn wrong_rows(reply: &Reply) -> Vec<(usize, String)> {
    let items = reply.body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let wrong = items.filter_map(|item| {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let index = text("pointer")?.strip_prefix("/tuples/write/")?.split('/').next()?.parse().ok()?;
        Some((index, text("message").unwrap_or_default().to_owned()))
    });
    wrong.collect()
}

fn lines(chunk: &Chunk, wrong: &[(usize, String)]) -> Vec<String> {
    let line = |(index, message): &(usize, String)| {
        let row = chunk.rows.get(*index).map_or(0, |(row, _)| *row);
        format!("{}:{row}: {message}", chunk.file)
    };
    wrong.iter().map(line).collect()
}
