//! The types of expressions.

use std::fmt;

use crate::relation::model::ParameterType;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// Known only when the expression is evaluated; fits everywhere.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    Ip,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
}

/// A type without what it holds: what overloads are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    Ip,
    List,
    Map,
}

impl Type {
    pub(super) fn of_parameter(kind: &ParameterType) -> Self {
        match kind {
            ParameterType::Any => Self::Dyn,
            ParameterType::Bool => Self::Bool,
            ParameterType::String => Self::String,
            ParameterType::Int => Self::Int,
            ParameterType::Uint => Self::Uint,
            ParameterType::Double => Self::Double,
            ParameterType::Duration => Self::Duration,
            ParameterType::Timestamp => Self::Timestamp,
            ParameterType::IpAddress => Self::Ip,
            ParameterType::List(inner) => Self::list(Self::of_parameter(inner)),
            ParameterType::Map(inner) => Self::map(Self::String, Self::of_parameter(inner)),
        }
    }

    pub(super) fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }

    pub(super) fn map(key: Self, value: Self) -> Self {
        Self::Map(Box::new(key), Box::new(value))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Dyn => Kind::Dyn,
            Self::Null => Kind::Null,
            Self::Bool => Kind::Bool,
            Self::Int => Kind::Int,
            Self::Uint => Kind::Uint,
            Self::Double => Kind::Double,
            Self::String => Kind::String,
            Self::Bytes => Kind::Bytes,
            Self::Duration => Kind::Duration,
            Self::Timestamp => Kind::Timestamp,
            Self::Ip => Kind::Ip,
            Self::List(_) => Kind::List,
            Self::Map(..) => Kind::Map,
        }
    }

    /// The one type that values of both have; `None` when there is none.
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.join(b).map(Self::list),
            (Self::Map(a_key, a), Self::Map(b_key, b)) => Some(Self::map(a_key.join(b_key)?, a.join(b)?)),
            (Self::Dyn, _) | (_, Self::Dyn) => Some(Self::Dyn),
            (Self::Null, nullable @ (Self::Duration | Self::Timestamp | Self::Ip))
            | (nullable @ (Self::Duration | Self::Timestamp | Self::Ip), Self::Null) => Some(nullable.clone()),
            (same, other) => (same == other).then(|| same.clone()),
        }
    }

    /// The type of several values together: what they share, or anything.
    pub(super) fn of_all(types: impl IntoIterator<Item = Self>) -> Self {
        types.into_iter().reduce(|all, next| all.join(&next).unwrap_or(Self::Dyn)).unwrap_or(Self::Dyn)
    }
}

impl Kind {
    /// Whether a value of this kind may stand where `wanted` is.
    pub(super) fn fits(self, wanted: Self) -> bool {
        self == wanted || self == Self::Dyn || wanted == Self::Dyn
    }

    /// The type of a result of this kind.
    pub(super) fn simple(self) -> Type {
        match self {
            Self::Dyn => Type::Dyn,
            Self::Null => Type::Null,
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Uint => Type::Uint,
            Self::Double => Type::Double,
            Self::String => Type::String,
            Self::Bytes => Type::Bytes,
            Self::Duration => Type::Duration,
            Self::Timestamp => Type::Timestamp,
            Self::Ip => Type::Ip,
            Self::List => Type::list(Type::Dyn),
            Self::Map => Type::map(Type::Dyn, Type::Dyn),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("any"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Duration => f.write_str("duration"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Ip => f.write_str("ipaddress"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Map(key, value) if **key == Self::String => write!(f, "map<{value}>"),
            Self::Map(key, value) => write!(f, "map<{key}, {value}>"),
        }
    }
}

pub(super) fn type_name(kind: &ParameterType) -> String {
    Type::of_parameter(kind).to_string()
}

/// How deep the type of a parameter nests.
pub(super) fn depth(mut kind: &ParameterType) -> usize {
    let mut depth = 1;
    while let ParameterType::List(inner) | ParameterType::Map(inner) = kind {
        kind = inner;
        depth += 1;
    }
    depth
}
