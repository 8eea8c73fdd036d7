//! Reads files ahead of the server and cuts them into chunks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use authx_engine::relation::{Tuple, TupleKey};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Args, OnExisting};
use crate::api::v1::tuples::TupleBody;
use crate::cli::tuples::read::{Format, ReadError, Row, read_tuples};

/// Rows of one write at most; the server takes no more.
const MAX_ROWS: usize = 10_000;
/// Bytes of one write, about; the server takes 8 MiB.
const MAX_BYTES: usize = 4 << 20;
/// Wrong rows that are told at once.
const MAX_INVALID: usize = 100;

/// A row of one of the files, the first of which is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) row: u64,
}

/// Rows of one file.
pub(super) struct Chunk {
    pub(super) file: String,
    pub(super) from: Place,
    /// The row behind the last one.
    pub(super) until: Place,
    /// Each row with its tuple as it stands in a body.
    pub(super) rows: Vec<(u64, String)>,
    /// Rows that say what another of the chunk says.
    pub(super) repeated: u64,
    /// Why rows are left out.
    pub(super) invalid: Vec<String>,
}

/// Nothing more can be read.
pub(super) enum ChunkError {
    File(String),
}

type Chunks = Result<Chunk, ChunkError>;

/// Starts reading; it waits while one chunk is not taken. The thread ends with the receiver or with the process: reading
/// standard input cannot be interrupted.
pub(super) fn read(args: &Args) -> Receiver<Chunks> {
    let (to, chunks) = channel(1);
    let (files, format, from_row) = (args.files.clone(), args.format, args.from_row);
    let once = args.on_existing == OnExisting::Error;
    let (skip, failed) = (args.skip_invalid, to.clone());
    let reading = move || {
        for (file, path) in files.iter().enumerate() {
            let row = if file == 0 { from_row } else { 1 };
            let reader = Reader {
                from: Place { file, row },
                path,
                format,
                once,
                stop_at: if skip { usize::MAX } else { MAX_INVALID },
            };
            if reader.read(&to).is_none() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("reader".to_owned()).spawn(reading) {
        drop(failed.try_send(Err(ChunkError::File(error.to_string()))));
    }
    chunks
}

struct Reader<'a> {
    from: Place,
    path: &'a PathBuf,
    format: Option<Format>,
    /// Whether a tuple that stands twice is wrong.
    once: bool,
    stop_at: usize,
}

impl Reader<'_> {
    /// Reads a file to its end; nothing when there is no use in going on.
    fn read(&self, to: &Sender<Chunks>) -> Option<()> {
        let failed = |error: ReadError| drop(to.blocking_send(Err(ChunkError::File(error.to_string()))));
        let rows = read_tuples(self.path, self.format).map_err(failed).ok()?;
        let mut open = Open::new(self);
        for row in rows {
            match row {
                Ok(row) if row.row < self.from.row => continue,
                Err(ReadError::Row { row, .. }) if row < self.from.row => continue,
                Ok(row) => open.add(&row, self.once),
                Err(ReadError::Row { file, row, reason }) => open.refuse(row, format!("{file}:{row}: {reason}")),
                Err(error @ ReadError::File { .. }) => {
                    // What came before is written.
                    to.blocking_send(Ok(open.chunk)).ok()?;
                    failed(error);
                    return None;
                }
            }
            if open.is_full(self.stop_at) {
                let next = Open::after(&open.chunk);
                to.blocking_send(Ok(std::mem::replace(&mut open, next).chunk)).ok()?;
            }
        }
        to.blocking_send(Ok(open.chunk)).ok()
    }
}

/// A chunk that is being filled.
struct Open {
    chunk: Chunk,
    seen: HashMap<TupleKey, (u64, Tuple)>,
    bytes: usize,
}

impl Open {
    fn new(reader: &Reader<'_>) -> Self {
        Self::at(reader.path.display().to_string(), reader.from)
    }

    fn after(chunk: &Chunk) -> Self {
        Self::at(chunk.file.clone(), chunk.until)
    }

    fn at(file: String, from: Place) -> Self {
        let chunk = Chunk { file, from, until: from, rows: Vec::new(), repeated: 0, invalid: Vec::new() };
        Self { chunk, seen: HashMap::new(), bytes: 0 }
    }

    fn is_full(&self, stop_at: usize) -> bool {
        self.chunk.rows.len() >= MAX_ROWS
            || self.bytes >= MAX_BYTES
            || self.chunk.invalid.len() >= stop_at.min(MAX_ROWS)
    }

    fn add(&mut self, row: &Row, once: bool) {
        let Row { row, tuple } = row;
        match self.seen.entry(tuple.key.clone()) {
            Entry::Vacant(free) => {
                let text = serde_json::to_string(&TupleBody::from(tuple)).unwrap_or_default();
                self.bytes += text.len();
                free.insert((*row, tuple.clone()));
                self.chunk.rows.push((*row, text));
                self.chunk.until.row = row + 1;
            }
            Entry::Occupied(other) => {
                let (first, seen) = other.get();
                if !once && seen == tuple {
                    self.chunk.repeated += 1;
                    self.chunk.until.row = row + 1;
                    return;
                }
                let how = if seen == tuple { "" } else { " with another condition or expiry" };
                let message = format!("{}:{row}: `{}` is in row {first} too{how}", self.chunk.file, tuple.key);
                self.refuse(*row, message);
            }
        }
    }

    fn refuse(&mut self, row: u64, message: String) {
        self.chunk.invalid.push(message);
        self.chunk.until.row = row + 1;
    }
}
