//! Reads a suite: `*_test.yaml`, or the JSON of Cedar's own `run-tests`. It opens no other file and knows no policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use authx_engine::{
    EntityInput, EntityUid, JsonObject, LinkInput, PolicyErrors, Problem, RequestAttributes, Validation,
};

use super::matrix::Matrix;
use super::references::{Names, action, entity, uid};
use super::tuples::{time, tuple};
use super::{
    Besides, CODE, Case, DataFile, Errors, Expected, FileRef, Fixtures, SettingsGiven, Sourced, Suite, Test, Wanted,
    cedar,
};
use crate::yaml::fields::{Fields, short};
use crate::yaml::{Node, Value, parse};

/// Questions of one file.
const MAX_QUESTIONS: usize = 100_000;

/// Reads the text of a suite; `file` names it in the problems.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(text: &str, file: &str) -> Result<Suite, Vec<Problem>> {
    let root = parse(text, CODE).map_err(|problem| vec![Problem { file: Some(file.to_owned()), ..problem }])?;
    let mut reader = Reader { fields: Fields::new(CODE, file), names: Names::default(), file, room: MAX_QUESTIONS };
    let suite =
        if matches!(root.value, Value::List(_)) { cedar::suite(&mut reader, &root) } else { reader.suite(&root) };
    let mut problems = reader.fields.problems;
    if problems.is_empty() {
        return Ok(suite);
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(problems)
}

/// Reads one file.
pub(super) struct Reader<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) names: Names,
    pub(super) file: &'a str,
    /// Questions that it may still ask.
    room: usize,
}

