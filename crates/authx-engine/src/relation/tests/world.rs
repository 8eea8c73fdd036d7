//! Random models, tuples and questions, from a seed.

use serde_json::{Map, Value as Json, json};

use crate::relation::model::{
    ConditionDefinition, Model, ParameterType, RelationDefinition, RestrictionKind, Rewrite, Source, TypeDefinition,
    TypeRestriction,
};
use crate::relation::tuple::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey};

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

pub(crate) const TYPES: [&str; 3] = ["user", "group", "doc"];
const RELATIONS: [&str; 4] = ["r0", "r1", "r2", "r3"];
pub(crate) const NOW: i64 = 1_000;

pub(crate) struct World {
    pub(crate) model: Model,
    pub(crate) stored: Vec<Tuple>,
    pub(crate) contextual: Vec<Tuple>,
    pub(crate) context: Map<String, Json>,
}

pub(crate) fn world(random: &mut Random) -> World {
    world_of(random, &|_| {})
}

/// A world whose model is adapted before tuples are made for it.
pub(crate) fn world_of(random: &mut Random, adapt: &dyn Fn(&mut Model)) -> World {
    let mut model = model(random);
    adapt(&mut model);
    let tuples = |random: &mut Random, n: usize| {
        let mut tuples: Vec<Tuple> = Vec::new();
        for _ in 0..n {
            let tuple = tuple(random, &model);
            tuples.retain(|other: &Tuple| other.key != tuple.key);
            tuples.push(tuple);
        }
        tuples
    };
    let n = 2 + random.below(24);
    let stored = tuples(random, n);
    let n = if random.one_in(2) { random.below(4) } else { 0 };
    let contextual = tuples(random, n);
    let mut context = Map::new();
    for name in ["p0", "p1"] {
        if !random.one_in(3) {
            context.insert(name.into(), json!(random.one_in(2)));
        }
    }
    World { model, stored, contextual, context }
}

fn model(random: &mut Random) -> Model {
    let mut types = vec![TypeDefinition { name: "user".into(), ..TypeDefinition::default() }];
    for name in &TYPES[1..] {
        let mut relations = vec![parent(random, name)];
        for relation in RELATIONS {
            let operator = random.below(10);
            let rewrite = rewrite(random, relation, operator, 2);
            let restrictions = if has_this(&rewrite) { restrictions(random) } else { Vec::new() };
            relations.push(definition(relation, rewrite, restrictions));
        }
        types.push(TypeDefinition { name: (*name).into(), relations, ..TypeDefinition::default() });
    }
    let condition = |name: &str, parameter: &str| ConditionDefinition {
        name: name.into(),
        parameters: vec![(parameter.into(), ParameterType::Bool)],
        expression: parameter.into(),
        source: Source::default(),
        comments: Vec::new(),
    };
    let conditions = vec![condition("c0", "p0"), condition("c1", "p1")];
    Model { schema_version: "1.1".into(), types, conditions, comments: Vec::new() }
}

fn definition(name: &str, rewrite: Rewrite, restrictions: Vec<TypeRestriction>) -> RelationDefinition {
    RelationDefinition { name: name.into(), rewrite, restrictions, source: Source::default(), comments: Vec::new() }
}

fn parent(random: &mut Random, _of: &str) -> RelationDefinition {
    let mut restrictions = Vec::new();
    for type_name in &TYPES[1..] {
        if random.one_in(2) {
            let condition = random.one_in(5).then(|| "c0".into());
            restrictions.push(TypeRestriction {
                type_name: (*type_name).into(),
                kind: RestrictionKind::Object,
                condition,
            });
        }
    }
    if restrictions.is_empty() {
        restrictions.push(TypeRestriction {
            type_name: "group".into(),
            kind: RestrictionKind::Object,
            condition: None,
        });
    }
    definition("parent", Rewrite::This, restrictions)
}

