//! Reads OpenFGA's store files: a model, tuples, and tests with what must follow from them.
//!
//! It opens no other file and knows no model: whether a type or relation exists is found when the tests run. Lists of
//! users and objects become one question for each pair.

use std::collections::BTreeSet;

use authx_engine::Problem;
use authx_engine::relation::{ObjectRef, SubjectRef, Tuple, TupleKey, UserFilter};
use serde_json::Map;

use crate::policy_tests::{FileRef, tuple};
use crate::yaml::fields::Fields;
use crate::yaml::{Node, Place, Value, parse};

/// The code of what is wrong with a store file.
pub(super) const CODE: &str = "store_file";

#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) model: ModelText,
    pub(super) tuples: TupleSources,
    pub(super) tests: Vec<Test>,
}

/// Where the model is.
#[derive(Debug)]
pub(super) enum ModelText {
    /// `block`: its lines are lines of the file, from `place` on.
    Inline {
        place: Place,
        text: String,
        block: bool,
    },
    File(FileRef),
}

#[derive(Debug, Default)]
pub(super) struct TupleSources {
    pub(super) inline: Vec<(Place, Tuple)>,
    pub(super) files: Vec<FileRef>,
}

#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) place: Place,
    pub(super) tuples: TupleSources,
    pub(super) questions: Vec<Question>,
}

/// One question and the answer that is expected.
#[derive(Debug)]
pub(super) struct Question {
    /// Of the assertion.
    pub(super) place: Place,
    pub(super) context: Map<String, serde_json::Value>,
    pub(super) asked: Asked,
}

#[derive(Debug)]
pub(super) enum Asked {
    Check { key: TupleKey, expected: bool },
    Objects { subject: SubjectRef, type_name: String, relation: String, expected: BTreeSet<String> },
    Users { object: ObjectRef, relation: String, filters: Vec<UserFilter>, expected: BTreeSet<String> },
}

/// Reads the text of a store file; `file` names it in the problems.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(text: &str, file: &str) -> Result<StoreFile, Vec<Problem>> {
    let root = parse(text, CODE).map_err(|problem| vec![Problem { file: Some(file.to_owned()), ..problem }])?;
    let mut reader = Reader { fields: Fields::new(CODE, file) };
    let store = reader.store(&root);
    match store {
        Some(store) if reader.fields.problems.is_empty() => Ok(store),
        Some(_) | None => {
            let mut problems = reader.fields.problems;
            problems.sort_by_key(|problem| (problem.line, problem.column));
            Err(problems)
        }
    }
}

struct Reader<'a> {
    fields: Fields<'a>,
}

