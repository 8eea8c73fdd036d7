//! Computes a checked expression. Does no work that its meter does not allow, and keeps what a macro's variable is on a
//! stack of its own.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not taken is refused, whichever it is")]

use std::cmp::Ordering;

use super::arithmetic::{arithmetic, negate};
use super::ast::BinaryOp;
use super::call::call;
use super::convert::shown;
use super::cost::{Fault, Meter};
use super::number::{Number, compare, double_to_int};
use super::tree::{Macro, MacroParts, Node};
use super::value::{ListValue, MapValue, Text, Value, equal};

pub(super) struct Run<'a, 'r> {
    pub(super) parameters: &'r [Value<'a>],
    pub(super) locals: Vec<Value<'a>>,
    pub(super) meter: &'r mut Meter,
}

impl<'a> Run<'a, '_> {
    pub(super) fn bool(&mut self, node: &'a Node) -> Result<bool, Fault> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            other => Err(Fault::failed(format!("expected a bool, found {}", other.type_name()))),
        }
    }

    fn value(&mut self, node: &'a Node) -> Result<Value<'a>, Fault> {
        self.meter.spend(1)?;
        match node {
            Node::Literal(literal) => Ok(Value::literal(literal)),
            Node::Duration(span) => Ok(Value::Duration(*span)),
            Node::Timestamp(time) => Ok(Value::Timestamp(*time)),
            Node::Parameter(index) => self.parameters.get(*index).cloned().ok_or_else(unbound),
            Node::Local(index) => self.locals.get(*index).cloned().ok_or_else(unbound),
            Node::Not(inner) => self.bool(inner).map(|value| Value::Bool(!value)),
            Node::Negate(inner) => negate(&self.value(inner)?),
            Node::And(items) => self.until(items, false),
            Node::Or(items) => self.until(items, true),
            Node::Binary(op, sides) => self.binary(*op, sides),
            Node::Conditional(parts) => {
                let [condition, then, otherwise] = &**parts;
                if self.bool(condition)? { self.value(then) } else { self.value(otherwise) }
            }
            Node::Select(inner, field) => {
                let inner = self.value(inner)?;
                self.field(&inner, field)?.ok_or_else(|| no_key(field))
            }
            Node::Has(inner, field) => {
                let inner = self.value(inner)?;
                Ok(Value::Bool(self.field(&inner, field)?.is_some()))
            }
            Node::Index(parts) => self.index(parts),
            Node::List(items) => {
                let items: Result<Vec<_>, Fault> = items.iter().map(|item| self.value(item)).collect();
                Ok(Value::List(ListValue::Built(items?.into())))
            }
            Node::Map(entries) => self.map(entries),
            Node::Call(function, arguments) => {
                let arguments: Result<Vec<_>, Fault> = arguments.iter().map(|item| self.value(item)).collect();
                call(*function, &arguments?, self.meter)
            }
            Node::Matches(text, pattern) => match self.value(text)? {
                Value::String(text) => {
                    self.meter.spend(pattern.cost(text.len()))?;
                    Ok(Value::Bool(pattern.regex.is_match(&text)))
                }
                other => Err(Fault::failed(format!("`matches` does not take {}", other.type_name()))),
            },
            Node::Macro(kind, parts) => self.expand(*kind, parts),
        }
    }

    /// `&&` and `||`: the first operand that is `decisive` decides, even after an error in another.
    fn until(&mut self, items: &'a [Node], decisive: bool) -> Result<Value<'a>, Fault> {
        let mut undecided = Undecided::new(decisive);
        for item in items {
            let result = self.bool(item);
            if undecided.decided_by(result)? {
                return Ok(Value::Bool(decisive));
            }
        }
        undecided.finish()
    }

    fn binary(&mut self, op: BinaryOp, [left, right]: &'a [Node; 2]) -> Result<Value<'a>, Fault> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let ordered = |wanted: fn(Ordering) -> bool, meter: &mut Meter| {
            order(&left, &right, op, meter).map(|ordering| Value::Bool(wanted(ordering)))
        };
        match op {
            BinaryOp::Equal => equal(&left, &right, self.meter).map(Value::Bool),
            BinaryOp::NotEqual => equal(&left, &right, self.meter).map(|equal| Value::Bool(!equal)),
            BinaryOp::Less => ordered(Ordering::is_lt, self.meter),
            BinaryOp::LessOrEqual => ordered(Ordering::is_le, self.meter),
            BinaryOp::Greater => ordered(Ordering::is_gt, self.meter),
            BinaryOp::GreaterOrEqual => ordered(Ordering::is_ge, self.meter),
            BinaryOp::In => self.contains(&right, &left).map(Value::Bool),
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => {
                arithmetic(op, &left, &right, self.meter)
            }
        }
    }

    fn contains(&mut self, container: &Value<'a>, wanted: &Value<'a>) -> Result<bool, Fault> {
        match container {
            Value::List(items) => {
                for index in 0..items.len() {
                    if let Some(item) = items.get(index)
                        && equal(&item?, wanted, self.meter)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Value::Map(map) => Ok(map.get(wanted, self.meter)?.is_some()),
            other => Err(Fault::failed(format!("`in` does not take {}", other.type_name()))),
        }
    }

    fn field(&mut self, inner: &Value<'a>, field: &'a str) -> Result<Option<Value<'a>>, Fault> {
        match inner {
            Value::Map(map) => map.get(&Value::String(Text::Borrowed(field)), self.meter),
            other => Err(Fault::failed(format!("{} has no field `{field}`", other.type_name()))),
        }
    }

    fn index(&mut self, [inner, index]: &'a [Node; 2]) -> Result<Value<'a>, Fault> {
        let (inner, index) = (self.value(inner)?, self.value(index)?);
        match &inner {
            Value::List(items) => {
                let place = match index.number() {
                    Some(Number::Int(place)) => usize::try_from(place).ok(),
                    Some(Number::Uint(place)) => usize::try_from(place).ok(),
                    Some(Number::Double(place)) if place.fract() == 0.0 => {
                        double_to_int(place).and_then(|place| usize::try_from(place).ok())
                    }
                    Some(Number::Double(_)) | None => None,
                };
                place.and_then(|place| items.get(place)).unwrap_or_else(|| {
                    let length = items.len();
                    Err(Fault::failed(format!("the index is outside of the list, which has {length} items")))
                })
            }
            Value::Map(map) => map.get(&index, self.meter)?.ok_or_else(|| match &index {
                Value::String(key) => no_key(key),
                _ => Fault::failed("the map has no such key"),
            }),
            other => Err(Fault::failed(format!("{} cannot be indexed", other.type_name()))),
        }
    }

    fn map(&mut self, nodes: &'a [(Node, Node)]) -> Result<Value<'a>, Fault> {
        let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(nodes.len());
        for (key, value) in nodes {
            let (key, value) = (self.value(key)?, self.value(value)?);
            if !matches!(key, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::String(_)) {
                return Err(Fault::failed(format!("{} cannot be a key", key.type_name())));
            }
            for (other, _) in &entries {
                if equal(other, &key, self.meter)? {
                    return Err(Fault::failed("a map has the same key twice"));
                }
            }
            entries.push((key, value));
        }
        Ok(Value::Map(MapValue::Built(entries.into())))
    }

    fn expand(&mut self, kind: Macro, parts: &'a MacroParts) -> Result<Value<'a>, Fault> {
        let items = match self.value(&parts.range)? {
            Value::List(items) => items,
            Value::Map(map) => {
                self.meter.spend(map.len())?;
                ListValue::Built(map.keys().into())
            }
            other => return Err(Fault::failed(format!("{} has no items", other.type_name()))),
        };
        match kind {
            Macro::All => self.quantify(&items, parts, false),
            Macro::Exists => self.quantify(&items, parts, true),
            Macro::ExistsOne => Ok(Value::Bool(self.select(&items, &parts.body)?.len() == 1)),
            Macro::Filter => Ok(Value::List(ListValue::Built(self.select(&items, &parts.body)?.into()))),
            Macro::Map => {
                let selected = parts.filter.as_ref().map(|filter| self.select(&items, filter)).transpose()?;
                let items = selected.map_or(items, |selected| ListValue::Built(selected.into()));
                let mut mapped = Vec::new();
                for index in 0..items.len() {
                    let Some(item) = items.get(index) else { break };
                    mapped.push(self.with_local(item?, |run| run.value(&parts.body))?);
                }
                Ok(Value::List(ListValue::Built(mapped.into())))
            }
        }
    }

    /// `all` and `exists`, which are `&&` and `||` over the items.
    fn quantify(&mut self, items: &ListValue<'a>, parts: &'a MacroParts, decisive: bool) -> Result<Value<'a>, Fault> {
        let mut undecided = Undecided::new(decisive);
        for index in 0..items.len() {
            let Some(item) = items.get(index) else { break };
            let result = self.with_local(item?, |run| run.bool(&parts.body));
            if undecided.decided_by(result)? {
                return Ok(Value::Bool(decisive));
            }
        }
        undecided.finish()
    }

    fn select(&mut self, items: &ListValue<'a>, filter: &'a Node) -> Result<Vec<Value<'a>>, Fault> {
        let mut selected = Vec::new();
        for index in 0..items.len() {
            let Some(item) = items.get(index) else { break };
            let item = item?;
            if self.with_local(item.clone(), |run| run.bool(filter))? {
                selected.push(item);
            }
        }
        Ok(selected)
    }

    /// The variable is taken away even after an error: `||` may go on after it.
    fn with_local<T>(&mut self, item: Value<'a>, body: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.locals.push(item);
        let result = body(self);
        self.locals.pop();
        result
    }
}

/// A chain of operands that none has decided yet.
struct Undecided {
    decisive: bool,
    fault: Option<Fault>,
}

impl Undecided {
    fn new(decisive: bool) -> Self {
        Self { decisive, fault: None }
    }

    fn decided_by(&mut self, result: Result<bool, Fault>) -> Result<bool, Fault> {
        match result {
            Ok(value) => Ok(value == self.decisive),
            Err(Fault::OverBudget) => Err(Fault::OverBudget),
            Err(fault) => {
                self.fault.get_or_insert(fault);
                Ok(false)
            }
        }
    }

    fn finish<'a>(self) -> Result<Value<'a>, Fault> {
        self.fault.map_or(Ok(Value::Bool(!self.decisive)), Err)
    }
}

fn order(left: &Value<'_>, right: &Value<'_>, op: BinaryOp, meter: &mut Meter) -> Result<Ordering, Fault> {
    if let (Some(left), Some(right)) = (left.number(), right.number()) {
        return compare(left, right).ok_or_else(|| Fault::failed("what is not a number has no order"));
    }
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        (Value::String(left), Value::String(right)) => {
            meter.spend_text(left.len().min(right.len()))?;
            Ok((**left).cmp(&**right))
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            meter.spend_text(left.len().min(right.len()))?;
            Ok((**left).cmp(&**right))
        }
        (Value::Duration(left), Value::Duration(right)) => Ok(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Ok(left.cmp(right)),
        _ => {
            let (left, right) = (left.type_name(), right.type_name());
            Err(Fault::failed(format!("`{}` does not take {left} and {right}", op.symbol())))
        }
    }
}

fn no_key(key: &str) -> Fault {
    Fault::failed(format!("the map has no key `{}`", shown(key)))
}

fn unbound() -> Fault {
    Fault::failed("a name has no value")
}
