//! One level of who has a relation to an object.

use super::walk::{Admitted, Walk, admits};
use super::{Asking, GraphError, Relations};
use crate::relation::edge::{Edge, NONE, Node};
use crate::relation::rules::{Kind, RelationId, RelationRules, Rule};
use crate::relation::tuple::ObjectRef;

/// A rewrite with what the tuples put into it. Nothing is evaluated: conditions are not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// The userset that this is about: `document:1#viewer`.
    pub name: String,
    pub leaf: Leaf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// The subjects of tuples.
    Users(Vec<String>),
    Computed(String),
    TupleToUserset {
        tupleset: String,
        computed: Vec<String>,
    },
    Union(Vec<Expansion>),
    Intersection(Vec<Expansion>),
    Difference(Box<Expansion>, Box<Expansion>),
}

pub(super) fn expand(
    relations: &Relations<'_>,
    object: &ObjectRef,
    relation: RelationId,
    asking: &Asking<'_>,
) -> Result<Expansion, GraphError> {
    let Some(rules) = relations.model.rules(relation) else {
        return Ok(Expansion { name: object.to_string(), leaf: Leaf::Users(Vec::new()) });
    };
    let (node, walk) = (relations.tuples.node(object), Walk::new(relations, asking));
    Expander { walk, object, node, relation, rules, leaves: 0 }.rule(&rules.rule)
}

struct Expander<'a> {
    walk: Walk<'a>,
    object: &'a ObjectRef,
    node: Option<Node>,
    relation: RelationId,
    rules: &'a RelationRules,
    /// Parts and subjects so far.
    leaves: u64,
}

impl Expander<'_> {
    fn rule(&mut self, rule: &Rule) -> Result<Expansion, GraphError> {
        self.leaf()?;
        let leaf = match rule {
            Rule::This => Leaf::Users(self.subjects(self.relation, self.rules, None)?),
            Rule::Computed(other) => Leaf::Computed(self.own(*other)),
            Rule::From(from) => {
                let parents = match self.walk.rules(from.tupleset) {
                    Some(rules) => self.subjects(from.tupleset, rules, Some(Kind::Object))?,
                    None => Vec::new(),
                };
                let computed = parents.iter().map(|parent| format!("{parent}#{}", from.computed)).collect();
                Leaf::TupleToUserset { tupleset: self.own(from.tupleset), computed }
            }
            Rule::Union(rules) => Leaf::Union(self.rules(rules)?),
            Rule::Intersection(rules) => Leaf::Intersection(self.rules(rules)?),
            Rule::Difference(base, subtract) => {
                Leaf::Difference(Box::new(self.rule(base)?), Box::new(self.rule(subtract)?))
            }
        };
        Ok(Expansion { name: self.own(self.relation), leaf })
    }

    fn rules(&mut self, rules: &[Rule]) -> Result<Vec<Expansion>, GraphError> {
        rules.iter().map(|rule| self.rule(rule)).collect()
    }

    /// A relation of the object.
    fn own(&self, relation: RelationId) -> String {
        let name = self.walk.rules(relation).map_or("", |rules| &rules.name);
        format!("{}#{name}", self.object)
    }

    /// Counts what the answer holds.
    fn leaf(&mut self) -> Result<(), GraphError> {
        let limit = self.walk.asking.limits.leaves;
        self.leaves += 1;
        if self.leaves > limit { Err(GraphError::TooManyLeaves { limit }) } else { Ok(()) }
    }

    /// The subjects of the tuples that the model allows and that have not expired.
    fn subjects(
        &mut self,
        relation: RelationId,
        rules: &RelationRules,
        kind: Option<Kind>,
    ) -> Result<Vec<String>, GraphError> {
        let (tuples, symbol) = (self.walk.tuples, self.walk.bound.relation(relation));
        let Some(node) = self.node.filter(|_| symbol != NONE) else { return Ok(Vec::new()) };
        let mut subjects = Vec::new();
        for edge in tuples.forward.range(node, symbol, None) {
            if !self.walk.step() {
                return Err(self.walk.out_of_work());
            }
            if self.shows(node, rules, edge, kind) {
                self.leaf()?;
                subjects.push(tuples.tuple(node, edge).key.subject.to_string());
            }
        }
        subjects.sort_unstable();
        Ok(subjects)
    }

    /// Whether the tuple stands in the answer; its condition is not asked.
    fn shows(&self, node: Node, rules: &RelationRules, edge: Edge, only: Option<Kind>) -> bool {
        let Walk { model, tuples, asking, .. } = &self.walk;
        let known = self.walk.kind(edge).filter(|(_, kind)| only.is_none_or(|only| only == *kind));
        known.is_some_and(|(type_id, kind)| {
            let admitted = admits(model, tuples, asking.now, rules, (node, edge), type_id, kind);
            !matches!(admitted, Admitted::No)
        })
    }
}
