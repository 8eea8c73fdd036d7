//! Tuples as a table: the columns of OpenFGA's command line, in any order, and `expires_at`.

use std::io::BufRead;

use authx_engine::JsonObject;
use authx_engine::relation::Tuple;
use csv::{ReaderBuilder, StringRecord, Trim};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ReadError, Row, Rows, tuple};

const NEEDED: [&str; 5] = ["user_type", "user_id", "relation", "object_type", "object_id"];
const OPTIONAL: [&str; 4] = ["user_relation", "condition_name", "condition_context", "expires_at"];

/// A row by the names of its columns.
#[derive(Debug, Deserialize)]
struct Columns<'a> {
    user_type: &'a str,
    user_id: &'a str,
    user_relation: Option<&'a str>,
    relation: &'a str,
    object_type: &'a str,
    object_id: &'a str,
    condition_name: Option<&'a str>,
    condition_context: Option<&'a str>,
    expires_at: Option<&'a str>,
}

pub(super) fn rows(input: impl BufRead + Send + 'static, file: &str) -> Rows {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(input);
    let file = file.to_owned();
    let head = reader.headers().map_err(|error| error.to_string()).cloned();
    let head = match head.and_then(|head| check(&head).map(|()| head)) {
        Ok(head) => head,
        Err(reason) => return Box::new(std::iter::once(Err(ReadError::File { file, reason }))),
    };
    Box::new(reader.into_records().map(move |record| {
        let (position, read) = match &record {
            Ok(record) => (record.position(), read(record, &head)),
            Err(error) if error.is_io_error() => {
                return Err(ReadError::File { file: file.clone(), reason: error.to_string() });
            }
            Err(error) => (error.position(), Err(plain(error))),
        };
        let row = position.map_or(0, csv::Position::line);
        read.map(|tuple| Row { row, tuple }).map_err(|reason| ReadError::Row { file: file.clone(), row, reason })
    }))
}

/// Whether the first line names the columns. An unknown one is refused: a misspelt condition would grant too much.
fn check(head: &StringRecord) -> Result<(), String> {
    if let Some(missing) = NEEDED.iter().find(|name| !head.iter().any(|column| column == **name)) {
        return Err(format!("the first line names no column `{missing}`: expected {}", NEEDED.join(", ")));
    }
    match head.iter().find(|column| !NEEDED.contains(column) && !OPTIONAL.contains(column)) {
        Some(other) => Err(format!("unknown column `{other}`: expected one of {}", OPTIONAL.join(", "))),
        None => Ok(()),
    }
}

/// What went wrong, without the place, which is told in the same way for every format.
fn plain(error: &csv::Error) -> String {
    if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
        return format!("expected {expected_len} columns, found {len}");
    }
    if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) { "not UTF-8 text".to_owned() } else { error.to_string() }
}

fn read(record: &StringRecord, head: &StringRecord) -> Result<Tuple, String> {
    let columns: Columns<'_> = record.deserialize(Some(head)).map_err(|error| plain(&error))?;
    let given = |column: Option<&str>| column.filter(|text| !text.is_empty()).map(str::to_owned);
    let user_relation = given(columns.user_relation).map_or_else(String::new, |relation| format!("#{relation}"));
    let mut parts = Map::from_iter([
        ("object".to_owned(), json!(format!("{}:{}", columns.object_type, columns.object_id))),
        ("relation".to_owned(), json!(columns.relation)),
        ("subject".to_owned(), json!(format!("{}:{}{user_relation}", columns.user_type, columns.user_id))),
    ]);
    let context = match given(columns.condition_context) {
        None => Map::new(),
        Some(text) => {
            let read = serde_json::from_str::<JsonObject>(&text);
            read.map_err(|error| format!("condition_context `{text}` is no JSON object: {error}"))?.0
        }
    };
    match given(columns.condition_name) {
        Some(name) => drop(parts.insert("condition".to_owned(), json!({"name": name, "context": context}))),
        None if context.is_empty() => {}
        None => return Err("condition_context without a condition_name".to_owned()),
    }
    if let Some(at) = given(columns.expires_at) {
        parts.insert("expires_at".to_owned(), json!(at));
    }
    tuple(Value::Object(parts))
}
