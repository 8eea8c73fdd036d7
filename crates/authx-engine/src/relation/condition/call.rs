//! What the functions do.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not taken is refused, whichever it is")]

use std::rc::Rc;

use super::address::{Network, parse_address};
use super::convert::shown;
use super::cost::{Fault, Meter};
use super::function::Function;
use super::number::{double_text, double_to_int, double_to_uint, int_to_double, uint_to_double};
use super::pattern::Pattern;
use super::time::{Duration, Part, Timestamp, parse_zone};
use super::value::{BytesValue, Text, Value};

pub(super) fn call<'a>(function: Function, arguments: &[Value<'a>], meter: &mut Meter) -> Result<Value<'a>, Fault> {
    let result = match (function, arguments) {
        (Function::Size, [value]) => size(value, meter)?,
        (Function::StartsWith, [Value::String(text), Value::String(part)]) => {
            meter.spend_text(part.len())?;
            Some(Value::Bool(text.starts_with(&**part)))
        }
        (Function::EndsWith, [Value::String(text), Value::String(part)]) => {
            meter.spend_text(part.len())?;
            Some(Value::Bool(text.ends_with(&**part)))
        }
        (Function::Contains, [Value::String(text), Value::String(part)]) => {
            meter.spend_text(text.len() + part.len())?;
            Some(Value::Bool(text.contains(&**part)))
        }
        (Function::Matches, [Value::String(text), Value::String(pattern)]) => {
            let pattern = Pattern::compile_small(pattern, meter)?;
            meter.spend(pattern.cost(text.len()))?;
            Some(Value::Bool(pattern.regex.is_match(text)))
        }
        (Function::IpAddress, [Value::String(text)]) => {
            Some(Value::Ip(parse_address(text).ok_or_else(|| malformed("IP address", text))?))
        }
        (Function::InCidr, [Value::Ip(address), Value::String(text)]) => {
            let network = Network::parse(text).ok_or_else(|| malformed("CIDR", text))?;
            Some(Value::Bool(network.contains(*address)))
        }
        (Function::Part(part), [Value::Timestamp(time)]) => Some(Value::Int(time.part(part, 0))),
        (Function::Part(part), [Value::Timestamp(time), Value::String(zone)]) => {
            let offset = parse_zone(zone).ok_or_else(|| malformed("time zone", zone))?;
            Some(Value::Int(time.part(part, offset)))
        }
        (Function::Part(part), [Value::Duration(span)]) => part_of_duration(part, *span),
        (Function::ToDyn, [value]) => Some(value.clone()),
        (_, [value]) => convert(function, value, meter)?,
        _ => None,
    };
    result.ok_or_else(|| {
        let found: Vec<&str> = arguments.iter().map(Value::type_name).collect();
        Fault::failed(format!("a function does not take ({})", found.join(", ")))
    })
}

fn size<'a>(value: &Value<'_>, meter: &mut Meter) -> Result<Option<Value<'a>>, Fault> {
    let size = match value {
        Value::String(text) => {
            meter.spend_text(text.len())?;
            text.chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        _ => return Ok(None),
    };
    Ok(i64::try_from(size).ok().map(Value::Int))
}

fn part_of_duration<'a>(part: Part, span: Duration) -> Option<Value<'a>> {
    span.part(part).map(Value::Int)
}

/// `None`: the function does not take this type.
fn convert<'a>(function: Function, value: &Value<'a>, meter: &mut Meter) -> Result<Option<Value<'a>>, Fault> {
    if let Value::String(text) = value {
        meter.spend_text(text.len())?;
    }
    match function {
        Function::ToInt => to_int(value),
        Function::ToUint => to_uint(value),
        Function::ToDouble => to_double(value),
        Function::ToString => to_string(value, meter),
        Function::ToBytes => Ok(to_bytes(value)),
        Function::ToBool => to_bool(value),
        Function::ToDuration => to_duration(value),
        Function::ToTimestamp => to_timestamp(value),
        Function::Size
        | Function::StartsWith
        | Function::EndsWith
        | Function::Contains
        | Function::Matches
        | Function::ToDyn
        | Function::Part(_)
        | Function::IpAddress
        | Function::InCidr => Ok(None),
    }
}

