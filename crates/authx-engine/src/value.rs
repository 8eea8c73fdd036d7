//! Between JSON and Cedar values.
//!
//! A declared type guides reading: an entity may then be `{"type","id"}`, an extension value its constructor's text,
//! and a decimal a number. Without a type Cedar's escapes `__entity` and `__extn` say what a value is.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json, json};
use smol_str::SmolStr;

use crate::cedar::{
    AttributeType, CedarValueJson, EntityType, EntityUID, Literal, Name, SchemaType, Set, Value, ValueKind,
    construct_extension,
};
use crate::uid::EntityUid;

/// What is wrong with one value of a request or a write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct InputProblem {
    /// A JSON pointer into the body.
    pub pointer: String,
    pub code: &'static str,
    pub message: String,
}

/// The most members that one set may have.
pub const MAX_SET_MEMBERS: usize = 10_000;

impl InputProblem {
    /// Whether the value is well-formed but says what only tuples may say.
    #[must_use]
    pub fn is_forged(&self) -> bool {
        matches!(self.code, "reserved_name" | "linked_parent")
    }

    /// Whether the value is well-formed but over a limit.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self.code, "set_too_large" | "too_many_parents" | "too_many_tuples")
    }
}

/// Where a value stands; built into a pointer only when something is wrong.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Root(&'a str),
    Key(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    pub(crate) fn pointer(&self) -> String {
        match self {
            Self::Root(root) => (*root).to_owned(),
            Self::Key(parent, key) => format!("{}/{}", parent.pointer(), key.replace('~', "~0").replace('/', "~1")),
            Self::Item(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }

    pub(crate) fn problem(&self, code: &'static str, message: impl Into<String>) -> InputProblem {
        InputProblem { pointer: self.pointer(), code, message: message.into() }
    }
}

/// What reading found beside the values.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<InputProblem>,
    /// Pointers of keys that the schema does not declare; they were dropped.
    pub(crate) undeclared: Vec<String>,
}

impl Findings {
    /// What is forged fits no schema either: that is not told again of the same place.
    pub(crate) fn tell_forged_once(&mut self) {
        let is_forged = InputProblem::is_forged;
        let forged: Vec<String> = self.problems.iter().filter(|p| is_forged(p)).map(|p| p.pointer.clone()).collect();
        if !forged.is_empty() {
            self.problems.retain(|problem| is_forged(problem) || !forged.contains(&problem.pointer));
        }
    }
}

/// Whether a key that the schema does not declare is dropped or is a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undeclared {
    Drop,
    Refuse,
}

/// Reads values; collects every problem instead of stopping at the first.
pub(crate) struct Reader<'f> {
    pub(crate) findings: &'f mut Findings,
    pub(crate) undeclared: Undeclared,
    /// Tells whether an id may be used for a value of its type (enumerated types list their ids).
    pub(crate) admits: &'f dyn Fn(&EntityUID) -> bool,
}