fn restrictions(random: &mut Random) -> Vec<TypeRestriction> {
    let mut all: Vec<TypeRestriction> = Vec::new();
    for _ in 0..=random.below(4) {
        let type_name = *random.pick(&TYPES);
        let kind = match random.below(if type_name == "user" { 3 } else { 7 }) {
            0 | 1 => RestrictionKind::Object,
            2 => RestrictionKind::Wildcard,
            _ => RestrictionKind::Userset((*random.pick(&RELATIONS)).into()),
        };
        let condition = random.one_in(5).then(|| (*random.pick(&["c0", "c1"])).into());
        let restriction = TypeRestriction { type_name: type_name.into(), kind, condition };
        if !all.contains(&restriction) {
            all.push(restriction);
        }
    }
    all
}

fn rewrite(random: &mut Random, own: &str, operator: usize, depth: usize) -> Rewrite {
    let operands = |random: &mut Random| -> Vec<Rewrite> {
        (0..2 + random.below(2))
            .map(|_| {
                let operator = if depth == 0 { random.below(5) } else { random.below(10) };
                rewrite(random, own, operator, depth.saturating_sub(1))
            })
            .collect()
    };
    match operator {
        0..=2 => Rewrite::This,
        3 => Rewrite::Computed((*random.pick(&RELATIONS)).into()),
        4 => {
            let computed = if random.one_in(2) { own } else { *random.pick(&RELATIONS) };
            Rewrite::TupleToUserset { tupleset: "parent".into(), computed: computed.into() }
        }
        5..=7 => Rewrite::Union(operands(random)),
        8 => Rewrite::Intersection(operands(random)),
        _ => {
            let mut both = operands(random).into_iter();
            Rewrite::Difference(Box::new(both.next().unwrap()), Box::new(both.next().unwrap()))
        }
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

pub(crate) fn object(random: &mut Random, type_name: &str) -> ObjectRef {
    ObjectRef::new(type_name, ["a", "b", "c"][random.below(3)])
}

pub(crate) fn relation(random: &mut Random) -> &'static str {
    let all: &[&'static str] = &RELATIONS;
    all[random.below(all.len())]
}

pub(crate) fn subject(random: &mut Random) -> SubjectRef {
    let type_name = *random.pick(&["user", "user", "user", "group", "doc"]);
    match random.below(8) {
        0 => SubjectRef { object: ObjectRef::new(type_name, "*"), relation: None },
        1 if type_name != "user" => {
            SubjectRef { object: object(random, type_name), relation: Some(relation(random).into()) }
        }
        _ => SubjectRef { object: object(random, type_name), relation: None },
    }
}

/// Mostly a tuple that the model allows.
fn tuple(random: &mut Random, model: &Model) -> Tuple {
    let of = &model.types[1 + random.below(2)];
    let relations: Vec<_> = of.relations.iter().filter(|r| !r.restrictions.is_empty()).collect();
    let relation = *random.pick(&relations);
    let restriction = random.pick(&relation.restrictions);
    let type_name = restriction.type_name.as_str();
    let mut named = match &restriction.kind {
        RestrictionKind::Object => SubjectRef { object: object(random, type_name), relation: None },
        RestrictionKind::Wildcard => SubjectRef { object: ObjectRef::new(type_name, "*"), relation: None },
        RestrictionKind::Userset(name) => {
            SubjectRef { object: object(random, type_name), relation: Some(name.clone()) }
        }
    };
    let mut condition = restriction.condition.clone();
    if random.one_in(12) {
        named = subject(random);
    }
    if random.one_in(12) {
        condition = random.one_in(2).then(|| "c1".into());
    }
    let condition = condition.map(|name| {
        let mut context = Map::new();
        if random.one_in(2) {
            let parameter = if name == "c0" { "p0" } else { "p1" };
            context.insert(parameter.into(), json!(!random.one_in(3)));
        }
        TupleCondition { name, context }
    });
    let expires_at = random.one_in(10).then(|| if random.one_in(2) { NOW } else { NOW + 1 });
    let key = TupleKey { object: object(random, &of.name), relation: relation.name.clone(), subject: named };
    Tuple { key, condition, expires_at }
}
