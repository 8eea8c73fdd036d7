//! One level of a relation, read off the model's tree and the plain tuples.

use super::Naive;
use crate::relation::model::{RelationDefinition, Rewrite};
use crate::relation::tuple::ObjectRef;
use crate::relation::{Expansion, Leaf};

impl Naive<'_> {
    pub(in crate::relation::tests) fn expand(&self, object: &ObjectRef, relation: &str) -> Expansion {
        let of = self.relation(&object.type_name, relation).unwrap();
        self.level(&of.rewrite, object, of)
    }

    fn level(&self, rewrite: &Rewrite, object: &ObjectRef, of: &RelationDefinition) -> Expansion {
        let again = |rewrite: &Rewrite| self.level(rewrite, object, of);
        let leaf = match rewrite {
            Rewrite::This => Leaf::Users(self.named(object, of, false)),
            Rewrite::Computed(other) => Leaf::Computed(format!("{object}#{other}")),
            Rewrite::TupleToUserset { tupleset, computed } => {
                let parents = self.named(object, self.relation(&object.type_name, tupleset).unwrap(), true);
                let computed = parents.iter().map(|parent| format!("{parent}#{computed}")).collect();
                Leaf::TupleToUserset { tupleset: format!("{object}#{tupleset}"), computed }
            }
            Rewrite::Union(all) => Leaf::Union(all.iter().map(again).collect()),
            Rewrite::Intersection(all) => Leaf::Intersection(all.iter().map(again).collect()),
            Rewrite::Difference(base, subtract) => Leaf::Difference(Box::new(again(base)), Box::new(again(subtract))),
        };
        Expansion { name: format!("{object}#{}", of.name), leaf }
    }

    /// The subjects of an object's tuples, whatever their conditions; `plain`: of those that are one object.
    fn named(&self, object: &ObjectRef, of: &RelationDefinition, plain: bool) -> Vec<String> {
        let of_it = self.tuples.iter().filter(|t| t.key.object == *object && t.key.relation == of.name);
        let standing = of_it.filter(|tuple| self.stands(tuple, of)).map(|tuple| &tuple.key.subject);
        let one = standing.filter(|subject| !plain || (subject.relation.is_none() && !subject.is_wildcard()));
        let mut subjects: Vec<String> = one.map(ToString::to_string).collect();
        subjects.sort();
        subjects
    }
}
