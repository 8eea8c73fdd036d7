//! What differs between two releases: what is new, what is gone, and whether what changed says something else or says the
//! same in other words.

use crate::compare::{Differs, moved, policies, same_model, same_schema};
use crate::policy::PolicyId;
use crate::release::Release;

/// What differs between two releases; ids are sorted.
///
/// A policy that stands in another line of its file is not changed.
#[expect(clippy::struct_excessive_bools, reason = "two things, each with how it changed")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseDiff {
    pub schema_changed: bool,
    /// The schema changed, and says the same.
    pub schema_changed_only_in_text: bool,
    pub model_changed: bool,
    /// The relation model changed, and says the same.
    pub model_changed_only_in_text: bool,
    pub added: Vec<PolicyId>,
    pub removed: Vec<PolicyId>,
    pub changed: Vec<PolicyId>,
    /// Of those that changed, the ones that decide as before: comments, layout, annotations or the file are others.
    pub changed_only_in_text: Vec<PolicyId>,
    /// Of those, the ones with other annotations, such as `@advice`.
    pub changed_annotations: Vec<PolicyId>,
    /// Of those, the ones whose text is the same in another file.
    pub moved: Vec<PolicyId>,
}

impl ReleaseDiff {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a first release has: all of it is new.
    #[must_use]
    pub fn of_first(release: &Release) -> Self {
        Self {
            schema_changed: release.schema().is_some(),
            model_changed: release.model().is_some(),
            added: release.policies().map(|policy| PolicyId::new(policy.id())).collect(),
            ..Self::default()
        }
    }
}

impl Release {
    /// What `other` has that this does not, and the other way round.
    #[must_use]
    pub fn diff(&self, other: &Self) -> ReleaseDiff {
        let text =
            |release: &Self| release.schema().map(|schema| (schema.source().syntax, schema.source().text.clone()));
        let model = |release: &Self| release.model().map(|model| model.id().to_owned());
        let (schema_changed, model_changed) = (text(self) != text(other), model(self) != model(other));
        let pairs = self.policy_pairs(other);
        let mut diff = ReleaseDiff {
            schema_changed,
            schema_changed_only_in_text: schema_changed && same_schema(self.schema(), other.schema()),
            model_changed,
            model_changed_only_in_text: model_changed
                && same_model(self.model().map(AsRef::as_ref), other.model().map(AsRef::as_ref)),
            added: pairs.added,
            removed: pairs.removed,
            ..ReleaseDiff::default()
        };
        let mut rewritten = Vec::new();
        for (old, new) in pairs.both {
            let id = PolicyId::new(new.id());
            let (old, new) = (old.source(), new.source());
            if old.text != new.text {
                rewritten.push((id, old.text.as_str(), new.text.as_str()));
            } else if moved(old.file.as_deref(), new.file.as_deref()) {
                diff.changed.push(id.clone());
                diff.changed_only_in_text.push(id.clone());
                diff.moved.push(id);
            }
        }
        let texts: Vec<_> = rewritten.iter().map(|(_, old, new)| (*old, *new)).collect();
        for ((id, ..), differs) in rewritten.into_iter().zip(policies(&texts)) {
            diff.changed.push(id.clone());
            if differs == Differs::Annotations {
                diff.changed_annotations.push(id.clone());
            }
            if differs != Differs::Meaning {
                diff.changed_only_in_text.push(id);
            }
        }
        diff.sort();
        diff
    }
}

