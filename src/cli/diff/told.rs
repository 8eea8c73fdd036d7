//! A difference between releases in words: `+` new, `-` gone, `~` changed, and in what.

use serde_json::Value;

/// How a policy changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Meaning,
    Text,
    Annotations,
    Moved,
}

impl Change {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Meaning => "meaning",
            Self::Text => "text only",
            Self::Annotations => "annotations",
            Self::Moved => "another file",
        }
    }
}

/// A line for each policy that a server names in a difference, and for schema and model.
pub(crate) fn lines_of(diff: &Value) -> String {
    let flag = |key: &str| diff.get(key).and_then(Value::as_bool).unwrap_or_default();
    let named = |key: &str| diff.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let has = |key: &str, id: &str| named(key).any(|named| named == id);
    let change = |id: &str| {
        if has("moved", id) {
            Change::Moved
        } else if has("changed_annotations", id) {
            Change::Annotations
        } else if has("changed_only_in_text", id) {
            Change::Text
        } else {
            Change::Meaning
        }
    };
    let mut text = String::new();
    for (key, what) in [("schema_changed", "schema"), ("model_changed", "relation model")] {
        if flag(key) {
            let change = if flag(&format!("{key}_only_in_text")) { Change::Text } else { Change::Meaning };
            text.push_str(&format!("~ {what} ({})\n", change.word()));
        }
    }
    text.extend(named("added").map(|id| format!("+ {id}\n")));
    text.extend(named("removed").map(|id| format!("- {id}\n")));
    text.extend(named("changed").map(|id| format!("~ {id} ({})\n", change(id).word())));
    for key in ["added", "removed", "changed"] {
        let whole = diff.get(format!("{key}_count")).and_then(Value::as_u64).unwrap_or_default();
        let left = whole.saturating_sub(named(key).count() as u64);
        if left > 0 {
            text.push_str(&format!("… and {left} more {key}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_told_in_lines() {
        let diff = json!({
            "schema_changed": true, "schema_changed_only_in_text": true, "model_changed": true,
            "added": ["n"], "removed": ["o"], "changed": ["a", "m", "t", "x"], "added_count": 7, "removed_count": 1,
            "changed_count": 4, "changed_only_in_text": ["a", "m", "t"], "changed_annotations": ["a"], "moved": ["m"],
        });
        let expected = "~ schema (text only)\n~ relation model (meaning)\n+ n\n- o\n~ a (annotations)\n~ m (another file)\n\
            ~ t (text only)\n~ x (meaning)\n… and 6 more added\n";
        assert_eq!((lines_of(&diff).as_str(), lines_of(&json!({})).as_str()), (expected, ""));
    }
}
