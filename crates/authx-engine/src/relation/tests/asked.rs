//! A model, tuples and a question as short text, asked in every way that must give the same answer.

use serde_json::{Map, Value as Json};

use super::world::NOW;
use crate::relation::tuple::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey};
use crate::relation::{
    Asking, Bound, GraphError, GraphLimits, ModelSource, ModelSyntax, RelationModel, Relations, Tuples, TuplesBuilder,
    UserFilter,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Allow,
    Deny,
    /// A condition has no value.
    Undetermined,
    /// A bound was hit.
    Bounded,
}
pub(super) use Answer::{Allow, Bounded, Deny, Undetermined};

/// Type `user`, and lines of `type relation: rewrite` or `condition …`.
pub(super) fn model_text(lines: &str) -> String {
    let (mut types, mut conditions) = (Vec::<(&str, String)>::new(), String::new());
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("condition ") {
            conditions.push_str(&format!("{line}\n"));
            continue;
        }
        let (type_name, relation) = line.split_once(' ').unwrap_or((line, ""));
        let at = types.iter().position(|(name, _)| *name == type_name).unwrap_or_else(|| {
            types.push((type_name, String::new()));
            types.len() - 1
        });
        if !relation.is_empty() {
            types[at].1.push_str(&format!("    define {relation}\n"));
        }
    }
    let mut text = "model\n  schema 1.1\ntype user\n".to_owned();
    for (name, relations) in types {
        let head = if relations.is_empty() { "" } else { "  relations\n" };
        text.push_str(&format!("type {name}\n{head}{relations}"));
    }
    text + &conditions
}

pub(super) fn read(lines: &str) -> Result<RelationModel, Vec<String>> {
    let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: model_text(lines) };
    let errors = |problems: Vec<crate::problem::Problem>| {
        problems.into_iter().filter(crate::problem::Problem::is_error).map(|p| p.code.into_owned()).collect()
    };
    RelationModel::read("m", source).map(|(model, _)| model).map_err(errors)
}

pub(super) fn model(lines: &str) -> RelationModel {
    read(lines).unwrap_or_else(|problems| panic!("{problems:?}\n{}", model_text(lines)))
}

/// `document:1#viewer@user:ann`, then perhaps ` until 7`, then perhaps ` with condition {"its": "context"}`.
pub(super) fn tuple(text: &str) -> Tuple {
    let (rest, condition) = match text.split_once(" with ") {
        Some((rest, condition)) => {
            let (name, context) = condition.split_once(' ').unwrap_or((condition, "{}"));
            (rest, Some(TupleCondition { name: name.into(), context: json(context) }))
        }
        None => (text, None),
    };
    let (key, until) = rest.split_once(" until ").map_or((rest, None), |(key, until)| (key, Some(until)));
    Tuple { key: TupleKey::parse(key).unwrap(), condition, expires_at: until.map(|until| until.parse().unwrap()) }
}

pub(super) fn tuples<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Vec<Tuple> {
    texts.into_iter().map(|text| tuple(text.as_ref())).collect()
}

pub(super) fn json(text: &str) -> Map<String, Json> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// `user:ann viewer document:1`, then perhaps a context.
pub(super) fn question(text: &str) -> (TupleKey, Map<String, Json>) {
    let mut parts = text.splitn(4, ' ');
    let subject = SubjectRef::parse(parts.next().unwrap()).unwrap();
    let relation = parts.next().unwrap().into();
    let object = ObjectRef::parse(parts.next().unwrap()).unwrap();
    (TupleKey { object, relation, subject }, parts.next().map(json).unwrap_or_default())
}

pub(super) fn answer(got: Result<bool, GraphError>) -> Answer {
    match got {
        Ok(true) => Allow,
        Ok(false) => Deny,
        Err(GraphError::TooDeep { .. } | GraphError::TooMuchWork { .. }) => Bounded,
        Err(GraphError::MissingParameters { .. } | GraphError::ConditionFailed { .. }) => Undetermined,
        Err(error) => panic!("{error}"),
    }
}

/// Loaded at once, as at a start.
pub(super) fn packed(tuples: &[Tuple]) -> Tuples {
    let mut builder = TuplesBuilder::default();
    for tuple in tuples {
        builder.push_tuple(tuple).unwrap();
    }
    builder.finish().unwrap()
}

/// A model and what is stored.
pub(super) struct Store {
    pub(super) model: RelationModel,
    pub(super) tuples: Tuples,
}

impl Store {
    pub(super) fn new<S: AsRef<str>>(lines: &str, texts: impl IntoIterator<Item = S>) -> Self {
        Self { model: model(lines), tuples: packed(&tuples(texts)) }
    }

    pub(super) fn check(&self, text: &str) -> Answer {
        self.within(text, GraphLimits::default())
    }

