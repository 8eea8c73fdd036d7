//! Models made at random, the same ones every time: whatever is written is read back.

use smol_str::{SmolStr, format_smolstr};

use super::read;
use crate::relation::model::{
    ConditionDefinition, Model, ParameterType, RelationDefinition, RestrictionKind, Rewrite, Source, TypeDefinition,
    TypeRestriction,
};
use crate::relation::tests::world::Random;
use crate::relation::{model_from_json, model_to_http_json, model_to_json, print, validate};

const NAMES: &[&str] =
    &["user", "doc", "type", "model", "relation", "team/x", "a.b", "a-b", "_x", "map", "but", "not", "extend", "X9"];
const CONDITIONS: &[&str] = &["c", "in_hours", "x-y"];
const COMMENTS: &[&str] = &["", "who may", " indented", "# twice", "a \"quoted\" } word", "ünï"];
const EXPRESSIONS: &[&str] =
    &["x < 1", "s == \"}\"", "m['a'] in [1, 2] &&\n    {\"a\": 1}.a == 1", "'#' + r'\\' == \"\\\"\""];

pub(super) fn model(random: &mut Random) -> Model {
    let types = (0..random.below(5)).map(|place| type_definition(random, place)).collect();
    let conditions = (0..random.below(3)).map(|place| condition(random, place)).collect();
    let schema_version = SmolStr::new(*random.pick(&["1.1", "1.2"]));
    Model { schema_version, types, conditions, comments: comments(random) }
}

fn comments(random: &mut Random) -> Vec<String> {
    let many = if random.below(3) == 0 { random.below(4) } else { 0 };
    (0..many).map(|_| (*random.pick(COMMENTS)).to_owned()).collect()
}

fn name(random: &mut Random) -> SmolStr {
    SmolStr::new(random.pick(NAMES))
}

fn type_definition(random: &mut Random, place: usize) -> TypeDefinition {
    let relations = (0..random.below(5)).map(|place| relation(random, place)).collect();
    let name = format_smolstr!("{}{place}", random.pick(NAMES));
    TypeDefinition { name, relations, source: Source::default(), comments: comments(random) }
}

fn relation(random: &mut Random, place: usize) -> RelationDefinition {
    let name = format_smolstr!("{}{place}", random.pick(NAMES));
    let rewrite = rewrite(random, true, 4);
    let direct = has_direct(&rewrite);
    let restrictions = (0..if direct { 1 + random.below(4) } else { 0 }).map(|_| restriction(random)).collect();
    RelationDefinition { name, rewrite, restrictions, source: Source::default(), comments: comments(random) }
}

fn has_direct(rewrite: &Rewrite) -> bool {
    match rewrite {
        Rewrite::This => true,
        Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => false,
        Rewrite::Union(operands) | Rewrite::Intersection(operands) => operands.iter().any(has_direct),
        Rewrite::Difference(base, subtract) => has_direct(base) || has_direct(subtract),
    }
}

fn restriction(random: &mut Random) -> TypeRestriction {
    let kind = match random.below(3) {
        0 => RestrictionKind::Object,
        1 => RestrictionKind::Wildcard,
        _ => RestrictionKind::Userset(name(random)),
    };
    let condition = (random.below(3) == 0).then(|| SmolStr::new(random.pick(CONDITIONS)));
    TypeRestriction { type_name: name(random), kind, condition }
}

/// `first`: whether `[…]` may stand here.
fn rewrite(random: &mut Random, first: bool, depth: usize) -> Rewrite {
    let leaf = |random: &mut Random| match random.below(3) {
        0 if first => Rewrite::This,
        1 => Rewrite::TupleToUserset { tupleset: name(random), computed: name(random) },
        _ => Rewrite::Computed(name(random)),
    };
    if depth == 0 {
        return leaf(random);
    }
    match random.below(6) {
        0 => Rewrite::Union(operands(random, first, depth)),
        1 => Rewrite::Intersection(operands(random, first, depth)),
        2 => Rewrite::Difference(
            Box::new(rewrite(random, first, depth - 1)),
            Box::new(rewrite(random, false, depth - 1)),
        ),
        _ => leaf(random),
    }
}

fn operands(random: &mut Random, first: bool, depth: usize) -> Vec<Rewrite> {
    let count = 2 + random.below(3);
    (0..count).map(|place| rewrite(random, first && place == 0, depth - 1)).collect()
}

fn condition(random: &mut Random, place: usize) -> ConditionDefinition {
    let parameters = (0..random.below(4)).map(|place| (format_smolstr!("p{place}"), parameter(random, 1))).collect();
    ConditionDefinition {
        name: format_smolstr!("{}{place}", random.pick(CONDITIONS)),
        parameters,
        expression: (*random.pick(EXPRESSIONS)).to_owned(),
        source: Source::default(),
        comments: comments(random),
    }
}

fn parameter(random: &mut Random, depth: usize) -> ParameterType {
    match random.below(if depth == 0 { 9 } else { 11 }) {
        0 => ParameterType::Any,
        1 => ParameterType::Bool,
        2 => ParameterType::String,
        3 => ParameterType::Int,
        4 => ParameterType::Uint,
        5 => ParameterType::Double,
        6 => ParameterType::Duration,
        7 => ParameterType::Timestamp,
        8 => ParameterType::IpAddress,
        9 => ParameterType::List(Box::new(parameter(random, 0))),
        _ => ParameterType::Map(Box::new(parameter(random, 0))),
    }
}

/// JSON has no comments, and its maps no order.
fn as_json_keeps_it(mut model: Model) -> Model {
    model.comments.clear();
    for definition in &mut model.types {
        definition.comments.clear();
        definition.relations.sort_by(|a, b| a.name.cmp(&b.name));
        definition.relations.iter_mut().for_each(|relation| relation.comments.clear());
    }
    model.conditions.sort_by(|a, b| a.name.cmp(&b.name));
    for condition in &mut model.conditions {
        condition.comments.clear();
        condition.parameters.sort_by(|a, b| a.0.cmp(&b.0));
    }
    model
}

#[test]
fn ten_thousand_models_are_read_back() {
    let mut random = Random(7);
    for _ in 0..10_000 {
        let model = model(&mut random);
        let text = print(&model);
        assert_eq!(read(&text), model, "{text}");
        assert_eq!(print(&read(&text)), text);

        let expected = as_json_keeps_it(model.clone());
        for json in [model_to_json(&model), model_to_http_json(&model)] {
            assert_eq!(as_json_keeps_it(model_from_json(&json).unwrap()), expected, "{json:#}");
        }
        let warned = validate(&model).iter().any(|problem| problem.code == "not_expressible");
        assert!(!warned, "{text}");
    }
}
