//! From a model to its rules.

use std::collections::HashSet;

use smol_str::SmolStr;

use super::paths;
use super::{
    ConditionId, From, Kind, ModelSource, ModelSyntax, RelationId, RelationModel, RelationRules, Restriction, Rule,
    TypeId, TypeRules,
};
use crate::json::Json;
use crate::map::Table;
use crate::problem::{Problem, to_u32};
use crate::relation::codes;
use crate::relation::condition::CompiledCondition;
use crate::relation::from_json::model_from_json;
use crate::relation::model::{Model, RelationDefinition, RestrictionKind, Rewrite};
use crate::relation::parse::parse;
use crate::relation::place::placed;
use crate::relation::validate::validate;

impl RelationModel {
    /// Reads, validates and compiles a model; the problems beside it are warnings.
    ///
    /// # Errors
    /// Every problem, warnings included.
    pub fn read(id: &str, source: ModelSource) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let file = source.file.as_deref();
        let in_file = |problem: Problem| Problem { file: problem.file.or_else(|| file.map(str::to_owned)), ..problem };
        let read = match source.syntax {
            ModelSyntax::Dsl => parse(&source.text, file),
            ModelSyntax::Json => match serde_json::from_str::<Json>(&source.text) {
                Ok(json) => model_from_json(&json.0),
                Err(error) => Err(vec![malformed(&error)]),
            },
        };
        let all = |problems: Vec<Problem>| problems.into_iter().map(in_file).collect::<Vec<_>>();
        let model = read.map_err(all)?;
        let problems = validate(&model);
        if problems.iter().any(Problem::is_error) {
            return Err(all(problems));
        }
        let compiled = Self::compile(model).map_err(all)?;
        let warnings = all(problems);
        Ok((Self { id: SmolStr::new(id), source, ..compiled }, warnings))
    }

    /// Compiles a model that was found valid; it has no name and no text.
    ///
    /// # Errors
    /// What is wrong with its conditions, or with what validating should have found.
    pub fn compile(model: Model) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut conditions = Vec::with_capacity(model.conditions.len());
        let mut condition_ids = Table::default();
        for definition in &model.conditions {
            match CompiledCondition::compile(definition) {
                Ok(compiled) => {
                    condition_ids.insert(definition.name.clone(), number(conditions.len()));
                    conditions.push(compiled);
                }
                Err(found) => {
                    let place = |problem| placed(problem, &definition.source, &definition.name);
                    problems.extend(found.into_iter().map(place));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (mut types, mut type_ids, mut count) = (Vec::new(), Table::default(), 0_usize);
        for definition in &model.types {
            type_ids.insert(definition.name.clone(), number(types.len()));
            let relations = definition.relations.iter().map(|relation| {
                count += 1;
                (relation.name.clone(), number(count - 1))
            });
            types.push(TypeRules { relations: relations.collect() });
        }
        if count > usize::from(RelationId::MAX) || types.len() > usize::from(TypeId::MAX) {
            return Err(vec![Problem::error("model_invalid", "the model has too many types or relations")]);
        }
        let names = Names { types: &types, type_ids: &type_ids, conditions: &condition_ids };
        let mut relations = Vec::with_capacity(count);
        for (at, definition) in model.types.iter().enumerate() {
            for relation in &definition.relations {
                if let Some(rules) = names.rules(number(at), relation, definition) {
                    relations.push(rules);
                } else {
                    let text = format!("relation `{}#{}` names what is not defined", definition.name, relation.name);
                    problems.push(Problem::error("model_invalid", text));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        paths::find(&mut relations);
        let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: String::new() };
        Ok(Self { id: SmolStr::default(), source, model, types, type_ids, relations, conditions, condition_ids })
    }
}

/// What is wrong with a text that is no JSON; a place of 0 is none.
fn malformed(error: &serde_json::Error) -> Problem {
    let mut problem = Problem::error(codes::JSON, error.to_string());
    let place = |n: usize| (n > 0).then(|| to_u32(n));
    (problem.line, problem.column) = (place(error.line()), place(error.column()));
    problem
}

fn number(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

struct Names<'a> {
    types: &'a [TypeRules],
    type_ids: &'a Table<SmolStr, TypeId>,
    conditions: &'a Table<SmolStr, ConditionId>,
}

impl Names<'_> {
    fn relation(&self, type_id: TypeId, name: &str) -> Option<RelationId> {
        self.types.get(usize::from(type_id))?.relations.get(name).copied()
    }

    fn rules(
        &self,
        type_id: TypeId,
        relation: &RelationDefinition,
        of: &crate::relation::model::TypeDefinition,
    ) -> Option<RelationRules> {
        let restrictions = relation.restrictions.iter().map(|restriction| {
            let type_id = *self.type_ids.get(&restriction.type_name)?;
            let kind = match &restriction.kind {
                RestrictionKind::Object => Kind::Object,
                RestrictionKind::Wildcard => Kind::Wildcard,
                RestrictionKind::Userset(name) => Kind::Userset(self.relation(type_id, name)?),
            };
            let condition = match &restriction.condition {
                Some(name) => Some(*self.conditions.get(name)?),
                None => None,
            };
            Some(Restriction { type_id, kind, condition })
        });
        let mut restrictions = restrictions.collect::<Option<Vec<_>>>()?;
        let mut seen = HashSet::new();
        let usersets = restrictions.iter().filter_map(|restriction| match restriction.kind {
            Kind::Userset(target) => seen.insert(target).then_some((target, restriction.type_id)),
            Kind::Object | Kind::Wildcard => None,
        });
        let usersets = usersets.collect();
        restrictions.sort_unstable();
        Some(RelationRules {
            type_id,
            name: relation.name.clone(),
            rule: self.rule(type_id, &relation.rewrite, of)?,
            restrictions,
            usersets,
            sources: Vec::new(),
            ways: Vec::new(),
            this: None,
            leads: Vec::new(),
            leaf: false,
            recursive: false,
        })
    }

    fn rule(&self, type_id: TypeId, rewrite: &Rewrite, of: &crate::relation::model::TypeDefinition) -> Option<Rule> {
        let all = |rewrites: &[Rewrite]| rewrites.iter().map(|r| self.rule(type_id, r, of)).collect::<Option<Vec<_>>>();
        Some(match rewrite {
            Rewrite::This => Rule::This,
            Rewrite::Computed(name) => Rule::Computed(self.relation(type_id, name)?),
            Rewrite::TupleToUserset { tupleset, computed } => {
                let definition = of.relations.iter().find(|relation| relation.name == *tupleset)?;
                let mut targets: Vec<(TypeId, RelationId)> = Vec::new();
                for restriction in &definition.restrictions {
                    let parent = *self.type_ids.get(&restriction.type_name)?;
                    // A parent type without the relation adds nothing.
                    if let Some(target) = self.relation(parent, computed)
                        && restriction.kind == RestrictionKind::Object
                        && !targets.contains(&(parent, target))
                    {
                        targets.push((parent, target));
                    }
                }
                let tupleset = self.relation(type_id, tupleset)?;
                Rule::From(From { tupleset, computed: computed.clone(), targets })
            }
            Rewrite::Union(rewrites) => Rule::Union(all(rewrites)?),
            Rewrite::Intersection(rewrites) => Rule::Intersection(all(rewrites)?),
            Rewrite::Difference(base, subtract) => {
                Rule::Difference(Box::new(self.rule(type_id, base, of)?), Box::new(self.rule(type_id, subtract, of)?))
            }
        })
    }
}