impl Reader<'_> {
    fn fail(&mut self, place: &Place<'_>, code: &'static str, message: impl Into<String>) -> Option<ValueKind> {
        self.findings.problems.push(place.problem(code, message));
        None
    }

    /// Reads one value. `None` when it is null or wrong; a wrong one is among the problems.
    pub(crate) fn read(&mut self, json: &Json, expected: Option<&SchemaType>, place: &Place<'_>) -> Option<ValueKind> {
        if json.is_null() {
            return None;
        }
        match expected {
            None => self.read_untyped(json, place),
            Some(expected) => self.read_typed(json, expected, place),
        }
    }

    fn read_untyped(&mut self, json: &Json, place: &Place<'_>) -> Option<ValueKind> {
        match json {
            Json::Null => None,
            Json::Bool(b) => Some(ValueKind::Lit(Literal::Bool(*b))),
            Json::Number(n) => match n.as_i64() {
                Some(n) => Some(ValueKind::Lit(Literal::Long(n))),
                None => self.fail(place, "invalid_number", format!("`{n}` is no 64-bit integer; write a decimal as {{\"__extn\":{{\"fn\":\"decimal\",\"arg\":\"1.23\"}}}}")),
            },
            Json::String(s) => Some(ValueKind::Lit(Literal::String(SmolStr::new(s)))),
            Json::Array(items) => self.read_set(items, None, place),
            Json::Object(map) => match escape(map) {
                Some(Escape::Entity(inner)) => self.read_entity(inner, place),
                Some(Escape::Extension(inner)) => self.read_extension(inner, place),
                Some(Escape::Refused(key)) => self.fail(place, "invalid_value", format!("`{key}` is not accepted")),
                None => Some(ValueKind::Record(std::sync::Arc::new(self.read_fields(map, place)))),
            },
        }
    }

    fn read_fields(&mut self, map: &Map<String, Json>, place: &Place<'_>) -> BTreeMap<SmolStr, Value> {
        let mut fields = BTreeMap::new();
        for (key, value) in map {
            if let Some(kind) = self.read(value, None, &Place::Key(place, key)) {
                fields.insert(SmolStr::new(key), Value::new(kind, None));
            }
        }
        fields
    }

    fn read_set(&mut self, items: &[Json], element: Option<&SchemaType>, place: &Place<'_>) -> Option<ValueKind> {
        if items.len() > MAX_SET_MEMBERS {
            let message = format!("a set has {} members, more than {MAX_SET_MEMBERS}", items.len());
            return self.fail(place, "set_too_large", message);
        }
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = Place::Item(place, index);
            if item.is_null() {
                return self.fail(&place, "invalid_value", "a set has no null members");
            }
            values.push(Value::new(self.read(item, element, &place)?, None));
        }
        Some(ValueKind::Set(Set::new(values)))
    }

    fn read_typed(&mut self, json: &Json, expected: &SchemaType, place: &Place<'_>) -> Option<ValueKind> {
        match (expected, json) {
            (SchemaType::Bool, Json::Bool(b)) => Some(ValueKind::Lit(Literal::Bool(*b))),
            (SchemaType::String, Json::String(s)) => Some(ValueKind::Lit(Literal::String(SmolStr::new(s)))),
            (SchemaType::Long, Json::Number(n)) => match n.as_i64() {
                Some(n) => Some(ValueKind::Lit(Literal::Long(n))),
                None => self.fail(place, "invalid_number", format!("`{n}` is no 64-bit integer")),
            },
            (SchemaType::Set { element_ty }, Json::Array(items)) => self.read_set(items, Some(element_ty), place),
            (SchemaType::EmptySet, Json::Array(items)) if items.is_empty() => self.read_set(items, None, place),
            (SchemaType::Record { attrs, open_attrs }, Json::Object(map)) => {
                let record =
                    self.read_record(map, &|key| attrs.get(key).map(AttributeType::schema_type), *open_attrs, place);
                for (name, attribute) in attrs {
                    if attribute.is_required() && map.get(name.as_str()).is_none_or(Json::is_null) {
                        self.fail(place, "missing_attribute", format!("`{name}` is required"));
                    }
                }
                Some(ValueKind::Record(std::sync::Arc::new(record)))
            }
            (SchemaType::Entity { ty }, Json::Object(_)) => self.read_typed_entity(json, ty, place),
            (SchemaType::Extension { name }, _) => self.read_typed_extension(json, name, place),
            _ => self.fail(place, "wrong_type", format!("expected {}, found {}", name_of(expected), kind_of(json))),
        }
    }

    /// Reads an object's keys by their declared types.
    pub(crate) fn read_record<'t>(
        &mut self,
        map: &Map<String, Json>,
        declared: &dyn Fn(&str) -> Option<&'t SchemaType>,
        open: bool,
        place: &Place<'_>,
    ) -> BTreeMap<SmolStr, Value> {
        let mut record = BTreeMap::new();
        for (key, value) in map {
            let place = Place::Key(place, key);
            let expected = declared(key);
            if expected.is_none() && !open {
                match self.undeclared {
                    Undeclared::Drop => self.findings.undeclared.push(place.pointer()),
                    Undeclared::Refuse => {
                        self.fail(&place, "undeclared_attribute", format!("the schema does not declare `{key}`"));
                    }
                }
                continue;
            }
            if let Some(kind) = self.read(value, expected, &place) {
                record.insert(SmolStr::new(key), Value::new(kind, None));
            }
        }
        record
    }

    fn read_entity(&mut self, json: &Json, place: &Place<'_>) -> Option<ValueKind> {
        match serde_json::from_value::<EntityUid>(json.clone()) {
            Ok(uid) => Some(ValueKind::Lit(Literal::EntityUID(std::sync::Arc::new(uid.0)))),
            Err(error) => self.fail(place, "invalid_entity", error.to_string()),
        }
    }

    fn read_typed_entity(&mut self, json: &Json, ty: &EntityType, place: &Place<'_>) -> Option<ValueKind> {
        let kind = self.read_entity(json, place)?;
        if let ValueKind::Lit(Literal::EntityUID(uid)) = &kind {
            if uid.entity_type() != ty {
                return self.fail(place, "wrong_type", format!("expected an entity of type `{ty}`, found `{uid}`"));
            }
            if !(self.admits)(uid) {
                return self.fail(
                    place,
                    "unknown_entity",
                    format!("`{uid}` is not among the ids that the schema lists"),
                );
            }
        }
        Some(kind)
    }

    /// `{"fn":"ip","arg":"10.0.0.1"}`, or `args` for more than one argument.
    fn read_extension(&mut self, json: &Json, place: &Place<'_>) -> Option<ValueKind> {
        let form = "an extension value is {\"fn\":…,\"arg\":…}";
        let Json::Object(map) = json else { return self.fail(place, "invalid_value", form) };
        let Some(function) = map.get("fn").and_then(Json::as_str) else {
            return self.fail(place, "invalid_value", form);
        };
        let arguments: Vec<&Json> = match (map.get("arg"), map.get("args"), map.len()) {
            (Some(one), None, 2) => vec![one],
            (None, Some(Json::Array(several)), 2) => several.iter().collect(),
            _ => return self.fail(place, "invalid_value", form),
        };
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let Some(kind) = self.read(argument, None, place) else {
                return self.fail(place, "invalid_value", form);
            };
            values.push(Value::new(kind, None));
        }
        match construct_extension(function, &values) {
            Ok(value) => Some(value.value),
            Err(message) => self.fail(place, "invalid_value", message),
        }
    }

    fn read_typed_extension(&mut self, json: &Json, name: &Name, place: &Place<'_>) -> Option<ValueKind> {
        let type_name = name.to_string();
        let constructor = if type_name == "ipaddr" { "ip" } else { type_name.as_str() };
        let text = match json {
            Json::String(text) => text.clone(),
            Json::Number(number) if type_name == "decimal" => match decimal_text(number) {
                Some(text) => text,
                None => {
                    return self.fail(
                        place,
                        "invalid_number",
                        format!(
                            "`{number}` is no decimal with at most 4 digits behind the point; write it as a string"
                        ),
                    );
                }
            },
            Json::Object(map) => {
                let inner = map.get("__extn").filter(|_| map.len() == 1).unwrap_or(json);
                let kind = self.read_extension(inner, place)?;
                let is_expected = matches!(&kind, ValueKind::ExtensionValue(v) if v.typename() == *name);
                if !is_expected {
                    return self.fail(place, "wrong_type", format!("expected {type_name}"));
                }
                return Some(kind);
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => {
                return self.fail(place, "wrong_type", format!("expected {type_name}, found {}", kind_of(json)));
            }
        };
        match construct_extension(constructor, &[Value::from(text.as_str())]) {
            Ok(value) => Some(value.value),
            Err(message) => self.fail(place, "invalid_value", message),
        }
    }
}

