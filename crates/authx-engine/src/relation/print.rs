//! Writes a model in the modelling language, in the form that OpenFGA's own tools give it.
//!
//! JSON can say a little more than the language; [`super::validate`] warns of it as `not_expressible`.

use super::model::{
    ConditionDefinition, Model, ParameterType, RelationDefinition, RestrictionKind, Rewrite, TypeDefinition,
    TypeRestriction,
};
use super::modules::Module;

/// The text of `model`: reading it again gives the same model, where the language can say it.
#[must_use]
pub fn print(model: &Model) -> String {
    let mut text = String::new();
    print_comments(&mut text, &model.comments, "");
    text.push_str(&format!("model\n  schema {}\n", model.schema_version));
    for definition in &model.types {
        text.push('\n');
        print_type(&mut text, definition, "");
    }
    for condition in &model.conditions {
        text.push('\n');
        print_condition(&mut text, condition);
    }
    text
}

/// The text of one file of a model of several; its declarations stay in their order.
#[must_use]
pub fn print_module(module: &Module) -> String {
    let mut text = String::new();
    print_comments(&mut text, &module.comments, "");
    text.push_str(&format!("module {}\n", module.name));
    let own = module.types.iter().map(|definition| (definition, ""));
    let mut definitions: Vec<_> = own.chain(module.extensions.iter().map(|extension| (extension, "extend "))).collect();
    definitions.sort_by_key(|(definition, _)| definition.source.line);
    for (definition, word) in definitions {
        text.push('\n');
        print_type(&mut text, definition, word);
    }
    for condition in &module.conditions {
        text.push('\n');
        print_condition(&mut text, condition);
    }
    text
}

fn print_comments(text: &mut String, comments: &[String], indent: &str) {
    for line in comments.iter().flat_map(|comment| comment.split('\n')) {
        let gap = if line.is_empty() { "" } else { " " };
        text.push_str(&format!("{indent}#{gap}{line}\n"));
    }
}

fn print_type(text: &mut String, definition: &TypeDefinition, word: &str) {
    print_comments(text, &definition.comments, "");
    text.push_str(&format!("{word}type {}\n", definition.name));
    if definition.relations.is_empty() {
        return;
    }
    text.push_str("  relations\n");
    for relation in &definition.relations {
        print_comments(text, &relation.comments, "    ");
        text.push_str(&format!("    define {}: ", relation.name));
        print_rewrite(text, &relation.rewrite, relation, false);
        text.push('\n');
    }
}

fn print_rewrite(text: &mut String, rewrite: &Rewrite, relation: &RelationDefinition, inner: bool) {
    match rewrite {
        Rewrite::This => print_restrictions(text, &relation.restrictions),
        Rewrite::Computed(computed) => text.push_str(computed),
        Rewrite::TupleToUserset { tupleset, computed } => text.push_str(&format!("{computed} from {tupleset}")),
        Rewrite::Union(operands) => print_operands(text, " or ", operands, relation, inner),
        Rewrite::Intersection(operands) => print_operands(text, " and ", operands, relation, inner),
        Rewrite::Difference(base, subtract) => {
            open(text, inner);
            print_rewrite(text, base, relation, true);
            text.push_str(" but not ");
            print_rewrite(text, subtract, relation, true);
            close(text, inner);
        }
    }
}

fn print_operands(text: &mut String, word: &str, operands: &[Rewrite], relation: &RelationDefinition, inner: bool) {
    // The language wants `[…]` first; for `or` and `and` the order means nothing.
    let direct = operands.iter().position(|operand| *operand == Rewrite::This);
    let first = direct.and_then(|place| operands.get(place));
    let others = operands.iter().enumerate().filter(|(place, _)| Some(*place) != direct).map(|(_, operand)| operand);
    open(text, inner);
    for (place, operand) in first.into_iter().chain(others).enumerate() {
        if place > 0 {
            text.push_str(word);
        }
        print_rewrite(text, operand, relation, true);
    }
    close(text, inner);
}

fn open(text: &mut String, inner: bool) {
    if inner {
        text.push('(');
    }
}

fn close(text: &mut String, inner: bool) {
    if inner {
        text.push(')');
    }
}

fn print_restrictions(text: &mut String, restrictions: &[TypeRestriction]) {
    let written: Vec<String> = restrictions.iter().map(restriction_text).collect();
    text.push_str(&format!("[{}]", written.join(", ")));
}

/// `user`, `user:*`, `group#member`, each perhaps `with condition`.
pub(super) fn restriction_text(restriction: &TypeRestriction) -> String {
    let subject = match &restriction.kind {
        RestrictionKind::Object => restriction.type_name.to_string(),
        RestrictionKind::Wildcard => format!("{}:*", restriction.type_name),
        RestrictionKind::Userset(relation) => format!("{}#{relation}", restriction.type_name),
    };
    match &restriction.condition {
        Some(condition) => format!("{subject} with {condition}"),
        None => subject,
    }
}

fn print_condition(text: &mut String, condition: &ConditionDefinition) {
    print_comments(text, &condition.comments, "");
    let parameters: Vec<String> =
        condition.parameters.iter().map(|(name, kind)| format!("{name}: {}", type_text(kind))).collect();
    text.push_str(&format!("condition {}({}) {{\n", condition.name, parameters.join(", ")));
    text.push_str(&format!("  {}\n}}\n", condition.expression));
}

fn type_text(kind: &ParameterType) -> String {
    match kind {
        ParameterType::Any => "any".to_owned(),
        ParameterType::Bool => "bool".to_owned(),
        ParameterType::String => "string".to_owned(),
        ParameterType::Int => "int".to_owned(),
        ParameterType::Uint => "uint".to_owned(),
        ParameterType::Double => "double".to_owned(),
        ParameterType::Duration => "duration".to_owned(),
        ParameterType::Timestamp => "timestamp".to_owned(),
        ParameterType::IpAddress => "ipaddress".to_owned(),
        ParameterType::List(inner) => format!("list<{}>", type_text(inner)),
        ParameterType::Map(inner) => format!("map<{}>", type_text(inner)),
    }
}
