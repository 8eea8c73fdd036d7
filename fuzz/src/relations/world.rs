//! A small world from any bytes: each byte is a choice, and where they end it is the first.

use authx_engine::relation::{
    ConditionDefinition, Model, ObjectRef, ParameterType, RelationDefinition, RestrictionKind, Rewrite, Source,
    SubjectRef, Tuple, TupleCondition, TupleKey, TypeDefinition, TypeRestriction,
};
use serde_json::{Map, Value as Json, json};

pub(super) const TYPES: [&str; 3] = ["user", "group", "doc"];
pub(super) const RELATIONS: [&str; 4] = ["r0", "r1", "r2", "parent"];
pub(super) const IDS: [&str; 3] = ["a", "b", "c"];
pub(super) const NOW: i64 = 1_000;
const CONDITIONS: [(&str, &str); 2] = [("c0", "p0"), ("c1", "p1")];
const MOST_TUPLES: usize = 32;

pub(super) struct World {
    pub(super) model: Model,
    /// Each key once.
    pub(super) tuples: Vec<Tuple>,
    pub(super) subjects: Vec<SubjectRef>,
    pub(super) context: Map<String, Json>,
}

pub(super) fn world(data: &[u8]) -> World {
    let mut choices = Choices(data.iter());
    let types = TYPES.map(|name| type_definition(&mut choices, name));
    let model = Model {
        schema_version: "1.1".into(),
        types: types.into(),
        conditions: CONDITIONS.map(condition).into(),
        comments: Vec::new(),
    };
    let mut context = Map::new();
    for (_, parameter) in CONDITIONS {
        if let Some(value) = [None, Some(false), Some(true)][choices.below(3)] {
            context.insert(parameter.to_owned(), json!(value));
        }
    }
    let subjects = (0..2).map(|_| subject(&mut choices)).collect();
    let mut tuples: Vec<Tuple> = Vec::new();
    while choices.left() && tuples.len() < MOST_TUPLES {
        let tuple = tuple(&mut choices, &model);
        tuples.retain(|other| other.key != tuple.key);
        tuples.push(tuple);
    }
    World { model, tuples, subjects, context }
}

struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn left(&self) -> bool {
        !self.0.as_slice().is_empty()
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % n
    }

    fn name<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

fn type_definition(choices: &mut Choices<'_>, name: &str) -> TypeDefinition {
    let relation = |relation: &&str| {
        // A tupleset is nothing but tuples with plain objects.
        let rewrite = if *relation == "parent" { Rewrite::This } else { rewrite(choices, 3) };
        let restrictions = match has_this(&rewrite) {
            true if *relation == "parent" => parents(choices),
            true => (0..=choices.below(4)).map(|_| restriction(choices)).collect(),
            false => Vec::new(),
        };
        let (source, comments) = (Source::default(), Vec::new());
        RelationDefinition { name: (*relation).into(), rewrite, restrictions, source, comments }
    };
    let relations = if name == "user" { Vec::new() } else { RELATIONS.iter().map(relation).collect() };
    TypeDefinition { name: name.into(), relations, ..TypeDefinition::default() }
}

fn parents(choices: &mut Choices<'_>) -> Vec<TypeRestriction> {
    let conditions = [None, None, None, Some("c0")];
    let many = 1 + choices.below(2);
    let types = TYPES[1..].iter().cycle().skip(choices.below(2)).take(many);
    types
        .map(|name| TypeRestriction {
            type_name: (*name).into(),
            kind: RestrictionKind::Object,
            condition: choices.of(&conditions).map(Into::into),
        })
        .collect()
}

fn restriction(choices: &mut Choices<'_>) -> TypeRestriction {
    let type_name = choices.name(&TYPES);
    let kind = match choices.below(4) {
        0 => RestrictionKind::Object,
        1 => RestrictionKind::Wildcard,
        _ if type_name == "user" => RestrictionKind::Object,
        _ => RestrictionKind::Userset(choices.name(&RELATIONS).into()),
    };
    let condition = choices.of(&[None, None, None, None, Some("c0"), Some("c1")]).map(Into::into);
    TypeRestriction { type_name: type_name.into(), kind, condition }
}

fn rewrite(choices: &mut Choices<'_>, depth: usize) -> Rewrite {
    let operands = |choices: &mut Choices<'_>| (0..2 + choices.below(2)).map(|_| rewrite(choices, depth - 1)).collect();
    match choices.below(if depth == 0 { 4 } else { 8 }) {
        0 | 1 => Rewrite::This,
        2 => Rewrite::Computed(choices.name(&RELATIONS).into()),
        3 => Rewrite::TupleToUserset { tupleset: "parent".into(), computed: choices.name(&RELATIONS).into() },
        4 | 5 => Rewrite::Union(operands(choices)),
        6 => Rewrite::Intersection(operands(choices)),
        _ => Rewrite::Difference(Box::new(rewrite(choices, depth - 1)), Box::new(rewrite(choices, depth - 1))),
    }
}

fn has_this(rewrite: &Rewrite) -> bool {
    match rewrite {
        Rewrite::This => true,
        Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => false,
        Rewrite::Union(all) | Rewrite::Intersection(all) => all.iter().any(has_this),
        Rewrite::Difference(base, subtract) => has_this(base) || has_this(subtract),
    }
}

fn condition((name, parameter): (&str, &str)) -> ConditionDefinition {
    ConditionDefinition {
        name: name.into(),
        parameters: vec![(parameter.into(), ParameterType::Bool)],
        expression: parameter.to_owned(),
        source: Source::default(),
        comments: Vec::new(),
    }
}

fn subject(choices: &mut Choices<'_>) -> SubjectRef {
    let type_name = choices.name(&TYPES);
    let object = ObjectRef::new(type_name, choices.name(&["a", "b", "c", "*"]));
    let userset = type_name != "user" && !object.is_wildcard() && choices.below(2) == 1;
    SubjectRef { object, relation: userset.then(|| choices.name(&RELATIONS).into()) }
}

/// Mostly a tuple that the model allows.
fn tuple(choices: &mut Choices<'_>, model: &Model) -> Tuple {
    let of = choices.of(&model.types[1..]);
    let relation = choices.of(&of.relations);
    let object = ObjectRef::new(&of.name, choices.name(&IDS));
    let mut key = TupleKey { object, relation: relation.name.clone(), subject: subject(choices) };
    let mut name = None;
    if !relation.restrictions.is_empty() && choices.below(8) > 0 {
        let restriction = choices.of(&relation.restrictions);
        let (id, userset) = match &restriction.kind {
            RestrictionKind::Object => (choices.name(&IDS), None),
            RestrictionKind::Wildcard => ("*", None),
            RestrictionKind::Userset(name) => (choices.name(&IDS), Some(name.clone())),
        };
        key.subject = SubjectRef { object: ObjectRef::new(&restriction.type_name, id), relation: userset };
        name.clone_from(&restriction.condition);
    }
    let condition = name.map(|name| {
        let parameter = if name == "c0" { "p0" } else { "p1" };
        let value = [None, Some(false), Some(true)][choices.below(3)];
        TupleCondition { name, context: value.map(|value| (parameter.to_owned(), json!(value))).into_iter().collect() }
    });
    Tuple { key, condition, expires_at: [None, None, None, Some(NOW), Some(NOW + 1)][choices.below(5)] }
}
