//! An import cut into parts: lines as they come, and what they say.

use std::collections::HashMap;

use actix_web::web::{Bytes, BytesMut, Payload};
use authx_engine::relation::Tuple;
use authx_engine::{EntityInput, LinkInput};
use futures_util::StreamExt as _;

use super::{TransferCounts, TransferLine};
use crate::api::error::{ApiError, Code, ErrorItem, invalid_input};
use crate::api::extract::parse;
use crate::pace::Pace;
use crate::pap::{Asked, ImportPart, Imported};

/// Lines of one part at most: a write takes no more.
const MAX_LINES: u64 = 5_000;
/// Bytes after which a part is closed.
const PART_BYTES: usize = 2 << 20;
const MAX_LINE_BYTES: usize = 1 << 20;

/// The lines of a body that is still coming.
pub(super) struct Lines {
    payload: Payload,
    buffer: BytesMut,
    /// Whole lines in the buffer's first `whole` bytes.
    whole: usize,
    count: u64,
    ended: bool,
    /// The number of the line that the buffer begins with.
    line: u64,
}

/// Whole lines, and the number of the first.
pub(super) struct Text {
    bytes: Bytes,
    first: u64,
}

impl Lines {
    pub(super) fn new(payload: Payload, first: u64) -> Self {
        Self { payload, buffer: BytesMut::new(), whole: 0, count: 0, ended: false, line: first }
    }

    /// The lines of the next part; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Text>, ApiError> {
        let mut seen = 0;
        loop {
            let rest = self.buffer.get(seen..).unwrap_or_default();
            for at in rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at) {
                (self.whole, self.count) = (seen + at + 1, self.count + 1);
                if self.count == MAX_LINES || self.whole >= PART_BYTES {
                    return Ok(Some(self.cut()));
                }
            }
            seen = self.buffer.len();
            if seen - self.whole > MAX_LINE_BYTES {
                let line = self.line + self.count;
                let detail = format!("line {line} is longer than {MAX_LINE_BYTES} bytes");
                return Err(ApiError::new(Code::BodyTooLarge, detail));
            }
            match self.payload.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => {
                    return Err(ApiError::new(Code::MalformedRequest, format!("the body ended early: {error}")));
                }
                None if self.ended || self.buffer.is_empty() => return Ok(None),
                None => {
                    self.ended = true;
                    // The last line need not end.
                    self.count += u64::from(self.whole < self.buffer.len());
                    self.whole = self.buffer.len();
                    return Ok(Some(self.cut()));
                }
            }
        }
    }

    fn cut(&mut self) -> Text {
        let text = Text { bytes: self.buffer.split_to(self.whole).freeze(), first: self.line };
        self.line += self.count;
        (self.whole, self.count) = (0, 0);
        text
    }
}

/// What a part says, and what the import will have put with it.
pub(super) struct Part {
    pub(super) write: ImportPart,
    pub(super) places: Places,
    pub(super) imported: Imported,
}

/// The lines of what is put.
#[derive(Debug, Default)]
pub(super) struct Places {
    entities: Vec<u64>,
    tuples: Vec<u64>,
    first_link: Option<u64>,
}

/// Reads a part. Of what is said twice the last counts, as it would in two parts. Lines that were written before are left
/// out.
pub(super) fn read(text: &Text, done: Imported, asked: Option<Asked>) -> Result<Part, ApiError> {
    let mut reader = Reader { imported: done, ..Reader::default() };
    let (mut number, mut pace) = (text.first, Pace::begin());
    for line in text.bytes.split(|byte| *byte == b'\n') {
        pace.step();
        if number > done.lines && !line.trim_ascii().is_empty() {
            reader.read(line, number).map_err(|error| of_line(error, number))?;
        }
        number += 1;
    }
    // Behind the last end of line there is no line.
    let lines = if text.bytes.ends_with(b"\n") { number - 2 } else { number - 1 };
    let imported = Imported { lines: lines.max(done.lines), ..reader.imported };
    let Reader { part: mut write, places, .. } = reader;
    write.progress = asked.map(|asked| (asked, imported));
    Ok(Part { write, places, imported })
}

