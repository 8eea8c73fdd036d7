//! From the events of a YAML parser to a tree: anchors, merge keys, and what plain scalars are (YAML 1.2, core schema).

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::Number;

use super::{BYTES, Key, MAX_DEPTH, MAX_VALUES, Node, Place, Value};

/// What is wrong at a place.
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) message: String,
}

/// A list or map that is not closed yet.
struct Open {
    place: Place,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    fields: Vec<(Key, Node)>,
    names: HashSet<String>,
    /// A key that waits for its value, and whether it is the merge key.
    key: Option<(Key, bool)>,
    /// What is merged in at the end: the map's own fields win.
    merged: Vec<Node>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    values: usize,
}

/// A value that aliases repeat, how much it counts and how deep it is.
struct Anchored {
    node: Node,
    size: usize,
    depth: usize,
}

pub(super) fn read(text: &str) -> Result<Node, Fault> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| fault(place(*error.marker()), error.info()))?;
        let place = place(span.start);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(fault(place, "a second document begins, expected one in a file"));
                }
            }
            Event::Alias(anchor) => {
                let unknown = || fault(place, "the alias names an anchor that is not complete");
                let Anchored { size, depth, .. } = *builder.anchors.get(&anchor).ok_or_else(unknown)?;
                if builder.open.len() + depth > MAX_DEPTH {
                    return Err(too_deep(place));
                }
                builder.count(size, place)?;
                let node = builder.anchors.get(&anchor).ok_or_else(unknown)?.node.clone();
                builder.add(Node { place, ..node }, 0)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let merges = plain && text == "<<" && tag.is_none();
                let value = scalar(&text, style, tag.as_deref()).map_err(|message| fault(place, &message))?;
                if !builder.name(&text, place, merges)? {
                    let node = Node { place, value };
                    builder.count(size(&node), place)?;
                    builder.add(node, anchor)?;
                }
            }
            Event::SequenceStart(anchor, _) => builder.open(place, anchor, OpenKind::List(Vec::new()))?,
            Event::MappingStart(anchor, _) => builder.open(place, anchor, OpenKind::Map(OpenMap::default()))?,
            Event::SequenceEnd | Event::MappingEnd => builder.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    Ok(builder.root.unwrap_or(Node { place: Place { line: 1, column: 1 }, value: Value::Null }))
}

impl Builder {
    fn open(&mut self, place: Place, anchor: usize, kind: OpenKind) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(place));
        }
        if let Some(Open { kind: OpenKind::Map(OpenMap { key: None, .. }), .. }) = self.open.last() {
            return Err(fault(place, "a list or a map is no name of a field"));
        }
        self.open.push(Open { place, anchor, kind });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(Open { place, anchor, kind }) = self.open.pop() else { return Ok(()) };
        let value = match kind {
            OpenKind::List(items) => Value::List(items),
            OpenKind::Map(OpenMap { mut fields, mut names, merged, .. }) => {
                merged.into_iter().try_for_each(|node| merge(&mut fields, &mut names, node))?;
                Value::Map(fields)
            }
        };
        self.count(1, place)?;
        self.add(Node { place, value }, anchor)
    }

    /// Takes a scalar as the name of a field, where one is due.
    fn name(&mut self, text: &str, place: Place, merges: bool) -> Result<bool, Fault> {
        let Some(Open { kind: OpenKind::Map(OpenMap { names, key: key @ None, .. }), .. }) = self.open.last_mut()
        else {
            return Ok(false);
        };
        if !merges && !names.insert(text.to_owned()) {
            return Err(fault(place, &format!("`{text}` is given twice")));
        }
        *key = Some((Key { name: text.to_owned(), place }, merges));
        self.count(weight(text), place)?;
        Ok(true)
    }

    /// Counts what is about to be kept.
    fn count(&mut self, values: usize, place: Place) -> Result<(), Fault> {
        self.values = self.values.saturating_add(values);
        if self.values <= MAX_VALUES {
            return Ok(());
        }
        Err(fault(place, &format!("the text has more than {MAX_VALUES} values; {BYTES} bytes of a text count as one")))
    }

    /// Puts a value that is counted where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor > 0 {
            let size = size(&node);
            self.count(size, node.place)?;
            self.anchors.insert(anchor, Anchored { size, depth: depth(&node), node: node.clone() });
        }
        let place = node.place;
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map(map)) => match map.key.take() {
                Some((_, true)) => map.merged.push(node),
                Some((key, false)) => map.fields.push((key, node)),
                None => return Err(fault(place, "an alias is no name of a field")),
            },
        }
        Ok(())
    }
}

/// `<<`: the fields of a map, or of several, that this one does not have itself.
fn merge(fields: &mut Vec<(Key, Node)>, names: &mut HashSet<String>, node: Node) -> Result<(), Fault> {
    match node.value {
        Value::Map(more) => {
            fields.extend(more.into_iter().filter(|(key, _)| names.insert(key.name.clone())));
            Ok(())
        }
        Value::List(maps) => maps.into_iter().try_for_each(|map| merge(fields, names, map)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text { .. } => {
            Err(fault(node.place, "`<<` takes a map"))
        }
    }
}

/// How many values a value counts as.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::Text { text, .. } => 1 + weight(text),
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(fields) => 1 + fields.iter().map(|(key, value)| weight(&key.name) + size(value)).sum::<usize>(),
    }
}

fn weight(text: &str) -> usize {
    text.len() / BYTES
}

/// Lists and maps in one another.
fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text { .. } => 0,
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Map(fields) => 1 + fields.iter().map(|(_, value)| depth(value)).max().unwrap_or_default(),
    }
}

fn too_deep(place: Place) -> Fault {
    fault(place, &format!("values are nested more than {MAX_DEPTH} deep"))
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let as_text = || Value::Text { text: text.to_owned(), block: style == ScalarStyle::Literal };
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(as_text()),
        Some(tag) => Err(format!("the tag `{tag}` is not supported")),
        None if style == ScalarStyle::Plain => Ok(plain(text).unwrap_or_else(as_text)),
        None => Ok(as_text()),
    }
}

/// What a scalar without quotes is, unless it is text.
fn plain(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    let radix =
        |prefix: &str, radix| text.strip_prefix(prefix).and_then(|digits| u64::from_str_radix(digits, radix).ok());
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Value::Number(number.into()));
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if !numeric {
        return None;
    }
    let number = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    number.ok().or_else(|| Number::from_f64(text.parse().ok()?)).map(Value::Number)
}

fn place(mark: Marker) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: number(mark.line()), column: number(mark.col()).saturating_add(1) }
}

fn fault(place: Place, message: &str) -> Fault {
    Fault { place, message: message.to_owned() }
}
