//! The functions and operators that exist, and which types they take.

use super::ast::BinaryOp;
use super::time::Part;
use super::types::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
    ToInt,
    ToUint,
    ToDouble,
    ToString,
    ToBytes,
    ToBool,
    ToDuration,
    ToTimestamp,
    ToDyn,
    Part(Part),
    IpAddress,
    InCidr,
}

impl Function {
    /// Whether it makes one type of another.
    pub(super) fn converts(self) -> bool {
        match self {
            Self::ToInt
            | Self::ToUint
            | Self::ToDouble
            | Self::ToString
            | Self::ToBytes
            | Self::ToBool
            | Self::ToDuration
            | Self::ToTimestamp => true,
            Self::Size
            | Self::StartsWith
            | Self::EndsWith
            | Self::Contains
            | Self::Matches
            | Self::ToDyn
            | Self::Part(_)
            | Self::IpAddress
            | Self::InCidr => false,
        }
    }
}

/// One way of calling a function.
pub(super) struct Overload {
    pub(super) function: Function,
    /// With the receiver, if there is one.
    pub(super) takes: &'static [Kind],
    pub(super) gives: Kind,
}

const fn overload(function: Function, takes: &'static [Kind], gives: Kind) -> Overload {
    Overload { function, takes, gives }
}

const SIZE: &[Overload] = &[
    overload(Function::Size, &[Kind::String], Kind::Int),
    overload(Function::Size, &[Kind::Bytes], Kind::Int),
    overload(Function::Size, &[Kind::List], Kind::Int),
    overload(Function::Size, &[Kind::Map], Kind::Int),
];
const MATCHES: &[Overload] = &[overload(Function::Matches, &[Kind::String, Kind::String], Kind::Bool)];
const STARTS_WITH: &[Overload] = &[overload(Function::StartsWith, &[Kind::String, Kind::String], Kind::Bool)];
const ENDS_WITH: &[Overload] = &[overload(Function::EndsWith, &[Kind::String, Kind::String], Kind::Bool)];
const CONTAINS: &[Overload] = &[overload(Function::Contains, &[Kind::String, Kind::String], Kind::Bool)];
const INT: &[Overload] = &[
    overload(Function::ToInt, &[Kind::Int], Kind::Int),
    overload(Function::ToInt, &[Kind::Uint], Kind::Int),
    overload(Function::ToInt, &[Kind::Double], Kind::Int),
    overload(Function::ToInt, &[Kind::String], Kind::Int),
    overload(Function::ToInt, &[Kind::Timestamp], Kind::Int),
    overload(Function::ToInt, &[Kind::Duration], Kind::Int),
];
const UINT: &[Overload] = &[
    overload(Function::ToUint, &[Kind::Uint], Kind::Uint),
    overload(Function::ToUint, &[Kind::Int], Kind::Uint),
    overload(Function::ToUint, &[Kind::Double], Kind::Uint),
    overload(Function::ToUint, &[Kind::String], Kind::Uint),
];
const DOUBLE: &[Overload] = &[
    overload(Function::ToDouble, &[Kind::Double], Kind::Double),
    overload(Function::ToDouble, &[Kind::Int], Kind::Double),
    overload(Function::ToDouble, &[Kind::Uint], Kind::Double),
    overload(Function::ToDouble, &[Kind::String], Kind::Double),
];
const STRING: &[Overload] = &[
    overload(Function::ToString, &[Kind::String], Kind::String),
    overload(Function::ToString, &[Kind::Bool], Kind::String),
    overload(Function::ToString, &[Kind::Int], Kind::String),
    overload(Function::ToString, &[Kind::Uint], Kind::String),
    overload(Function::ToString, &[Kind::Double], Kind::String),
    overload(Function::ToString, &[Kind::Bytes], Kind::String),
    overload(Function::ToString, &[Kind::Timestamp], Kind::String),
    overload(Function::ToString, &[Kind::Duration], Kind::String),
];
const BYTES: &[Overload] = &[
    overload(Function::ToBytes, &[Kind::Bytes], Kind::Bytes),
    overload(Function::ToBytes, &[Kind::String], Kind::Bytes),
];
const BOOL: &[Overload] =
    &[overload(Function::ToBool, &[Kind::Bool], Kind::Bool), overload(Function::ToBool, &[Kind::String], Kind::Bool)];
const DURATION: &[Overload] = &[
    overload(Function::ToDuration, &[Kind::Duration], Kind::Duration),
    overload(Function::ToDuration, &[Kind::String], Kind::Duration),
];
const TIMESTAMP: &[Overload] = &[
    overload(Function::ToTimestamp, &[Kind::Timestamp], Kind::Timestamp),
    overload(Function::ToTimestamp, &[Kind::String], Kind::Timestamp),
    overload(Function::ToTimestamp, &[Kind::Int], Kind::Timestamp),
];
const DYN: &[Overload] = &[overload(Function::ToDyn, &[Kind::Dyn], Kind::Dyn)];
const IP_ADDRESS: &[Overload] = &[overload(Function::IpAddress, &[Kind::String], Kind::Ip)];
const IN_CIDR: &[Overload] = &[overload(Function::InCidr, &[Kind::Ip, Kind::String], Kind::Bool)];