#[derive(Default)]
struct Reader {
    part: ImportPart,
    places: Places,
    imported: Imported,
    entities: HashMap<authx_engine::EntityUid, usize>,
    tuples: HashMap<authx_engine::relation::TupleKey, usize>,
}

impl Reader {
    fn read(&mut self, text: &[u8], number: u64) -> Result<(), ApiError> {
        match parse::<TransferLine>(text)? {
            TransferLine { entity: Some(entity), tuple: None, link: None, end: None } => self.entity(entity, number),
            TransferLine { entity: None, tuple: Some(tuple), link: None, end: None } => {
                let tuple = tuple.parse("/tuple").map_err(|problem| invalid_input(&[problem]))?;
                self.tuple(tuple, number);
            }
            TransferLine { entity: None, tuple: None, link: Some(link), end: None } => {
                let (id, link): (String, LinkInput) = link.into();
                self.places.first_link.get_or_insert(number);
                self.part.links.push((id, link));
                self.imported.links += 1;
            }
            TransferLine { entity: None, tuple: None, link: None, end: Some(end) } => self.end(end)?,
            TransferLine { .. } => {
                let detail = "a line is one of `entity`, `tuple`, `link` and `end`";
                return Err(ApiError::new(Code::MalformedRequest, detail));
            }
        }
        Ok(())
    }

    fn entity(&mut self, entity: EntityInput, number: u64) {
        self.imported.entities += 1;
        let next = self.part.entities.len();
        let at = *self.entities.entry(entity.uid.clone()).or_insert(next);
        put(&mut self.part.entities, &mut self.places.entities, at, entity, number);
    }

    fn tuple(&mut self, tuple: Tuple, number: u64) {
        self.imported.tuples += 1;
        let next = self.part.tuples.len();
        let at = *self.tuples.entry(tuple.key.clone()).or_insert(next);
        put(&mut self.part.tuples, &mut self.places.tuples, at, tuple, number);
    }

    fn end(&self, end: TransferCounts) -> Result<(), ApiError> {
        let Imported { entities, tuples, links, .. } = self.imported;
        let found = TransferCounts { entities, tuples, links };
        if found == end {
            return Ok(());
        }
        let detail = format!(
            "the end says {} entities, {} tuples and {} links, and before it there are {entities}, {tuples} and {links}",
            end.entities, end.tuples, end.links
        );
        Err(ApiError::new(Code::MalformedRequest, detail))
    }
}

/// Puts a thing behind the others, or in the place of the one that was the same.
fn put<T>(things: &mut Vec<T>, places: &mut Vec<u64>, at: usize, thing: T, number: u64) {
    if let (Some(before), Some(place)) = (things.get_mut(at), places.get_mut(at)) {
        (*before, *place) = (thing, number);
    } else {
        things.push(thing);
        places.push(number);
    }
}

fn of_line(error: ApiError, number: u64) -> ApiError {
    let mut error = error.below("");
    for item in &mut error.errors {
        item.line = u32::try_from(number).ok();
    }
    ApiError { detail: format!("line {number}: {}", error.detail), ..error }
}

impl Places {
    /// An error of a write, told of the lines that it is about.
    pub(super) fn told(&self, mut error: ApiError) -> ApiError {
        for item in &mut error.errors {
            self.place(item);
        }
        if let (true, Some(line)) = (error.code == Code::InvalidLink, self.first_link) {
            error.detail = format!("a link in or behind line {line}: {}", error.detail);
        } else if let Some(ErrorItem { line: Some(line), message, .. }) = error.errors.first() {
            error.detail = format!("line {line}: {message}");
        }
        error
    }

    fn place(&self, item: &mut ErrorItem) {
        let Some(pointer) = &item.pointer else { return };
        for (prefix, name, lines) in
            [("/entities/upsert/", "/entity", &self.entities), ("/tuples/write/", "/tuple", &self.tuples)]
        {
            let Some(rest) = pointer.strip_prefix(prefix) else { continue };
            let (index, rest) = rest.split_once('/').map_or((rest, String::new()), |(i, rest)| (i, format!("/{rest}")));
            let line = index.parse().ok().and_then(|index: usize| lines.get(index));
            item.line = line.and_then(|line| u32::try_from(*line).ok());
            item.pointer = Some(format!("{name}{rest}"));
            return;
        }
    }
}
