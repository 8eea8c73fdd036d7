//! Many tuples at once, packed without the detour over changes.

use super::half::{Half, Index};
use super::{TooManyNames, Tuples, plain};
use crate::relation::edge::{Edge, Node};
use crate::relation::names::{Names, Symbols};
use crate::relation::side::{Side, Sides};
use crate::relation::tuple::{Tuple, TupleCondition, TupleKey};

/// Collects the tuples of a store that is loaded.
#[derive(Debug, Default)]
pub struct TuplesBuilder {
    symbols: Symbols,
    names: Names,
    edges: Vec<(Node, Edge)>,
    sides: Sides,
    bytes: usize,
}

/// The parts of a tuple's key as text; `subject_relation` is empty for none.
#[derive(Debug, Clone, Copy)]
pub struct KeyParts<'a> {
    pub object_type: &'a str,
    pub object_id: &'a str,
    pub relation: &'a str,
    pub subject_type: &'a str,
    pub subject_id: &'a str,
    pub subject_relation: &'a str,
}

impl<'a> KeyParts<'a> {
    pub(crate) fn of(key: &'a TupleKey) -> Self {
        Self {
            object_type: &key.object.type_name,
            object_id: &key.object.id,
            relation: &key.relation,
            subject_type: &key.subject.object.type_name,
            subject_id: &key.subject.object.id,
            subject_relation: key.subject.relation.as_deref().unwrap_or(""),
        }
    }

    /// The bytes of all parts.
    pub(crate) fn bytes(&self) -> usize {
        let Self { object_type, object_id, relation, subject_type, subject_id, subject_relation } = self;
        [object_type, object_id, relation, subject_type, subject_id, subject_relation]
            .map(|part| part.len())
            .iter()
            .sum()
    }
}

impl TuplesBuilder {
    /// Adds a tuple; no two may have one key.
    ///
    /// # Errors
    /// When there are too many names.
    pub fn push(
        &mut self,
        key: KeyParts<'_>,
        condition: Option<TupleCondition>,
        expires_at: Option<i64>,
    ) -> Result<(), TooManyNames> {
        let object_type = self.symbols.intern(key.object_type).ok_or(TooManyNames)?;
        let subject_type = self.symbols.intern(key.subject_type).ok_or(TooManyNames)?;
        let relation = self.symbols.intern(key.relation).ok_or(TooManyNames)?;
        let subject_relation = match key.subject_relation {
            "" => plain(key.subject_id),
            relation => self.symbols.intern(relation).ok_or(TooManyNames)?,
        };
        let object = self.names.intern_packed(object_type, key.object_id).ok_or(TooManyNames)?;
        let subject = self.names.intern_packed(subject_type, key.subject_id).ok_or(TooManyNames)?;
        let has_side = condition.is_some() || expires_at.is_some();
        self.bytes += key.bytes();
        let edge = Edge::forward(relation, subject_relation, subject, has_side);
        if has_side {
            let condition = condition.map(|condition| (condition.name, condition.context));
            let side = Side { condition, expires_at };
            self.bytes += side.bytes();
            self.sides.set(object, edge, Some(side));
        }
        self.edges.push((object, edge));
        Ok(())
    }

    /// Adds a tuple; no two may have one key.
    ///
    /// # Errors
    /// When there are too many names.
    pub fn push_tuple(&mut self, tuple: &Tuple) -> Result<(), TooManyNames> {
        self.push(KeyParts::of(&tuple.key), tuple.condition.clone(), tuple.expires_at)
    }

    /// The tuples, indexed.
    ///
    /// # Errors
    /// When there are too many of them to count.
    pub fn finish(self) -> Result<Tuples, TooManyNames> {
        let Self { symbols, names, edges, sides, bytes } = self;
        let nodes = names.len();
        let forward = Index::build(nodes, edges.iter().copied()).ok_or(TooManyNames)?;
        let backward = edges
            .iter()
            .map(|(object, edge)| (edge.node(), Edge::backward(edge.minor(), edge.major(), *object, edge.has_side())));
        let backward = Index::build(nodes, backward).ok_or(TooManyNames)?;
        let len = edges.len();
        let (forward, backward) = (Half::of(forward), Half::of(backward));
        Ok(Tuples { symbols, names, forward, backward, sides, len, bytes, pending: 0 })
    }
}
