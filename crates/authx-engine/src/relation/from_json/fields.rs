//! Fields of a JSON value, with the pointer that a problem names.

use serde_json::Value;
use smol_str::SmolStr;

use crate::relation::place::shown;

/// What is wrong, with its pointer.
pub(super) struct Fault(pub(super) String);

/// A value and where it stands.
pub(super) struct Node<'a> {
    value: &'a Value,
    pointer: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    fn child(&self, value: &'a Value, name: &str) -> Self {
        let name = shown(name).replace('~', "~0").replace('/', "~1");
        Self { value, pointer: format!("{}/{name}", self.pointer) }
    }

    pub(super) fn problem(&self, what: &str) -> Fault {
        let place = if self.pointer.is_empty() { "the model".to_owned() } else { format!("`{}`", self.pointer) };
        Fault(format!("{place} {what}"))
    }

    fn wrong_type(&self, expected: &str) -> Fault {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.problem(&format!("is {found}, expected {expected}"))
    }

    /// The field under either name; `null` is the same as none.
    pub(super) fn field(&self, name: &str, other: &str) -> Option<Node<'a>> {
        [name, other].into_iter().find_map(|name| {
            let value = self.value.get(name).filter(|value| !value.is_null())?;
            Some(self.child(value, name))
        })
    }

    pub(super) fn needed(&self, name: &str, other: &str) -> Result<Node<'a>, Fault> {
        self.field(name, other).ok_or_else(|| self.problem(&format!("has no `{name}`")))
    }

    pub(super) fn expect_object(&self) -> Result<(), Fault> {
        if self.value.is_object() { Ok(()) } else { Err(self.wrong_type("an object")) }
    }

    /// The object of a field.
    pub(super) fn object(&self, name: &str) -> Result<Option<Node<'a>>, Fault> {
        self.expect_object()?;
        let field = self.field(name, name);
        field.as_ref().map_or(Ok(()), Node::expect_object)?;
        Ok(field)
    }

    pub(super) fn as_text(&self) -> Result<&'a str, Fault> {
        self.value.as_str().ok_or_else(|| self.wrong_type("a text"))
    }

    pub(super) fn number(&self) -> Option<u64> {
        self.value.as_u64()
    }

    /// The text of a field, empty when there is none.
    pub(super) fn text(&self, name: &str, other: &str) -> Result<SmolStr, Fault> {
        self.expect_object()?;
        self.field(name, other).map_or_else(|| Ok(SmolStr::default()), |field| field.as_text().map(SmolStr::new))
    }

    /// The items of a field, none when there is no such field.
    pub(super) fn list(&self, name: &str, other: &str) -> Result<Vec<Node<'a>>, Fault> {
        self.expect_object()?;
        let Some(field) = self.field(name, other) else { return Ok(Vec::new()) };
        let items = field.value.as_array().ok_or_else(|| field.wrong_type("a list"))?;
        Ok(items.iter().enumerate().map(|(place, item)| field.child(item, &place.to_string())).collect())
    }

    /// The entries of a field, none when there is no such field.
    pub(super) fn map(&self, name: &str, other: &str) -> Result<Vec<(&'a str, Node<'a>)>, Fault> {
        self.expect_object()?;
        let Some(field) = self.field(name, other) else { return Ok(Vec::new()) };
        let entries = field.value.as_object().ok_or_else(|| field.wrong_type("an object"))?;
        Ok(entries.iter().map(|(name, value)| (name.as_str(), field.child(value, name))).collect())
    }
}