macro_rules! date_part {
    ($part:expr) => {
        const {
            &[
                overload(Function::Part($part), &[Kind::Timestamp], Kind::Int),
                overload(Function::Part($part), &[Kind::Timestamp, Kind::String], Kind::Int),
            ]
        }
    };
}
macro_rules! time_part {
    ($part:expr) => {
        const {
            &[
                overload(Function::Part($part), &[Kind::Timestamp], Kind::Int),
                overload(Function::Part($part), &[Kind::Timestamp, Kind::String], Kind::Int),
                overload(Function::Part($part), &[Kind::Duration], Kind::Int),
            ]
        }
    };
}

/// The ways of calling `name`, written with a receiver (`x.f()`) or without (`f(x)`).
pub(super) fn overloads(name: &str, with_receiver: bool) -> Option<&'static [Overload]> {
    Some(match (name, with_receiver) {
        ("size", _) => SIZE,
        ("matches", _) => MATCHES,
        ("startsWith", true) => STARTS_WITH,
        ("endsWith", true) => ENDS_WITH,
        ("contains", true) => CONTAINS,
        ("in_cidr", true) => IN_CIDR,
        ("getFullYear", true) => date_part!(Part::FullYear),
        ("getMonth", true) => date_part!(Part::Month),
        ("getDate", true) => date_part!(Part::Date),
        ("getDayOfMonth", true) => date_part!(Part::DayOfMonth),
        ("getDayOfWeek", true) => date_part!(Part::DayOfWeek),
        ("getDayOfYear", true) => date_part!(Part::DayOfYear),
        ("getHours", true) => time_part!(Part::Hours),
        ("getMinutes", true) => time_part!(Part::Minutes),
        ("getSeconds", true) => time_part!(Part::Seconds),
        ("getMilliseconds", true) => time_part!(Part::Milliseconds),
        ("int", false) => INT,
        ("uint", false) => UINT,
        ("double", false) => DOUBLE,
        ("string", false) => STRING,
        ("bytes", false) => BYTES,
        ("bool", false) => BOOL,
        ("duration", false) => DURATION,
        ("timestamp", false) => TIMESTAMP,
        ("dyn", false) => DYN,
        ("ipaddress", false) => IP_ADDRESS,
        _ => return None,
    })
}

/// What an operator takes on its two sides and gives; lists and equality are typed by the checker.
type Operator = (Kind, Kind, Kind);

const ADD: &[Operator] = &[
    (Kind::Int, Kind::Int, Kind::Int),
    (Kind::Uint, Kind::Uint, Kind::Uint),
    (Kind::Double, Kind::Double, Kind::Double),
    (Kind::String, Kind::String, Kind::String),
    (Kind::Bytes, Kind::Bytes, Kind::Bytes),
    (Kind::Duration, Kind::Duration, Kind::Duration),
    (Kind::Duration, Kind::Timestamp, Kind::Timestamp),
    (Kind::Timestamp, Kind::Duration, Kind::Timestamp),
    (Kind::List, Kind::List, Kind::List),
];
const SUBTRACT: &[Operator] = &[
    (Kind::Int, Kind::Int, Kind::Int),
    (Kind::Uint, Kind::Uint, Kind::Uint),
    (Kind::Double, Kind::Double, Kind::Double),
    (Kind::Duration, Kind::Duration, Kind::Duration),
    (Kind::Timestamp, Kind::Duration, Kind::Timestamp),
    (Kind::Timestamp, Kind::Timestamp, Kind::Duration),
];
const MULTIPLY: &[Operator] = &[
    (Kind::Int, Kind::Int, Kind::Int),
    (Kind::Uint, Kind::Uint, Kind::Uint),
    (Kind::Double, Kind::Double, Kind::Double),
];
const REMAINDER: &[Operator] = &[(Kind::Int, Kind::Int, Kind::Int), (Kind::Uint, Kind::Uint, Kind::Uint)];
const ORDER: &[Operator] = &[
    (Kind::Bool, Kind::Bool, Kind::Bool),
    (Kind::Int, Kind::Int, Kind::Bool),
    (Kind::Uint, Kind::Uint, Kind::Bool),
    (Kind::Double, Kind::Double, Kind::Bool),
    (Kind::String, Kind::String, Kind::Bool),
    (Kind::Bytes, Kind::Bytes, Kind::Bool),
    (Kind::Duration, Kind::Duration, Kind::Bool),
    (Kind::Timestamp, Kind::Timestamp, Kind::Bool),
];

pub(super) fn operators(op: BinaryOp) -> &'static [Operator] {
    match op {
        BinaryOp::Add => ADD,
        BinaryOp::Subtract => SUBTRACT,
        BinaryOp::Multiply | BinaryOp::Divide => MULTIPLY,
        BinaryOp::Remainder => REMAINDER,
        BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual => ORDER,
        BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In => &[],
    }
}
