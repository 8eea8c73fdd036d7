//! Who depends on whom in a model, so that the graph can be walked from either end.

use std::collections::HashMap;

use super::{Kind, Lead, RelationId, RelationRules, Rule, Source, Step, Way};

/// Fills in sources, leads, leaves and recursion.
pub(super) fn find(relations: &mut [RelationRules]) {
    for rules in relations.iter_mut() {
        let (mut sources, mut ways) = (Vec::new(), Vec::new());
        collect(&rules.rule, true, 1, &mut sources);
        collect(&rules.rule, true, usize::MAX, &mut ways);
        (rules.sources, rules.ways) = (distinct(sources), distinct(ways));
        rules.this = rules.sources.iter().find(|source| source.way == Way::This).map(|source| source.certain);
        rules.leaf = rules.rule == Rule::This && rules.restrictions.iter().all(|r| !matches!(r.kind, Kind::Userset(_)));
    }
    let leaves: Vec<bool> =
        relations.iter().map(|rules| leads_to_leaves(relations, &rules.rule, rules, None)).collect();
    let recursive: Vec<bool> = (0..relations.len()).map(|at| is_recursive(relations, &leaves, at)).collect();
    let leads: Vec<(RelationId, Lead)> =
        relations.iter().enumerate().flat_map(|(at, rules)| found(at, rules)).collect();
    for (rules, recursive) in relations.iter_mut().zip(recursive) {
        rules.recursive = recursive;
    }
    for (from, lead) in leads {
        if let Some(rules) = relations.get_mut(usize::from(from)) {
            rules.leads.push(lead);
        }
    }
}

/// `operands`: how many of an intersection count.
fn collect(rule: &Rule, certain: bool, operands: usize, sources: &mut Vec<Source>) {
    match rule {
        Rule::This => sources.push(Source { way: Way::This, certain }),
        Rule::Computed(relation) => sources.push(Source { way: Way::Computed(*relation), certain }),
        Rule::From(from) => sources.push(Source { way: Way::From(from.clone()), certain }),
        Rule::Union(rules) => rules.iter().for_each(|rule| collect(rule, certain, operands, sources)),
        // Whoever passes all operands passes the first.
        Rule::Intersection(rules) => {
            rules.iter().take(operands).for_each(|rule| collect(rule, false, operands, sources));
        }
        Rule::Difference(base, _) => collect(base, false, operands, sources),
    }
}

/// Each way once: a rewrite may name one thousands of times, each with thousands of restrictions.
fn distinct(sources: Vec<Source>) -> Vec<Source> {
    let mut distinct: Vec<Source> = Vec::new();
    let mut places: HashMap<Way, usize> = HashMap::new();
    for source in sources {
        let place = *places.entry(source.way.clone()).or_insert(distinct.len());
        match distinct.get_mut(place) {
            Some(known) => known.certain |= source.certain,
            None => distinct.push(source),
        }
    }
    distinct
}

/// The leads into one relation, each with the relation that it starts from.
fn found(at: usize, rules: &RelationRules) -> Vec<(RelationId, Lead)> {
    let to = RelationId::try_from(at).unwrap_or(RelationId::MAX);
    let mut leads = Vec::new();
    for source in &rules.sources {
        let certain = source.certain;
        match &source.way {
            Way::This => {
                leads.extend(rules.usersets.iter().map(|(from, _)| (*from, Lead { to, step: Step::Userset, certain })));
            }
            Way::Computed(from) => leads.push((*from, Lead { to, step: Step::Computed, certain })),
            Way::From(from) => {
                let step = Step::From { tupleset: from.tupleset };
                leads.extend(from.targets.iter().map(|(_, target)| (*target, Lead { to, step, certain })));
            }
        }
    }
    leads.dedup();
    leads
}

/// Whether a rule is a union of leaves, `except` for the way back to one relation.
fn leads_to_leaves(relations: &[RelationRules], rule: &Rule, of: &RelationRules, except: Option<RelationId>) -> bool {
    match rule {
        Rule::This => of.restrictions.iter().all(|r| match r.kind {
            Kind::Object | Kind::Wildcard => true,
            Kind::Userset(relation) => Some(relation) == except,
        }),
        Rule::Computed(relation) => relations.get(usize::from(*relation)).is_some_and(|rules| rules.leaf),
        Rule::From(from) => {
            except.is_some_and(|except| from.targets.iter().all(|(_, target)| *target == except))
                && !from.targets.is_empty()
        }
        Rule::Union(rules) => rules.iter().all(|rule| leads_to_leaves(relations, rule, of, except)),
        Rule::Intersection(_) | Rule::Difference(..) => false,
    }
}

fn is_recursive(relations: &[RelationRules], leaves: &[bool], at: usize) -> bool {
    let (Some(rules), Ok(id)) = (relations.get(at), RelationId::try_from(at)) else { return false };
    leaves.get(at) == Some(&false) && leads_to_leaves(relations, &rules.rule, rules, Some(id))
}
