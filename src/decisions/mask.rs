//! Paths into a request whose values are not recorded: `/context/password`, `/entities/*/attrs/ssn`.

use serde_json::{Map, Value};

/// What stands where a value was.
pub(super) const MASKED: &str = "***";

/// One path; `*` is every key of an object, or every item of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mask(Vec<String>);

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path into a request: expected `/context/…`, `/entities/…` or `/tuples/…`")]
pub struct BadMask(String);

impl TryFrom<String> for Mask {
    type Error = BadMask;

    fn try_from(text: String) -> Result<Self, BadMask> {
        Self::parse(&text)
    }
}

impl From<Mask> for String {
    fn from(mask: Mask) -> Self {
        let names = mask.0.iter().map(|name| name.replace('~', "~0").replace('/', "~1"));
        std::iter::once(Self::new()).chain(names).collect::<Vec<_>>().join("/")
    }
}

impl Mask {
    /// Reads a path: names after `/`, with `~1` for `/` and `~0` for `~` in a name, as in JSON pointers.
    ///
    /// # Errors
    /// When it leads nowhere in a request.
    pub fn parse(text: &str) -> Result<Self, BadMask> {
        let bad = || BadMask(text.chars().take(100).collect());
        let names = text.strip_prefix('/').ok_or_else(bad)?.split('/');
        let names: Vec<String> = names.map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
        match names.first().map(String::as_str) {
            Some("context" | "entities" | "tuples") => Ok(Self(names)),
            Some(_) | None => Err(bad()),
        }
    }

    /// Masks what the path leads to.
    pub(super) fn apply(&self, request: &mut Map<String, Value>) {
        if let Some((first, rest)) = self.0.split_first()
            && let Some(value) = request.get_mut(first)
        {
            mask(value, rest);
        }
    }
}

fn mask(value: &mut Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        *value = Value::String(MASKED.to_owned());
        return;
    };
    match value {
        Value::Object(fields) if name == "*" => fields.values_mut().for_each(|value| mask(value, rest)),
        Value::Object(fields) => fields.get_mut(name).into_iter().for_each(|value| mask(value, rest)),
        Value::Array(items) if name == "*" => items.iter_mut().for_each(|value| mask(value, rest)),
        Value::Array(items) => {
            let item = name.parse().ok().and_then(|at: usize| items.get_mut(at));
            if let Some(item) = item {
                mask(item, rest);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_path_leads_to_is_masked_and_nothing_else() {
        let request = json!({
            "context": {"password": "hunter2", "deep": {"a": 1, "b": 2}, "a/b": 1},
            "entities": [{"uid": "User:a", "attrs": {"ssn": "1", "name": "A"}}, {"uid": "User:b", "attrs": {}}],
        });
        for (path, pointer) in [
            ("/context/password", "/context/password"),
            ("/context", "/context"),
            ("/context/deep/b", "/context/deep/b"),
            ("/context/a~1b", "/context/a~1b"),
            ("/entities/*/attrs/ssn", "/entities/0/attrs/ssn"),
            ("/entities/0/attrs/name", "/entities/0/attrs/name"),
        ] {
            let Value::Object(mut masked) = request.clone() else { panic!("an object") };
            let mask = Mask::parse(path).unwrap();
            assert_eq!(String::from(mask.clone()), path);
            mask.apply(&mut masked);
            let mut want = request.clone();
            *want.pointer_mut(pointer).unwrap() = json!("***");
            assert_eq!(Value::Object(masked), want, "{path}");
        }
        let Value::Object(mut same) = request.clone() else { panic!("an object") };
        for path in ["/context/none", "/context/password/x", "/entities/9/attrs", "/tuples/*"] {
            Mask::parse(path).unwrap().apply(&mut same);
        }
        assert_eq!(Value::Object(same), request);
        for bad in ["", "context", "/", "/principal", "/ctx/a"] {
            assert!(Mask::parse(bad).is_err(), "{bad}");
        }
    }
}
