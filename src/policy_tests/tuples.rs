//! Tuples as they stand in files of tests: as text, or in parts, in this API's words or in OpenFGA's.

use authx_engine::relation::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey, is_relation_name};

use crate::ids::Timestamp;
use crate::yaml::fields::Fields;
use crate::yaml::{Node, Value};

/// Reads one tuple, or says what is wrong with it.
pub(crate) fn tuple(fields: &mut Fields<'_>, node: &Node) -> Option<Tuple> {
    if let Value::Text { text, .. } = &node.value {
        let key = TupleKey::parse(text).map_err(|error| fields.wrong(node.place, format!("no tuple: {error}")));
        return Some(Tuple { key: key.ok()?, condition: None, expires_at: None });
    }
    let known = ["object", "relation", "subject", "user", "condition", "expires_at"];
    let [object, relation, subject, user, condition, expires_at] = fields.map(node, "a tuple", known);
    let object = fields.needed(node, "object", object);
    let relation = fields.needed(node, "relation", relation);
    let subject = fields.needed(node, "subject", subject.or(user));
    let condition = condition.map(|condition| tuple_condition(fields, condition));
    let expires_at = expires_at.map(|at| time(fields, at, "`expires_at`"));
    let object = read(fields, object?, ObjectRef::parse);
    let relation = relation.and_then(|node| {
        let name = fields.text(node, "`relation`")?;
        if !is_relation_name(name) {
            fields.wrong(node.place, format!("`{name}` is no name of a relation"));
            return None;
        }
        Some(name.into())
    });
    let subject = read(fields, subject?, SubjectRef::parse);
    let key = TupleKey { object: object?, relation: relation?, subject: subject? };
    Some(Tuple {
        key,
        condition: match condition {
            Some(condition) => Some(condition?),
            None => None,
        },
        expires_at: match expires_at {
            Some(at) => Some(at?),
            None => None,
        },
    })
}

fn tuple_condition(fields: &mut Fields<'_>, node: &Node) -> Option<TupleCondition> {
    let [name, context] = fields.map(node, "a condition", ["name", "context"]);
    let name = fields.needed(node, "name", name)?;
    let name = fields.text(name, "`name`")?.into();
    let context = context.map(|context| fields.object(context, "`context`")).unwrap_or_default();
    Some(TupleCondition { name, context: context.0 })
}

fn read<T, E: std::fmt::Display>(
    fields: &mut Fields<'_>,
    node: &Node,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = fields.text(node, "a part of a tuple")?;
    parse(text).map_err(|error| fields.wrong(node.place, error.to_string())).ok()
}

/// A time, in milliseconds since 1970.
pub(super) fn time(fields: &mut Fields<'_>, node: &Node, what: &str) -> Option<i64> {
    let text = fields.text(node, what)?;
    let time = Timestamp::parse(text);
    if time.is_none() {
        fields.wrong(node.place, format!("{what} is `{text}`, expected a time such as `2026-11-21T08:30:00Z`"));
    }
    time.map(Timestamp::as_millis)
}