    pub(super) fn within(&self, text: &str, limits: GraphLimits) -> Answer {
        let (key, context) = question(text);
        let bound = Bound::new(&self.model, &self.tuples);
        let asking = Asking { context: &context, now: NOW, limits };
        answer(Relations::new(&self.model, &self.tuples, &bound).check(&key, &asking, false).map(|c| c.allowed))
    }

    /// The ids, in order; `user:ann viewer document {context}`.
    pub(super) fn objects(&self, text: &str) -> Result<Vec<String>, Answer> {
        let mut parts = text.splitn(4, ' ');
        let subject = SubjectRef::parse(parts.next().unwrap()).unwrap();
        let (relation, type_name) = (parts.next().unwrap(), parts.next().unwrap());
        let context = parts.next().map(json).unwrap_or_default();
        let bound = Bound::new(&self.model, &self.tuples);
        let asking = Asking { context: &context, now: NOW, limits: GraphLimits::default() };
        let listed = Relations::new(&self.model, &self.tuples, &bound);
        let listed = listed.list_objects(type_name, relation, &subject, &asking, usize::MAX);
        let listed = listed.map_err(|error| answer(Err(error)))?;
        assert!(listed.complete);
        let mut ids: Vec<String> = listed.items.into_iter().map(|object| object.id.to_string()).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// `document:1 viewer user`, or `document:1 viewer group#member`.
    pub(super) fn users(&self, text: &str) -> Result<Vec<SubjectRef>, Answer> {
        let parts: Vec<&str> = text.split(' ').collect();
        let (type_name, relation) = parts[2].split_once('#').map_or((parts[2], None), |(t, r)| (t, Some(r.into())));
        let filter = UserFilter { type_name: type_name.into(), relation };
        let (object, context) = (ObjectRef::parse(parts[0]).unwrap(), Map::new());
        let bound = Bound::new(&self.model, &self.tuples);
        let asking = Asking { context: &context, now: NOW, limits: GraphLimits::default() };
        let listed = Relations::new(&self.model, &self.tuples, &bound);
        let listed = listed.list_users(&object, parts[1], &filter, &asking, usize::MAX);
        Ok(listed.map_err(|error| answer(Err(error)))?.items)
    }
}

/// Asks: of tuples loaded, of tuples written, of both mixed, of contextual ones; by a check and by both lists.
pub(super) fn check<S: AsRef<str>>(lines: &str, texts: impl IntoIterator<Item = S>, asked: &str, expected: Answer) {
    let (model, all) = (model(lines), tuples(texts));
    ask(&model, &all, asked, expected);
}

pub(super) fn ask(model: &RelationModel, all: &[Tuple], asked: &str, expected: Answer) {
    let (front, back) = all.split_at(all.len() / 2);
    let written = Tuples::default().changed(&[], all).unwrap();
    let stored = [
        ("loaded", packed(all), &[][..]),
        ("packed", written.merged().unwrap(), &[]),
        ("written", written, &[]),
        ("mixed", packed(front).changed(&[], back).unwrap(), &[]),
        ("partly contextual", packed(front), back),
        ("contextual", Tuples::default(), all),
    ];
    let (key, context) = question(asked);
    let asking = Asking { context: &context, now: NOW, limits: GraphLimits::default() };
    for (how, stored, contextual) in stored {
        let bound = Bound::new(model, &stored);
        let relations = Relations::new(model, &stored, &bound).with(contextual).unwrap();
        let got = relations.check(&key, &asking, false);
        assert_eq!(answer(got.clone().map(|c| c.allowed)), expected, "{asked}, {how}: {got:?}");
        let told = relations.check(&key, &asking, true);
        assert_eq!(answer(told.clone().map(|c| c.allowed)), expected, "{asked}, {how}, with its path: {told:?}");
        lists(&relations, &key, &asking, expected, how, true);
    }
}

/// Whether the lists hold what the check allows, and nothing that it does not. `alone`: nothing else has a part in the
/// lists, whose conditions could fail.
fn lists(relations: &Relations<'_>, key: &TupleKey, asking: &Asking<'_>, expected: Answer, how: &str, alone: bool) {
    let object_type = &key.object.type_name;
    match relations.list_objects(object_type, &key.relation, &key.subject, asking, usize::MAX) {
        Ok(list) if expected == Allow => assert!(list.items.contains(&key.object), "{key}, {how}: {list:?}"),
        Ok(list) if expected != Bounded => assert!(!list.items.contains(&key.object), "{key}, {how}: {list:?}"),
        Ok(_) => {}
        Err(error) => assert!(!alone || expected == Undetermined || expected == Bounded, "{key}, {how}: {error}"),
    }
    let subject = &key.subject;
    let filter = UserFilter { type_name: subject.object.type_name.clone(), relation: subject.relation.clone() };
    let list = match relations.list_users(&key.object, &key.relation, &filter, asking, usize::MAX) {
        Ok(list) => list,
        // The model does not know such subjects any more, or somebody is too far away.
        Err(GraphError::UnknownType(_) | GraphError::UnknownRelation { .. }) if expected == Deny => return,
        Err(GraphError::TooDeep { .. } | GraphError::TooMuchWork { .. }) => return,
        Err(error) => {
            assert!(!alone || expected == Undetermined, "{key}, {how}: its users: {error}");
            return;
        }
    };
    let everyone = |user: &SubjectRef| user.is_wildcard() && subject.relation.is_none();
    if expected == Allow {
        let named = list.items.iter().any(|user| user == subject || everyone(user));
        assert!(named, "{key}, {how}: {list:?}");
    } else if expected != Bounded {
        assert!(!list.items.contains(subject), "{key}, {how}: {list:?}");
    }
}

/// Asks everything about every name: what the lists say and what the checks say is the same.
pub(super) fn agree<S: AsRef<str>>(lines: &str, texts: impl IntoIterator<Item = S>, context: &str) {
    let (model, all, context) = (model(lines), tuples(texts), json(context));
    let stored = packed(&all);
    let bound = Bound::new(&model, &stored);
    let relations = Relations::new(&model, &stored, &bound);
    let asking = Asking { context: &context, now: NOW, limits: GraphLimits::default() };
    let mut objects: Vec<ObjectRef> = all.iter().map(|tuple| tuple.key.object.clone()).collect();
    let mut subjects: Vec<SubjectRef> = all.iter().map(|tuple| tuple.key.subject.clone()).collect();
    objects.extend(subjects.iter().map(|subject| subject.object.clone()).filter(|object| !object.is_wildcard()));
    subjects.push(SubjectRef::parse("user:nobody").unwrap());
    objects.sort_unstable();
    objects.dedup();
    subjects.sort_unstable();
    subjects.dedup();
    for definition in &model.model().types {
        for relation in &definition.relations {
            for subject in &subjects {
                let of_type = objects.iter().filter(|object| object.type_name == definition.name);
                let checks: Vec<(ObjectRef, Answer)> = of_type
                    .map(|object| {
                        let key = TupleKey {
                            object: object.clone(),
                            relation: relation.name.clone(),
                            subject: subject.clone(),
                        };
                        (object.clone(), answer(relations.check(&key, &asking, false).map(|c| c.allowed)))
                    })
                    .collect();
                let what = format!("{} of {} for {subject}", relation.name, definition.name);
                let list = relations.list_objects(&definition.name, &relation.name, subject, &asking, usize::MAX);
                let Ok(mut list) = list.map(|list| list.items) else {
                    assert!(checks.iter().any(|(_, answer)| *answer == Undetermined), "{what}");
                    continue;
                };
                list.sort_unstable();
                let allowed = checks.iter().filter(|(_, answer)| *answer == Allow).map(|(object, _)| object);
                assert_eq!(list.iter().collect::<Vec<_>>(), allowed.collect::<Vec<_>>(), "{what}");
                for limit in 0..list.len() {
                    let cut = relations.list_objects(&definition.name, &relation.name, subject, &asking, limit);
                    let cut = cut.unwrap();
                    assert!(cut.items.len() == limit && cut.items.iter().all(|o| list.contains(o)), "{what}: {cut:?}");
                    assert!(!cut.complete, "{what}");
                }
            }
        }
    }
}

/// The model refuses the tuple, and where it is stored all the same, it grants nothing.
pub(super) fn refused<S: AsRef<str>>(lines: &str, refused: &str, others: impl IntoIterator<Item = S>, asked: &str) {
    let (model, mut all) = (model(lines), tuples(others));
    let bad = tuple(refused);
    assert!(model.check_tuple(&bad).is_err(), "{refused} is taken");
    for other in &all {
        assert_eq!(model.check_tuple(other), Ok(()), "{}", other.key);
    }
    all.push(bad);
    ask(&model, &all, asked, Deny);
}

/// Asks one after the other, forwards and backwards, and at the same time: no answer changes another.
pub(super) fn in_any_order<S: AsRef<str>>(
    lines: &str,
    texts: impl IntoIterator<Item = S>,
    cases: &[(impl AsRef<str> + Sync, Answer)],
) {
    let (model, stored) = (model(lines), packed(&tuples(texts)));
    let bound = Bound::new(&model, &stored);
    let relations = Relations::new(&model, &stored, &bound);
    let once = |(asked, expected): &(_, Answer)| {
        let asked: &str = AsRef::as_ref(asked);
        let (key, context) = question(asked);
        let asking = Asking { context: &context, now: NOW, limits: GraphLimits::default() };
        let got = relations.check(&key, &asking, false);
        assert_eq!(answer(got.clone().map(|c| c.allowed)), *expected, "{asked}: {got:?}");
        lists(&relations, &key, &asking, *expected, "in any order", false);
    };
    cases.iter().for_each(once);
    cases.iter().rev().for_each(once);
    std::thread::scope(|scope| {
        for first in 0..4 {
            scope
                .spawn(move || (0..20).for_each(|_| cases.iter().cycle().skip(first).take(cases.len()).for_each(once)));
        }
    });
}
