//! Takes the values of a file apart. A field that nobody knows is refused: a misspelt assertion must not pass unseen.

use authx_engine::{JsonObject, Problem};

use super::{Key, Node, Place, Value};

/// Problems that are told of one file.
const MAX_PROBLEMS: usize = 100;

/// Characters of a message: it may repeat what the file says.
const MAX_CHARS: usize = 500;

/// Characters of a name that is looked for among others, and names that it is compared with.
const MAX_NAME: usize = 64;
const MAX_NAMES: usize = 1_000;

/// Collects what is wrong with one file, so that all of it is told at once.
pub(crate) struct Fields<'a> {
    code: &'static str,
    file: &'a str,
    pub(crate) problems: Vec<Problem>,
}

/// The fields of a map that were asked for, in the order in which they were.
pub(crate) type Found<'n, const N: usize> = [Option<&'n Node>; N];

impl<'a> Fields<'a> {
    pub(crate) fn new(code: &'static str, file: &'a str) -> Self {
        Self { code, file, problems: Vec::new() }
    }

    pub(crate) fn wrong(&mut self, place: Place, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let message = short(message.into());
            self.problems.push(Problem { file: Some(self.file.to_owned()), ..place.problem(self.code, message) });
        }
    }

    /// As [`Self::wrong`], with what to do.
    pub(crate) fn wrong_with_hint(&mut self, place: Place, message: impl Into<String>, hint: &str) {
        self.wrong(place, message);
        if let Some(problem) = self.problems.last_mut() {
            problem.hint = Some(short(hint.to_owned()));
        }
    }

    /// The fields of a map by their names, null ones as if they were absent; every other field is wrong.
    pub(crate) fn map<'n, const N: usize>(&mut self, node: &'n Node, what: &str, known: [&str; N]) -> Found<'n, N> {
        let mut found = [None; N];
        for (key, value) in self.entries(node, what) {
            match known.iter().position(|name| *name == key.name).and_then(|at| found.get_mut(at)) {
                Some(slot) => *slot = Some(value).filter(|value| value.value != Value::Null),
                None => self.unknown(key, what, &known),
            }
        }
        found
    }

    fn unknown(&mut self, key: &Key, what: &str, known: &[&str]) {
        let message = format!("{what} has no field `{}`", key.name);
        let hint = match nearest(&key.name, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("expected {}", listed(known)),
        };
        self.wrong_with_hint(key.place, message, &hint);
        if let Some(problem) = self.problems.last_mut() {
            problem.length = u32::try_from(key.name.chars().count()).ok();
        }
    }

    /// Every field of a map, whatever its name.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        if let Value::Map(fields) = &node.value {
            return fields;
        }
        self.wrong(node.place, format!("{what} is {}, expected a map", node.kind()));
        &[]
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&mut self, node: Option<&'n Node>, what: &str) -> &'n [Node] {
        let Some(node) = node else { return &[] };
        if let Value::List(items) = &node.value {
            return items;
        }
        self.wrong(node.place, format!("{what} is {}, expected a list", node.kind()));
        &[]
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text { text, .. } => Some(text),
            Value::Number(_) | Value::Bool(_) => {
                let message = format!("{what} is {}, expected a text", node.kind());
                self.wrong_with_hint(node.place, message, "put it into quotes");
                None
            }
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.wrong(node.place, format!("{what} is {}, expected a text", node.kind()));
                None
            }
        }
    }

    /// As [`Self::text`], where nothing may stand.
    pub(crate) fn optional_text(&mut self, node: Option<&Node>, what: &str) -> Option<String> {
        node.and_then(|node| self.text(node, what)).map(str::to_owned)
    }

    /// A field that must be there.
    pub(crate) fn needed<'n>(&mut self, node: &Node, name: &str, found: Option<&'n Node>) -> Option<&'n Node> {
        // Where the node is no map, that has been said.
        if found.is_none() && matches!(node.value, Value::Map(_)) {
            self.wrong(node.place, format!("`{name}` is missing"));
        }
        found
    }

    /// A map of any JSON.
    pub(crate) fn object(&mut self, node: &Node, what: &str) -> JsonObject {
        JsonObject(self.entries(node, what).iter().map(|(key, value)| (key.name.clone(), value.json())).collect())
    }

    pub(crate) fn bool(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.wrong(node.place, format!("{what} is {}, expected `true` or `false`", node.kind()));
        None
    }
}

/// As much of a text as is told.
pub(crate) fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The name that is so close to another that it was probably meant.
pub(crate) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > MAX_NAME {
        return None;
    }
    let short = names.filter(|name| name.len() <= MAX_NAME).take(MAX_NAMES);
    let near = short.map(|name| (strsim::levenshtein(name, text), name)).min();
    near.filter(|(distance, _)| *distance <= 2).map(|(_, name)| name)
}

/// `` `a`, `b` or `c` ``
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