type Converted<'a> = Result<Option<Value<'a>>, Fault>;

fn to_int<'a>(value: &Value<'a>) -> Converted<'a> {
    let int = match value {
        Value::Int(value) => Some(*value),
        Value::Uint(value) => i64::try_from(*value).ok(),
        Value::Double(value) => double_to_int(*value),
        Value::String(text) => Some(text.parse().map_err(|_| malformed("int", text))?),
        Value::Timestamp(time) => Some(time.seconds()),
        Value::Duration(span) => Some(span.0),
        _ => return Ok(None),
    };
    int.map(|int| Some(Value::Int(int))).ok_or_else(|| out_of_range("int"))
}

fn to_uint<'a>(value: &Value<'a>) -> Converted<'a> {
    let uint = match value {
        Value::Uint(value) => Some(*value),
        Value::Int(value) => u64::try_from(*value).ok(),
        Value::Double(value) => double_to_uint(*value).filter(|_| *value >= 0.0),
        Value::String(text) => Some(text.parse().map_err(|_| malformed("uint", text))?),
        _ => return Ok(None),
    };
    uint.map(|uint| Some(Value::Uint(uint))).ok_or_else(|| out_of_range("uint"))
}

fn to_double<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(Some(Value::Double(match value {
        Value::Double(value) => *value,
        Value::Int(value) => int_to_double(*value),
        Value::Uint(value) => uint_to_double(*value),
        Value::String(text) => text.parse().map_err(|_| malformed("double", text))?,
        _ => return Ok(None),
    })))
}

fn to_string<'a>(value: &Value<'a>, meter: &mut Meter) -> Converted<'a> {
    Ok(Some(match value {
        Value::String(_) => value.clone(),
        Value::Bool(value) => Value::String(Text::Borrowed(if *value { "true" } else { "false" })),
        Value::Int(value) => Value::text(value.to_string()),
        Value::Uint(value) => Value::text(value.to_string()),
        Value::Double(value) => Value::text(double_text(*value)),
        Value::Timestamp(time) => Value::text(time.text()),
        Value::Duration(span) => Value::text(span.text()),
        Value::Bytes(bytes) => {
            meter.spend_text(bytes.len())?;
            let text = std::str::from_utf8(bytes).map_err(|_| Fault::failed("the bytes are not unicode"))?;
            Value::text(text)
        }
        Value::Null | Value::Ip(_) | Value::List(_) | Value::Map(_) => return Ok(None),
    }))
}

fn to_bytes<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::Bytes(_) => Some(value.clone()),
        Value::String(Text::Borrowed(text)) => Some(Value::Bytes(BytesValue::Borrowed(text.as_bytes()))),
        Value::String(Text::Built(text)) => Some(Value::Bytes(BytesValue::Built(Rc::from(text.as_bytes())))),
        _ => None,
    }
}

fn to_bool<'a>(value: &Value<'a>) -> Converted<'a> {
    match value {
        Value::Bool(_) => Ok(Some(value.clone())),
        Value::String(text) => match &**text {
            "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(Some(Value::Bool(true))),
            "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(Some(Value::Bool(false))),
            other => Err(malformed("bool", other)),
        },
        _ => Ok(None),
    }
}

fn to_duration<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(Some(Value::Duration(match value {
        Value::Duration(span) => *span,
        Value::String(text) => Duration::parse(text).ok_or_else(|| malformed("duration", text))?,
        _ => return Ok(None),
    })))
}

fn to_timestamp<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(Some(Value::Timestamp(match value {
        Value::Timestamp(time) => *time,
        Value::Int(seconds) => Timestamp::from_seconds(*seconds).ok_or_else(|| out_of_range("timestamp"))?,
        Value::String(text) => Timestamp::parse(text).ok_or_else(|| malformed("timestamp", text))?,
        _ => return Ok(None),
    })))
}

fn malformed(what: &str, text: &str) -> Fault {
    Fault::failed(format!("malformed {what} `{}`", shown(text)))
}

fn out_of_range(what: &str) -> Fault {
    Fault::failed(format!("the value is out of the range of {what}"))
}
