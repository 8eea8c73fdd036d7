//! What an expression computes with. Values of a context stay where they are: text, lists and maps are borrowed, and
//! the items of a list are read when they are needed.

use core::net::IpAddr;
use std::ops::Deref;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::ast::Literal;
use super::cost::{Fault, Meter};
use super::number::{Number, compare};
use super::time::{Duration, Timestamp};
use crate::relation::model::ParameterType;

/// How deep two values are compared.
const MAX_VALUE_DEPTH: usize = 128;

#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Text<'a>),
    Bytes(BytesValue<'a>),
    Duration(Duration),
    Timestamp(Timestamp),
    Ip(IpAddr),
    List(ListValue<'a>),
    Map(MapValue<'a>),
}

#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Built(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Built(text) => text,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum BytesValue<'a> {
    Borrowed(&'a [u8]),
    Built(Rc<[u8]>),
}

impl Deref for BytesValue<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Built(bytes) => bytes,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum ListValue<'a> {
    /// Of a context, with the type that its items have.
    Json(&'a [Json], &'a ParameterType),
    Built(Rc<[Value<'a>]>),
}

#[derive(Debug, Clone)]
pub(super) enum MapValue<'a> {
    /// Of a context, with the type that its values have.
    Json(&'a Map<String, Json>, &'a ParameterType),
    /// In the order of the expression.
    Built(Rc<[(Value<'a>, Value<'a>)]>),
}

impl<'a> Value<'a> {
    pub(super) fn literal(literal: &'a Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(value) => Self::Bool(*value),
            Literal::Int(value) => Self::Int(*value),
            Literal::Uint(value) => Self::Uint(*value),
            Literal::Double(value) => Self::Double(*value),
            Literal::String(value) => Self::String(Text::Borrowed(value)),
            Literal::Bytes(value) => Self::Bytes(BytesValue::Borrowed(value)),
        }
    }

    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::String(Text::Built(text.into()))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Duration(_) => "duration",
            Self::Timestamp(_) => "timestamp",
            Self::Ip(_) => "ipaddress",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Self::Int(value) => Some(Number::Int(*value)),
            Self::Uint(value) => Some(Number::Uint(*value)),
            Self::Double(value) => Some(Number::Double(*value)),
            Self::Null
            | Self::Bool(_)
            | Self::String(_)
            | Self::Bytes(_)
            | Self::Duration(_)
            | Self::Timestamp(_)
            | Self::Ip(_)
            | Self::List(_)
            | Self::Map(_) => None,
        }
    }
}

impl<'a> ListValue<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(items, _) => items.len(),
            Self::Built(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Result<Value<'a>, Fault>> {
        match self {
            Self::Json(items, kind) => items.get(index).map(|item| Value::of_item(item, kind)),
            Self::Built(items) => items.get(index).cloned().map(Ok),
        }
    }
}

impl<'a> MapValue<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(fields, _) => fields.len(),
            Self::Built(entries) => entries.len(),
        }
    }

    pub(super) fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Self::Json(fields, _) => fields.keys().map(|key| Value::String(Text::Borrowed(key))).collect(),
            Self::Built(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }

    pub(super) fn get(&self, key: &Value<'a>, meter: &mut Meter) -> Result<Option<Value<'a>>, Fault> {
        match self {
            Self::Json(fields, kind) => {
                let Value::String(key) = key else { return Ok(None) };
                meter.spend_text(key.len())?;
                fields.get(&**key).map(|value| Value::of_item(value, kind)).transpose()
            }
            Self::Built(entries) => {
                for (candidate, value) in entries.iter() {
                    if equal(candidate, key, meter)? {
                        return Ok(Some(value.clone()));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// Whether two values are the same. Numbers of different types are when they are the same number; other values of
/// different types are not.
pub(super) fn equal<'a>(left: &Value<'a>, right: &Value<'a>, meter: &mut Meter) -> Result<bool, Fault> {
    equal_within(left, right, meter, MAX_VALUE_DEPTH)
}

fn equal_within<'a>(left: &Value<'a>, right: &Value<'a>, meter: &mut Meter, depth: usize) -> Result<bool, Fault> {
    meter.spend(1)?;
    let depth = depth.checked_sub(1).ok_or_else(|| Fault::failed("the values are nested too deep to be compared"))?;
    if let (Some(left), Some(right)) = (left.number(), right.number()) {
        return Ok(compare(left, right).is_some_and(std::cmp::Ordering::is_eq));
    }
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => {
            meter.spend_text(left.len().min(right.len()))?;
            **left == **right
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            meter.spend_text(left.len().min(right.len()))?;
            **left == **right
        }
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::Ip(left), Value::Ip(right)) => left == right,
        (Value::List(left), Value::List(right)) => return equal_lists(left, right, meter, depth),
        (Value::Map(left), Value::Map(right)) => return equal_maps(left, right, meter, depth),
        _ => false,
    })
}

fn equal_lists<'a>(
    left: &ListValue<'a>,
    right: &ListValue<'a>,
    meter: &mut Meter,
    depth: usize,
) -> Result<bool, Fault> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for index in 0..left.len() {
        if let (Some(left), Some(right)) = (left.get(index), right.get(index))
            && !equal_within(&left?, &right?, meter, depth)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps<'a>(left: &MapValue<'a>, right: &MapValue<'a>, meter: &mut Meter, depth: usize) -> Result<bool, Fault> {
    if left.len() != right.len() {
        return Ok(false);
    }
    meter.spend(left.len())?;
    for key in left.keys() {
        let (Some(left), Some(right)) = (left.get(&key, meter)?, right.get(&key, meter)?) else { return Ok(false) };
        if !equal_within(&left, &right, meter, depth)? {
            return Ok(false);
        }
    }
    Ok(true)
}
