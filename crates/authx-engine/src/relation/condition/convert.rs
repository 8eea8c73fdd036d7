//! Reads the JSON of a context as the types that a condition declares. Numbers are doubles there; whole numbers,
//! doubles, durations, timestamps and addresses may also be written as strings.

use serde_json::Value as Json;

use super::address::parse_address;
use super::cost::{Fault, Meter};
use super::number::{double_to_int, double_to_uint, parse_decimal, parse_whole};
use super::time::{Duration, Timestamp};
use super::types::type_name;
use super::value::{ListValue, MapValue, Text, Value};
use crate::relation::model::ParameterType;

/// How much of a malformed string a message repeats, in characters.
const SHOWN: usize = 64;

/// The value of a parameter, with everything inside it checked.
///
/// # Errors
/// Says what was expected and what was found.
pub(super) fn convert<'a>(json: &'a Json, kind: &'a ParameterType, meter: &mut Meter) -> Result<Value<'a>, Fault> {
    check_items(json, kind, meter)?;
    Value::of_item(json, kind)
}

/// Whether what a list or map holds has the right type. Its own type is not looked at.
fn check_items(json: &Json, kind: &ParameterType, meter: &mut Meter) -> Result<(), Fault> {
    match (json, kind) {
        (Json::Array(items), ParameterType::List(inner)) => {
            for (index, item) in items.iter().enumerate() {
                check(item, inner, meter).map_err(|fault| within(fault, || format!("item {index}")))?;
            }
        }
        (Json::Object(fields), ParameterType::Map(inner)) => {
            for (key, value) in fields {
                check(value, inner, meter).map_err(|fault| within(fault, || format!("key `{}`", shown(key))))?;
            }
        }
        (Json::String(text), kind) if *kind != ParameterType::String => meter.spend_text(text.len())?,
        _ => {}
    }
    Ok(())
}

fn check(json: &Json, kind: &ParameterType, meter: &mut Meter) -> Result<(), Fault> {
    meter.spend(1)?;
    check_items(json, kind, meter)?;
    Value::of_item(json, kind).map(|_| ())
}

fn within(fault: Fault, place: impl FnOnce() -> String) -> Fault {
    match fault {
        Fault::OverBudget => Fault::OverBudget,
        Fault::Failed(message) => Fault::Failed(format!("{}: {message}", place())),
    }
}

impl<'a> Value<'a> {
    /// The value of what stands in a context. The items of a list and the values of a map are not looked at.
    pub(super) fn of_item(json: &'a Json, kind: &'a ParameterType) -> Result<Self, Fault> {
        let value = match kind {
            ParameterType::Any => return Ok(Self::any(json)),
            ParameterType::Bool => json.as_bool().map(Self::Bool),
            ParameterType::String => json.as_str().map(|text| Self::String(Text::Borrowed(text))),
            ParameterType::Int => whole(json, double_to_int).map(Self::Int),
            ParameterType::Uint => whole(json, double_to_uint).map(Self::Uint),
            ParameterType::Double => json.as_f64().or_else(|| json.as_str().and_then(parse_decimal)).map(Self::Double),
            ParameterType::Duration => json.as_str().and_then(Duration::parse).map(Self::Duration),
            ParameterType::Timestamp => json.as_str().and_then(Timestamp::parse).map(Self::Timestamp),
            ParameterType::IpAddress => json.as_str().and_then(parse_address).map(Self::Ip),
            ParameterType::List(inner) => json.as_array().map(|items| Self::List(ListValue::Json(items, inner))),
            ParameterType::Map(inner) => json.as_object().map(|fields| Self::Map(MapValue::Json(fields, inner))),
        };
        value.ok_or_else(|| Fault::failed(format!("expected {}, found {}", expected(kind), found(json))))
    }

    fn any(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::String(Text::Borrowed(text)),
            Json::Array(items) => Self::List(ListValue::Json(items, &ParameterType::Any)),
            Json::Object(fields) => Self::Map(MapValue::Json(fields, &ParameterType::Any)),
        }
    }
}

fn whole<T: TryFrom<i128>>(json: &Json, of_double: impl FnOnce(f64) -> Option<T>) -> Option<T> {
    if let Some(text) = json.as_str() {
        return parse_whole(text).and_then(|number| T::try_from(number).ok());
    }
    json.as_f64().filter(|number| number.fract() == 0.0).and_then(of_double)
}

fn expected(kind: &ParameterType) -> String {
    let name = type_name(kind);
    match kind {
        ParameterType::Duration => format!("{name} (a string such as `1h30m`)"),
        ParameterType::Timestamp => format!("{name} (a string of RFC 3339)"),
        ParameterType::IpAddress => format!("{name} (a string)"),
        ParameterType::Any
        | ParameterType::Bool
        | ParameterType::String
        | ParameterType::Int
        | ParameterType::Uint
        | ParameterType::Double
        | ParameterType::List(_)
        | ParameterType::Map(_) => name,
    }
}

fn found(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(_) => "a bool".to_owned(),
        Json::Number(number) => format!("the number `{number}`"),
        Json::String(text) => format!("the string `{}`", shown(text)),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a map".to_owned(),
    }
}

/// The beginning of a text that may be long.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}
