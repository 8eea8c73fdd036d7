//! Reads tuples from files: text, CSV, JSON, YAML and NDJSON.
//!
//! It knows no server and no model. A row that is no tuple is told with its file and row, and reading goes on; text,
//! CSV and NDJSON are read in constant memory.

mod list;
mod table;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use authx_engine::Json;
use authx_engine::relation::{Tuple, tuple_of_line};
use clap::ValueEnum;
use serde_json::Value;

use crate::api::v1::tuples::TupleBody;

/// The longest line that is read.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// What some editors put before the text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How tuples are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// `document:roadmap#viewer@user:ann`, one a line
    Text,
    /// A table with the columns of OpenFGA's command line
    Csv,
    /// A list of tuples
    Json,
    /// A list of tuples
    Yaml,
    /// One tuple as JSON a line
    Ndjson,
}

impl Format {
    /// What the end of a file's name says.
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "tuples" | "txt" => Some(Self::Text),
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// A tuple and the row it stands in: a line, or an item of a list; the first is 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) row: u64,
    pub(crate) tuple: Tuple,
}

/// Why a row, or all that is left of a file, could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Reading goes on behind it.
    #[error("{file}:{row}: {reason}")]
    Row { file: String, row: u64, reason: String },
    #[error("{file}: {reason}")]
    File { file: String, reason: String },
}

/// The rows of one file.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Row, ReadError>> + Send>;

/// Reads a file, or standard input for `-`, which is text unless a format is given.
///
/// # Errors
/// When it cannot be opened, or nothing tells its format.
pub(crate) fn read_tuples(path: &Path, format: Option<Format>) -> Result<Rows, ReadError> {
    let file = path.display().to_string();
    if file == "-" {
        return Ok(rows_of(BufReader::new(io::stdin()), &file, format.unwrap_or(Format::Text)));
    }
    let refused = |reason: &str| ReadError::File { file: file.clone(), reason: reason.to_owned() };
    let expected = "its name tells no format: expected .tuples, .csv, .json, .yaml or .ndjson, or --format";
    let format = format.or_else(|| Format::of(path)).ok_or_else(|| refused(expected))?;
    let opened = File::open(path).map_err(|error| refused(&error.to_string()))?;
    Ok(rows_of(BufReader::with_capacity(1 << 16, opened), &file, format))
}

/// As [`read_tuples`] for a text at hand; `file` is its name in errors.
pub(crate) fn rows_of(mut input: impl BufRead + Send + 'static, file: &str, format: Format) -> Rows {
    if input.fill_buf().is_ok_and(|start| start.starts_with(BYTE_ORDER_MARK)) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    match format {
        Format::Text => Box::new(Lines::new(input, file, text)),
        Format::Ndjson => Box::new(Lines::new(input, file, json)),
        Format::Csv => table::rows(input, file),
        Format::Json => list::rows(list::json(input), file),
        Format::Yaml => list::rows(list::yaml(input), file),
    }
}

fn text(line: &str) -> Option<Result<Tuple, String>> {
    tuple_of_line(line).map(|read| read.map_err(|error| error.to_string()))
}

fn json(line: &str) -> Option<Result<Tuple, String>> {
    if line.is_empty() {
        return None;
    }
    let read = serde_json::from_str::<Json>(line).map_err(|error| format!("malformed JSON: {error}"));
    Some(read.and_then(|value| tuple(value.0)))
}

/// A tuple as a value: as text, in the native parts, or in OpenFGA's, where the subject is the `user`.
pub(crate) fn tuple(mut value: Value) -> Result<Tuple, String> {
    if let Value::Object(parts) = &mut value
        && !parts.contains_key("subject")
        && let Some(user) = parts.remove("user")
    {
        parts.insert("subject".to_owned(), user);
    }
    let body: TupleBody = serde_json::from_value(value).map_err(|error| error.to_string())?;
    body.parse("").map_err(|problem| problem.message)
}

/// The rows of a format that has one a line; `parse` answers nothing for a line without a tuple.
struct Lines<R> {
    input: R,
    file: String,
    parse: fn(&str) -> Option<Result<Tuple, String>>,
    row: u64,
    line: Vec<u8>,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R, file: &str, parse: fn(&str) -> Option<Result<Tuple, String>>) -> Self {
        Self { input, file: file.to_owned(), parse, row: 0, line: Vec::new(), ended: false }
    }

    fn end(&mut self, reason: String) -> ReadError {
        self.ended = true;
        ReadError::File { file: self.file.clone(), reason }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            self.line.clear();
            let read = self.input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line);
            self.row += 1;
            match read {
                Err(error) => return Some(Err(self.end(error.to_string()))),
                Ok(0) => self.ended = true,
                Ok(n) if n as u64 == MAX_LINE_BYTES => {
                    let reason = format!("line {} is longer than {} MiB", self.row, MAX_LINE_BYTES >> 20);
                    return Some(Err(self.end(reason)));
                }
                Ok(_) => {}
            }
            let parsed = match std::str::from_utf8(&self.line) {
                Ok(line) => (self.parse)(line.trim()),
                Err(_) => Some(Err("not UTF-8 text".to_owned())),
            };
            let row = self.row;
            match parsed {
                None => {}
                Some(Ok(tuple)) => return Some(Ok(Row { row, tuple })),
                Some(Err(reason)) => return Some(Err(ReadError::Row { file: self.file.clone(), row, reason })),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