impl Reader<'_> {
    fn store(&mut self, root: &Node) -> Option<StoreFile> {
        let known = ["name", "model", "model_file", "tuples", "tuple_file", "tuple_files", "tests"];
        let [name, model, model_file, tuples, tuple_file, tuple_files, tests] =
            self.fields.map(root, "a store file", known);
        self.fields.optional_text(name, "`name`");
        let tuples = self.tuples(tuples, tuple_file, tuple_files);
        let tests = self.fields.items(tests, "`tests`").iter().zip(1..).map(|(node, n)| self.test(node, n)).collect();
        let model = match (model, model_file) {
            (Some(model), None) => {
                let text = self.fields.text(model, "`model`")?.to_owned();
                let block = matches!(model.value, Value::Text { block: true, .. });
                Some(ModelText::Inline { place: model.place, text, block })
            }
            (None, Some(file)) => self.file(file, "`model_file`").map(ModelText::File),
            (Some(_), Some(file)) => {
                self.fields.wrong(file.place, "the file has `model` and `model_file`, expected one of them");
                None
            }
            (None, None) => {
                if self.fields.problems.is_empty() {
                    self.fields.wrong(root.place, "the file has no model: expected `model` or `model_file`");
                }
                None
            }
        };
        Some(StoreFile { model: model?, tuples, tests })
    }

    fn file(&mut self, node: &Node, what: &str) -> Option<FileRef> {
        self.fields.text(node, what).map(|path| FileRef { place: node.place, path: path.to_owned() })
    }

    fn tuples(&mut self, inline: Option<&Node>, file: Option<&Node>, files: Option<&Node>) -> TupleSources {
        let mut sources = TupleSources::default();
        for item in self.fields.items(inline, "`tuples`") {
            sources.inline.extend(tuple(&mut self.fields, item).map(|tuple| (item.place, tuple)));
        }
        let named = file.into_iter().map(|node| (node, "`tuple_file`"));
        let listed = self.fields.items(files, "`tuple_files`").iter().map(|node| (node, "an item of `tuple_files`"));
        sources.files = named.chain(listed).filter_map(|(node, what)| self.file(node, what)).collect();
        sources
    }

    fn test(&mut self, node: &Node, number: usize) -> Test {
        let known =
            ["name", "description", "tuples", "tuple_file", "tuple_files", "check", "list_objects", "list_users"];
        let [name, description, tuples, tuple_file, tuple_files, checks, objects, users] =
            self.fields.map(node, "a test", known);
        let mut questions = Vec::new();
        for check in self.fields.items(checks, "`check`") {
            self.check(check, &mut questions);
        }
        for list in self.fields.items(objects, "`list_objects`") {
            self.objects(list, &mut questions);
        }
        for list in self.fields.items(users, "`list_users`") {
            self.users(list, &mut questions);
        }
        Test {
            name: self.fields.optional_text(name, "`name`").unwrap_or_else(|| format!("test {number}")),
            description: self.fields.optional_text(description, "`description`"),
            place: node.place,
            tuples: self.tuples(tuples, tuple_file, tuple_files),
            questions,
        }
    }

    fn check(&mut self, node: &Node, questions: &mut Vec<Question>) {
        let known = ["user", "users", "object", "objects", "context", "assertions"];
        let [user, users, object, objects, context, assertions] = self.fields.map(node, "a check", known);
        let users = self.one_or_many(node, ("user", user), ("users", users));
        let objects = self.one_or_many(node, ("object", object), ("objects", objects));
        let context = self.context(context);
        let mut expected = Vec::new();
        for (place, relation, value) in self.assertions(node, assertions) {
            expected.extend(self.fields.bool(value, &format!("`{relation}`")).map(|value| (place, relation, value)));
        }
        let subjects: Vec<_> = users.into_iter().filter_map(|node| self.subject(node)).collect();
        for object in objects {
            let Some(object) = self.object(object) else { continue };
            for subject in &subjects {
                for (place, relation, expected) in &expected {
                    let key =
                        TupleKey { object: object.clone(), relation: (*relation).into(), subject: subject.clone() };
                    let asked = Asked::Check { key, expected: *expected };
                    questions.push(Question { place: *place, context: context.clone(), asked });
                }
            }
        }
    }

    fn objects(&mut self, node: &Node, questions: &mut Vec<Question>) {
        let [user, type_name, context, assertions] =
            self.fields.map(node, "a list of objects", ["user", "type", "context", "assertions"]);
        let subject = self.fields.needed(node, "user", user).and_then(|user| self.subject(user));
        let type_name = self.fields.needed(node, "type", type_name).and_then(|node| self.fields.text(node, "`type`"));
        let context = self.context(context);
        for (place, relation, value) in self.assertions(node, assertions) {
            let mut expected = BTreeSet::new();
            for item in self.fields.items(Some(value), &format!("`{relation}`")) {
                let Some(object) = self.object(item) else { continue };
                if let Some(wanted) = type_name.filter(|wanted| *wanted != object.type_name) {
                    self.fields.wrong(item.place, format!("`{object}` is no `{wanted}`, which is what is listed"));
                }
                expected.insert(object.to_string());
            }
            let (Some(subject), Some(type_name)) = (&subject, type_name) else { continue };
            let (subject, type_name, relation) = (subject.clone(), type_name.to_owned(), relation.to_owned());
            let asked = Asked::Objects { subject, type_name, relation, expected };
            questions.push(Question { place, context: context.clone(), asked });
        }
    }

    fn users(&mut self, node: &Node, questions: &mut Vec<Question>) {
        let [object, filters, context, assertions] =
            self.fields.map(node, "a list of users", ["object", "user_filter", "context", "assertions"]);
        let object = self.fields.needed(node, "object", object).and_then(|object| self.object(object));
        let filters = self.fields.needed(node, "user_filter", filters);
        let filters: Vec<UserFilter> = match filters {
            Some(filters) => {
                let items = self.fields.items(Some(filters), "`user_filter`");
                if matches!(&filters.value, Value::List(items) if items.is_empty()) {
                    self.fields.wrong(filters.place, "`user_filter` is empty, expected a type at least");
                }
                items.iter().filter_map(|item| self.filter(item)).collect()
            }
            None => Vec::new(),
        };
        let context = self.context(context);
        for (place, relation, value) in self.assertions(node, assertions) {
            let [users] = self.fields.map(value, &format!("`{relation}`"), ["users"]);
            let items = self.fields.needed(value, "users", users);
            let items = self.fields.items(items, "`users`");
            let expected = items.iter().filter_map(|item| self.subject(item)).map(|user| user.to_string()).collect();
            let Some(object) = object.clone() else { continue };
            let asked = Asked::Users { object, relation: relation.to_owned(), filters: filters.clone(), expected };
            questions.push(Question { place, context: context.clone(), asked });
        }
    }

    fn filter(&mut self, node: &Node) -> Option<UserFilter> {
        let [type_name, relation] = self.fields.map(node, "an item of `user_filter`", ["type", "relation"]);
        let type_name = self.fields.needed(node, "type", type_name)?;
        let type_name = self.fields.text(type_name, "`type`")?.into();
        let relation = self.fields.optional_text(relation, "`relation`").filter(|relation| !relation.is_empty());
        Some(UserFilter { type_name, relation: relation.map(Into::into) })
    }

    /// `user` or `users`, `object` or `objects`.
    fn one_or_many<'n>(
        &mut self,
        node: &Node,
        (one, single): (&str, Option<&'n Node>),
        (many, several): (&str, Option<&'n Node>),
    ) -> Vec<&'n Node> {
        match (single, several) {
            (Some(_), Some(several)) => {
                self.fields.wrong(several.place, format!("the check has `{one}` and `{many}`, expected one of them"));
                Vec::new()
            }
            (single, Some(several)) => {
                let items = self.fields.items(Some(several), &format!("`{many}`"));
                if items.is_empty() {
                    self.fields.wrong(several.place, format!("`{many}` is empty, so nothing is checked"));
                }
                items.iter().chain(single).collect()
            }
            (Some(single), None) => vec![single],
            (None, None) => self.fields.needed(node, one, None).into_iter().collect(),
        }
    }

    /// What must follow, by relation: the place of the assertion, the relation, and what is expected.
    fn assertions<'n>(&mut self, node: &Node, found: Option<&'n Node>) -> Vec<(Place, &'n str, &'n Node)> {
        let Some(assertions) = self.fields.needed(node, "assertions", found) else { return Vec::new() };
        let entries = self.fields.entries(assertions, "`assertions`");
        entries.iter().map(|(key, value)| (key.place, key.name.as_str(), value)).collect()
    }

    fn context(&mut self, node: Option<&Node>) -> Map<String, serde_json::Value> {
        node.map(|node| self.fields.object(node, "`context`").0).unwrap_or_default()
    }

    fn subject(&mut self, node: &Node) -> Option<SubjectRef> {
        let text = self.fields.text(node, "a user")?;
        SubjectRef::parse(text).map_err(|error| self.fields.wrong(node.place, error.to_string())).ok()
    }

    fn object(&mut self, node: &Node) -> Option<ObjectRef> {
        let text = self.fields.text(node, "an object")?;
        ObjectRef::parse(text).map_err(|error| self.fields.wrong(node.place, error.to_string())).ok()
    }
}

#[cfg(test)]
mod tests;