impl Reader<'_> {
    fn suite(&mut self, root: &Node) -> Suite {
        let known = ["description", "policies", "settings", "principals", "resources", "contexts", "fixtures", "tests"];
        let [description, policies, settings, principals, resources, contexts, fixtures, tests] =
            self.fields.map(root, "a file of tests", known);
        self.fields.optional_text(description, "`description`");
        let mut stored = Vec::new();
        for (section, what) in [(principals, "`principals`"), (resources, "`resources`")] {
            self.names.add_entities(&mut self.fields, section, what, self.file, &mut stored);
        }
        self.names.add_contexts(&mut self.fields, contexts);
        let mut own = fixtures.map(|fixtures| self.fixtures(fixtures)).unwrap_or_default();
        own.entities.splice(0..0, stored);
        let tests = self.fields.needed(root, "tests", tests);
        let tests = self.fields.items(tests, "`tests`").iter().zip(1..).map(|(node, n)| self.test(node, n)).collect();
        Suite {
            file: self.file.to_owned(),
            policies: policies.and_then(|node| self.file_ref(node, "`policies`")),
            settings: settings.map(|settings| self.settings(settings)).unwrap_or_default(),
            fixtures: own,
            tests,
        }
    }

    fn settings(&mut self, node: &Node) -> SettingsGiven {
        let known = ["validation", "policy_errors", "request_attributes"];
        let [validation, policy_errors, request_attributes] = self.fields.map(node, "`settings`", known);
        SettingsGiven {
            validation: self.word(validation, [("strict", Validation::Strict), ("off", Validation::Off)]),
            policy_errors: self.word(policy_errors, [("deny", PolicyErrors::Deny), ("cedar", PolicyErrors::Cedar)]),
            request_attributes: self.word(
                request_attributes,
                [("override", RequestAttributes::Override), ("ignore", RequestAttributes::Ignore)],
            ),
        }
    }

    fn fixtures(&mut self, node: &Node) -> Fixtures {
        let known = ["data", "entities", "entities_files", "tuples", "tuple_files", "links", "now"];
        let [data, entities, entities_files, tuples, tuple_files, links, now] =
            self.fields.map(node, "`fixtures`", known);
        let mut fixtures = Fixtures {
            data: data.and_then(|data| self.fields.bool(data, "`data`")).unwrap_or_default(),
            now: now.and_then(|now| time(&mut self.fields, now, "`now`")),
            ..Fixtures::default()
        };
        match entities {
            Some(named @ Node { value: Value::Map(_), .. }) => {
                let stored = &mut fixtures.entities;
                self.names.add_entities(&mut self.fields, Some(named), "`entities`", self.file, stored);
            }
            entities => fixtures.entities = self.entities(entities),
        }
        for item in self.fields.items(tuples, "`tuples`") {
            let tuple = tuple(&mut self.fields, item);
            fixtures.tuples.extend(tuple.map(|tuple| self.sourced(item, tuple)));
        }
        for item in self.fields.items(links, "`links`") {
            let link = self.link(item);
            fixtures.links.extend(link.map(|link| self.sourced(item, link)));
        }
        for item in self.fields.items(entities_files, "`entities_files`") {
            fixtures.files.extend(self.file_ref(item, "an item of `entities_files`").map(DataFile::Entities));
        }
        for item in self.fields.items(tuple_files, "`tuple_files`") {
            fixtures.files.extend(self.file_ref(item, "an item of `tuple_files`").map(DataFile::Tuples));
        }
        fixtures
    }

    pub(super) fn entities(&mut self, node: Option<&Node>) -> Vec<Sourced<EntityInput>> {
        let mut found = Vec::new();
        for item in self.fields.items(node, "`entities`") {
            let entity = entity(&mut self.fields, item);
            found.extend(entity.map(|entity| self.sourced(item, entity)));
        }
        found
    }

    fn link(&mut self, node: &Node) -> Option<(String, LinkInput)> {
        let [id, template, principal, resource] =
            self.fields.map(node, "a link", ["id", "template", "principal", "resource"]);
        let id = self.fields.needed(node, "id", id).and_then(|id| self.fields.text(id, "`id`")).map(str::to_owned);
        let template = self.fields.needed(node, "template", template);
        let template = template.and_then(|node| self.fields.text(node, "`template`")).map(str::to_owned);
        let principal = principal.map(|node| self.entity(node));
        let resource = resource.map(|node| self.entity(node));
        let given = |side: Option<Option<EntityUid>>| match side {
            Some(None) => None,
            side => Some(side.flatten()),
        };
        Some((id?, LinkInput { template: template?, principal: given(principal)?, resource: given(resource)? }))
    }

    fn test(&mut self, node: &Node, number: usize) -> Test {
        let known = [
            "name",
            "description",
            "fixtures",
            "context",
            "principals",
            "actions",
            "resources",
            "allow",
            "expect",
            "policies",
            "errors",
            "warnings",
            "cases",
        ];
        let [
            name,
            description,
            fixtures,
            context,
            principals,
            actions,
            resources,
            allow,
            expected,
            policies,
            errors,
            warnings,
            cases,
        ] = self.fields.map(node, "a test", known);
        let context = context.and_then(|context| self.context(context)).unwrap_or_default();
        let common = self.besides([policies, errors, warnings]);
        let matrix = Matrix { principals, actions, resources, allow, expected };
        let mut all = Vec::new();
        if matrix.is_some() {
            all.extend(matrix.cases(self, node, &context, &common).into_iter().flatten());
        } else if cases.is_none_or(|cases| matches!(&cases.value, Value::List(items) if items.is_empty())) {
            let hint = "`cases` lists questions; `principals`, `actions` and `resources` make a matrix";
            self.fields.wrong_with_hint(node.place, "the test asks nothing", hint);
        }
        for item in self.fields.items(cases, "`cases`") {
            all.extend(self.case(item, &context, &common));
        }
        Test {
            name: self.fields.optional_text(name, "`name`").map_or_else(|| format!("test {number}"), short),
            description: self.fields.optional_text(description, "`description`").map(short),
            line: node.place.line,
            fixtures: fixtures.map(|fixtures| self.fixtures(fixtures)).unwrap_or_default(),
            cases: all,
        }
    }

    fn case(&mut self, node: &Node, context: &Arc<JsonObject>, common: &Besides) -> Option<Case> {
        let known = [
            "name",
            "principal",
            "action",
            "resource",
            "context",
            "entities",
            "tuples",
            "expect",
            "policies",
            "errors",
            "warnings",
        ];
        let [
            name,
            principal,
            action_node,
            resource,
            own_context,
            entities,
            tuples,
            expected,
            policies,
            errors,
            warnings,
        ] = self.fields.map(node, "a case", known);
        let name = self.fields.optional_text(name, "`name`");
        let words =
            [principal, action_node, resource].map(|node| Arc::from(node.and_then(written).unwrap_or_default()));
        let principal = self.fields.needed(node, "principal", principal).and_then(|node| self.entity(node));
        let action = self.fields.needed(node, "action", action_node).and_then(|node| action(&mut self.fields, node));
        let resource = self.fields.needed(node, "resource", resource).and_then(|node| self.entity(node));
        let context = match own_context {
            Some(own) => self.context(own)?,
            None => Arc::clone(context),
        };
        let entities = self.entities(entities).into_iter().map(|entity| entity.what).collect();
        let mut own_tuples = Vec::new();
        for item in self.fields.items(tuples, "`tuples`") {
            own_tuples.extend(tuple(&mut self.fields, item));
        }
        let answer = self.fields.needed(node, "expect", expected).and_then(|expected| self.answer(expected));
        let own = self.besides([policies, errors, warnings]);
        if !self.room_for(node, 1) {
            return None;
        }
        Some(Case {
            name,
            line: node.place.line,
            words,
            principal: principal?,
            action: action?,
            resource: resource?,
            context,
            entities,
            tuples: own_tuples,
            expected: Arc::new(Expected {
                answer: answer?,
                besides: Besides {
                    policies: own.policies.or_else(|| common.policies.clone()),
                    errors: if errors.is_some() { own.errors } else { common.errors.clone() },
                    warnings: if warnings.is_some() { own.warnings } else { common.warnings.clone() },
                },
            }),
        })
    }

    /// Takes room for some questions, if there is any.
    pub(super) fn room_for(&mut self, node: &Node, questions: usize) -> bool {
        let left = self.room.checked_sub(questions);
        if left.is_none() {
            self.fields.wrong(node.place, format!("the file asks more than {MAX_QUESTIONS} questions"));
        }
        self.room = left.unwrap_or(self.room);
        left.is_some()
    }

    /// What is expected besides the answer.
    fn besides(&mut self, [policies, errors, warnings]: [Option<&Node>; 3]) -> Besides {
        Besides {
            policies: policies.map(|node| Arc::new(self.texts(node, "`policies`").collect())),
            errors: Errors::These(Arc::new(
                errors.map(|node| self.texts(node, "`errors`").collect()).unwrap_or_default(),
            )),
            warnings: Some(warnings.map(|node| self.texts(node, "`warnings`").collect()).unwrap_or_default()),
        }
    }

    /// `allow`, `deny`, or `error`: that there is no decision.
    pub(super) fn answer(&mut self, node: &Node) -> Option<Wanted> {
        self.word(Some(node), [("allow", Wanted::Allow), ("deny", Wanted::Deny), ("error", Wanted::Error)])
    }

    /// One of some words.
    fn word<T: Copy, const N: usize>(&mut self, node: Option<&Node>, words: [(&str, T); N]) -> Option<T> {
        let node = node?;
        let text = self.fields.text(node, "the value")?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.fields.wrong(node.place, format!("the value is `{text}`, expected one of {}", words.join(", ")));
        }
        found
    }

    /// One text, or a list of texts.
    pub(super) fn texts(&mut self, node: &Node, what: &str) -> impl Iterator<Item = String> + use<> {
        let one = matches!(node.value, Value::Text { .. });
        let items = if one { std::slice::from_ref(node) } else { self.fields.items(Some(node), what) };
        let texts: BTreeSet<String> =
            items.iter().filter_map(|item| self.fields.text(item, "the item").map(str::to_owned)).collect();
        texts.into_iter()
    }

    pub(super) fn entity(&mut self, node: &Node) -> Option<EntityUid> {
        self.names.entity(&mut self.fields, node)
    }

    pub(super) fn uid(&mut self, node: &Node) -> Option<EntityUid> {
        uid(&mut self.fields, node)
    }

    fn context(&mut self, node: &Node) -> Option<Arc<JsonObject>> {
        self.names.context(&mut self.fields, node)
    }

    pub(super) fn file_ref(&mut self, node: &Node, what: &str) -> Option<FileRef> {
        self.fields.text(node, what).map(|path| FileRef { place: node.place, path: path.to_owned() })
    }

    pub(super) fn sourced<T>(&self, node: &Node, what: T) -> Sourced<T> {
        Sourced { what, file: self.file.to_owned(), line: Some(node.place.line) }
    }
}

/// A text as it is written.
fn written(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text { text, .. } => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
    }
}