impl ReleaseDiff {
    fn sort(&mut self) {
        let Self { added, removed, changed, changed_only_in_text, changed_annotations, moved, .. } = self;
        for ids in [added, removed, changed, changed_only_in_text, changed_annotations, moved] {
            ids.sort_unstable();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::relation::{ModelSource, ModelSyntax, RelationModel};
    use crate::release::{CompileOptions, Sources};
    use crate::scan::split_policies;
    use crate::schema::{SchemaSource, SchemaSyntax};

    const SCHEMA: &str = "entity U; entity R; action a appliesTo { principal: U, resource: R };";
    const MODEL: &str = "model\n  schema 1.1\ntype user\n";

    fn release(files: &[(&str, &str)], schema: &str, model: &str) -> Release {
        let head = "permit (principal, action, resource)";
        let texts = files.iter().map(|(file, text)| (*file, text.replace("HEAD", head)));
        let policies: Vec<_> = texts.flat_map(|(file, text)| split_policies(Some(file), &text)).collect();
        let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: schema.to_owned() };
        let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: model.to_owned() };
        let model = RelationModel::read(model, source).unwrap().0;
        let sources = Sources { schema: Some(schema), model: Some(Arc::new(model)), policies: &policies };
        Release::compile("r", sources, &CompileOptions::default(), None).unwrap().release
    }

    /// Such as `~meaning a, ~text b, +c, -d`.
    fn told(diff: &ReleaseDiff) -> String {
        let mut said = Vec::new();
        for (changed, in_text, name) in [
            (diff.schema_changed, diff.schema_changed_only_in_text, "schema"),
            (diff.model_changed, diff.model_changed_only_in_text, "model"),
        ] {
            said.extend(changed.then(|| format!("~{} {name}", if in_text { "text" } else { "meaning" })));
        }
        said.extend(diff.added.iter().map(|id| format!("+{id}")));
        said.extend(diff.removed.iter().map(|id| format!("-{id}")));
        said.extend(diff.changed.iter().map(|id| {
            let kinds = [
                (&diff.moved, "moved"),
                (&diff.changed_annotations, "annotations"),
                (&diff.changed_only_in_text, "text"),
            ];
            let kind = kinds.iter().find(|(ids, _)| ids.contains(id)).map_or("meaning", |(_, kind)| kind);
            format!("~{kind} {id}")
        }));
        said.join(", ")
    }

    #[test]
    fn releases_differ_in_what_they_say_or_in_how() {
        let (a, b) = ("@id(\"a\") HEAD;\n", "@id(\"b\") HEAD when { 1 == 1 };\n");
        let old = [("x.cedar", format!("{a}{b}"))];
        for (new, schema, model, expected) in [
            (vec![("x.cedar", format!("{a}{b}"))], SCHEMA, MODEL, ""),
            (vec![("policies/s/x.cedar", format!("{b}{a}"))], SCHEMA, MODEL, ""),
            (vec![("x.cedar", format!("{a}// why\n{b}"))], SCHEMA, MODEL, "~text b"),
            (vec![("x.cedar", format!("{a}@advice(\"x\")\n{b}"))], SCHEMA, MODEL, "~annotations b"),
            (vec![("x.cedar", format!("{a}{b}").replace("1 == 1", "1 == 2"))], SCHEMA, MODEL, "~meaning b"),
            (vec![("x.cedar", a.to_owned()), ("y.cedar", b.to_owned())], SCHEMA, MODEL, "~moved b"),
            (vec![("x.cedar", b.replace("\"b\"", "\"c\"") + a)], SCHEMA, MODEL, "+c, -b"),
            (vec![("x.cedar", format!("{a}{b}"))], &SCHEMA.replace("; ", ";\n// x\n"), MODEL, "~text schema"),
            (vec![("x.cedar", format!("{a}{b}"))], &format!("{SCHEMA} entity V;"), MODEL, "~meaning schema"),
            (vec![("x.cedar", format!("{a}{b}"))], SCHEMA, &format!("# head\n{MODEL}"), "~text model"),
            (vec![("x.cedar", format!("{a}{b}"))], SCHEMA, &format!("{MODEL}type doc\n"), "~meaning model"),
        ] {
            let files = |files: &[(&'static str, String)], schema, model| {
                let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
                release(&files, schema, model)
            };
            let diff = files(&old, SCHEMA, MODEL).diff(&files(&new, schema, model));
            assert_eq!((told(&diff).as_str(), diff.is_empty()), (expected, expected.is_empty()), "{new:?}");
        }
    }
}
