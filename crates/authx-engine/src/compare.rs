//! What differs between two texts: what they say, or only how they are written.
//!
//! Meaning is that of the parsed form, without places, comments and layout. What cannot be compared counts as another
//! meaning.

use std::collections::BTreeMap;

use crate::cedar::{Template, parse_policy_or_template};
use crate::problem::Problem;
use crate::relation::{RelationModel, model_to_json};
use crate::schema::Schema;
use crate::stack::on_large_stack;

/// How two policies differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Differs {
    /// In comments and layout, or not at all.
    Text,
    /// In annotations, such as `@advice`, which decide nothing.
    Annotations,
    /// In what they decide.
    Meaning,
}

/// How each pair of texts of policies differs.
pub(crate) fn policies(pairs: &[(&str, &str)]) -> Vec<Differs> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let each = || Ok::<_, Problem>(pairs.iter().map(|(old, new)| texts(old, new)).collect());
    on_large_stack(each).unwrap_or_else(|_| vec![Differs::Meaning; pairs.len()])
}

/// Runs on a large stack: the texts are of policies that were compiled, so their nesting is bounded.
fn texts(old: &str, new: &str) -> Differs {
    match (parse_policy_or_template(None, old), parse_policy_or_template(None, new)) {
        (Ok(old), Ok(new)) => parsed(&old, &new),
        (Err(_), _) | (_, Err(_)) => Differs::Meaning,
    }
}

/// How two policies differ that were parsed. Runs on a large stack.
pub(crate) fn parsed(old: &Template, new: &Template) -> Differs {
    let condition = match (old.non_scope_constraints(), new.non_scope_constraints()) {
        (Some(old), Some(new)) => old.eq_shape(new),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let same = condition
        && old.effect() == new.effect()
        && old.principal_constraint() == new.principal_constraint()
        && old.action_constraint() == new.action_constraint()
        && old.resource_constraint() == new.resource_constraint();
    if !same {
        return Differs::Meaning;
    }
    if annotations(old) == annotations(new) { Differs::Text } else { Differs::Annotations }
}

fn annotations(policy: &Template) -> BTreeMap<&str, &str> {
    policy.annotations().map(|(key, value)| (key.as_ref(), value.as_ref())).collect()
}

/// Whether two schemas say the same, in whatever syntax and layout.
pub(crate) fn same_schema(old: Option<&Schema>, new: Option<&Schema>) -> bool {
    old.zip(new).is_some_and(|(old, new)| old.json().is_some_and(|json| new.json() == Some(json)))
}

/// Whether two relation models say the same, in whatever syntax and layout.
pub(crate) fn same_model(old: Option<&RelationModel>, new: Option<&RelationModel>) -> bool {
    old.zip(new).is_some_and(|(old, new)| model_to_json(old.model()) == model_to_json(new.model()))
}

/// Whether a policy that was in the one file is now in another. Who applies from another folder names the same file by
/// more or fewer folders, and who names none tells nothing.
pub(crate) fn moved(old: Option<&str>, new: Option<&str>) -> bool {
    let Some((old, new)) = old.zip(new) else { return false };
    parts(old).zip(parts(new)).any(|(old, new)| old != new)
}

/// The parts of a file's name, the last first.
fn parts(file: &str) -> impl Iterator<Item = &str> {
    file.split(['/', '\\']).rev().filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_differ_in_text_annotations_or_meaning() {
        let head = "permit (principal, action, resource)";
        let with = |condition: &str| format!("@id(\"a\") {head} when {{ {condition} }};");
        for (old, new, expected) in [
            (with("principal.a"), with("principal.a"), Differs::Text),
            (with("principal.a"), format!("// why\n{}", with("principal . a // here\n")), Differs::Text),
            (with("1 == 1 && (2 == 2)"), with("(1 == 1) && 2 == 2"), Differs::Text),
            (with("principal.a"), with("principal.a").replace("@id", "@advice(\"x\") @id"), Differs::Annotations),
            (with("principal.a"), with("principal.b"), Differs::Meaning),
            (with("principal.a"), with("principal.a").replace("permit", "forbid"), Differs::Meaning),
            (
                with("principal.a"),
                with("principal.a").replace("(principal,", "(principal in A::\"b\","),
                Differs::Meaning,
            ),
            (with("principal.a"), format!("@id(\"a\") {head};"), Differs::Meaning),
            (format!("{head};"), format!("{head} when {{ true }};"), Differs::Meaning),
            (
                "permit (principal == ?principal, action, resource);".to_owned(),
                "permit(principal==?principal,action,resource);".to_owned(),
                Differs::Text,
            ),
            (
                "permit (principal == ?principal, action, resource);".to_owned(),
                "permit (principal in ?principal, action, resource);".to_owned(),
                Differs::Meaning,
            ),
            ("nonsense".to_owned(), "nonsense".to_owned(), Differs::Meaning),
        ] {
            assert_eq!(policies(&[(&old, &new)]), [expected], "{old}\n{new}");
        }
    }

    #[test]
    fn a_file_is_the_same_by_more_or_fewer_folders() {
        for (old, new, expected) in [
            ("policies/s/a.cedar", "policies/s/a.cedar", false),
            ("a.cedar", "policies/s/a.cedar", false),
            ("/home/ann/policies/s/a.cedar", "s/a.cedar", false),
            ("policies\\s\\a.cedar", "policies/s/a.cedar", false),
            ("policies/s/a.cedar", "policies/s/b.cedar", true),
            ("x/a.cedar", "y/a.cedar", true),
            ("aa.cedar", "a.cedar", true),
        ] {
            assert_eq!((moved(Some(old), Some(new)), moved(Some(new), Some(old))), (expected, expected), "{old} {new}");
        }
        assert!(!moved(None, Some("a")) && !moved(Some("a"), None) && !moved(None, None));
    }
}