enum Escape<'a> {
    Entity(&'a Json),
    Extension(&'a Json),
    Refused(&'a str),
}

fn escape(map: &Map<String, Json>) -> Option<Escape<'_>> {
    let (key, value) = map.iter().next().filter(|_| map.len() == 1)?;
    match key.as_str() {
        "__entity" => Some(Escape::Entity(value)),
        "__extn" => Some(Escape::Extension(value)),
        "__expr" => Some(Escape::Refused(key)),
        _ => None,
    }
}

/// A JSON number as a decimal's text, while a double still holds all of its digits.
fn decimal_text(number: &Number) -> Option<String> {
    if let Some(whole) = number.as_i64() {
        return Some(format!("{whole}.0"));
    }
    let value = number.as_f64().filter(|v| v.abs() < 1e11)?;
    let text = format!("{value}");
    let (_, digits) = text.split_once('.')?;
    (digits.len() <= 4).then_some(text)
}

/// The value in Cedar's JSON, with escapes.
pub(crate) fn to_json(value: &Value) -> Json {
    match &value.value {
        ValueKind::Lit(Literal::Bool(b)) => Json::Bool(*b),
        ValueKind::Lit(Literal::Long(n)) => Json::from(*n),
        ValueKind::Lit(Literal::String(s)) => Json::from(s.as_str()),
        ValueKind::Lit(Literal::EntityUID(uid)) => {
            json!({"__entity": {"type": uid.entity_type().to_string(), "id": AsRef::<str>::as_ref(uid.eid())}})
        }
        ValueKind::Set(set) => set.iter().map(to_json).collect(),
        ValueKind::Record(map) => Json::Object(map.iter().map(|(k, v)| (k.to_string(), to_json(v))).collect()),
        ValueKind::ExtensionValue(_) => CedarValueJson::from_valuekind(value.value.clone())
            .ok()
            .and_then(|value| serde_json::to_value(value).ok())
            .unwrap_or(Json::Null),
    }
}

fn name_of(ty: &SchemaType) -> String {
    match ty {
        SchemaType::Bool => "a boolean".to_owned(),
        SchemaType::Long => "an integer".to_owned(),
        SchemaType::String => "a string".to_owned(),
        SchemaType::Set { .. } => "an array".to_owned(),
        SchemaType::EmptySet => "an empty array".to_owned(),
        SchemaType::Record { .. } => "an object".to_owned(),
        SchemaType::Entity { ty } => format!("an entity {{\"type\":\"{ty}\",\"id\":…}}"),
        SchemaType::Extension { name } => name.to_string(),
    }
}

fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
