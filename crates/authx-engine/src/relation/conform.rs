//! Whether stored tuples are what another model allows too.

use super::rules::{RelationModel, TupleProblem};
use super::tuple::{Tuple, WILDCARD};
use super::tuples::Tuples;
use crate::map::Table;

/// The tuples that `before` allows and `after` does not, with the reason. Without a `before`, all that `after` does not
/// allow; without an `after`, all that `before` does. Expired ones are not looked at.
///
/// Tuples without a condition are alike when types and relations are: one of each kind is checked.
pub(crate) fn no_longer_allowed(
    tuples: &Tuples,
    before: Option<&RelationModel>,
    after: Option<&RelationModel>,
    now: i64,
    mut found: impl FnMut(Tuple, Option<&TupleProblem>),
) {
    let lost = |tuple: &Tuple| {
        if before.is_some_and(|before| before.check_tuple(tuple).is_err()) {
            return None;
        }
        match after {
            None => Some(None),
            Some(after) => after.check_tuple(tuple).err().map(Some),
        }
    };
    let mut alike = Table::default();
    for (object, edge) in tuples.edges() {
        if edge.has_side() {
            let tuple = tuples.tuple(object, edge);
            if tuple.expired(now) {
                continue;
            }
            if let Some(why) = lost(&tuple) {
                found(tuple, why.as_ref());
            }
            continue;
        }
        let types = (tuples.names.type_of(object), tuples.names.type_of(edge.node()));
        // No model allows a tuple from an object to itself, or one on all objects of a type.
        let never = (object == edge.node(), tuples.names.id(object) == WILDCARD);
        let kind = (types, edge.major(), edge.minor(), never);
        let why = alike.entry(kind).or_insert_with(|| lost(&tuples.tuple(object, edge)));
        if let Some(why) = why {
            found(tuples.tuple(object, edge), why.as_ref());
        }
    }
}
