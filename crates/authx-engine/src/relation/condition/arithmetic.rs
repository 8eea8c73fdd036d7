//! `+ - * / %`. What does not fit its type is an error: nothing wraps.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not taken is refused, whichever it is")]

use std::rc::Rc;

use super::ast::BinaryOp;
use super::cost::{Fault, Meter};
use super::value::{BytesValue, ListValue, Value};

pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, Fault> {
    match value {
        Value::Int(value) => value.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Double(value) => Ok(Value::Double(-value)),
        other => Err(Fault::failed(format!("`-` does not take {}", other.type_name()))),
    }
}

pub(super) fn arithmetic<'a>(
    op: BinaryOp,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &mut Meter,
) -> Result<Value<'a>, Fault> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => int(op, *left, *right),
        (Value::Uint(left), Value::Uint(right)) => uint(op, *left, *right),
        (Value::Double(left), Value::Double(right)) => double(op, *left, *right),
        _ => match op {
            BinaryOp::Add => add(left, right, meter),
            BinaryOp::Subtract => subtract(left, right),
            _ => None,
        },
    }
    .unwrap_or_else(|| {
        let (left, right) = (left.type_name(), right.type_name());
        Err(Fault::failed(format!("`{}` does not take {left} and {right}", op.symbol())))
    })
}

/// `None`: the operator does not take these types.
type Computed<'a> = Option<Result<Value<'a>, Fault>>;

fn int<'a>(op: BinaryOp, left: i64, right: i64) -> Computed<'a> {
    let result = match op {
        BinaryOp::Add => left.checked_add(right),
        BinaryOp::Subtract => left.checked_sub(right),
        BinaryOp::Multiply => left.checked_mul(right),
        BinaryOp::Divide | BinaryOp::Remainder if right == 0 => return Some(Err(by_zero())),
        BinaryOp::Divide => left.checked_div(right),
        BinaryOp::Remainder => left.checked_rem(right),
        _ => return None,
    };
    Some(result.map(Value::Int).ok_or_else(overflow))
}

fn uint<'a>(op: BinaryOp, left: u64, right: u64) -> Computed<'a> {
    let result = match op {
        BinaryOp::Add => left.checked_add(right),
        BinaryOp::Subtract => left.checked_sub(right),
        BinaryOp::Multiply => left.checked_mul(right),
        BinaryOp::Divide | BinaryOp::Remainder if right == 0 => return Some(Err(by_zero())),
        BinaryOp::Divide => left.checked_div(right),
        BinaryOp::Remainder => left.checked_rem(right),
        _ => return None,
    };
    Some(result.map(Value::Uint).ok_or_else(overflow))
}

fn double<'a>(op: BinaryOp, left: f64, right: f64) -> Computed<'a> {
    let result = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide => left / right,
        _ => return None,
    };
    Some(Ok(Value::Double(result)))
}

fn add<'a>(left: &Value<'a>, right: &Value<'a>, meter: &mut Meter) -> Computed<'a> {
    Some(match (left, right) {
        (Value::String(left), Value::String(right)) => {
            meter.spend_text(left.len() + right.len()).map(|()| Value::text([&**left, &**right].concat()))
        }
        (Value::Bytes(left), Value::Bytes(right)) => meter
            .spend_text(left.len() + right.len())
            .map(|()| Value::Bytes(BytesValue::Built(Rc::from([&**left, &**right].concat())))),
        (Value::List(left), Value::List(right)) => join_lists(left, right, meter),
        (Value::Duration(left), Value::Duration(right)) => {
            left.checked_add(*right).map(Value::Duration).ok_or_else(overflow)
        }
        (Value::Timestamp(time), Value::Duration(span)) | (Value::Duration(span), Value::Timestamp(time)) => {
            time.checked_add(*span).map(Value::Timestamp).ok_or_else(overflow)
        }
        _ => return None,
    })
}

fn join_lists<'a>(left: &ListValue<'a>, right: &ListValue<'a>, meter: &mut Meter) -> Result<Value<'a>, Fault> {
    meter.spend(left.len() + right.len())?;
    let items: Result<Vec<_>, Fault> =
        [left, right].into_iter().flat_map(|list| (0..list.len()).filter_map(|index| list.get(index))).collect();
    Ok(Value::List(ListValue::Built(items?.into())))
}

fn subtract<'a>(left: &Value<'a>, right: &Value<'a>) -> Computed<'a> {
    Some(match (left, right) {
        (Value::Duration(left), Value::Duration(right)) => {
            left.checked_sub(*right).map(Value::Duration).ok_or_else(overflow)
        }
        (Value::Timestamp(time), Value::Duration(span)) => {
            time.checked_sub(*span).map(Value::Timestamp).ok_or_else(overflow)
        }
        (Value::Timestamp(left), Value::Timestamp(right)) => {
            left.since(*right).map(Value::Duration).ok_or_else(overflow)
        }
        _ => return None,
    })
}

fn overflow() -> Fault {
    Fault::failed("the result is out of range")
}

fn by_zero() -> Fault {
    Fault::failed("division by zero")
}
