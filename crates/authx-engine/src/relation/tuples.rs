//! The tuples of one store at one revision: packed arrays with a small persistent change on top, seen from both ends.
//!
//! A change makes a new value that shares all it does not touch. Packing the changes in ([`Tuples::merged`]) takes as
//! long as there are tuples, so it is done once in many changes.

mod build;
mod half;

use super::edge::{Edge, NONE, Node, STAR, Symbol};
use super::names::{Names, Symbols};
use super::side::{Side, Sides};
use super::tuple::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey, WILDCARD};
pub use build::{KeyParts, TuplesBuilder};
pub(crate) use half::Half;

/// A store has more different names than can be numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store has too many different names of types and relations, or of objects")]
pub struct TooManyNames;

/// All tuples of a store.
#[derive(Debug, Clone, Default)]
pub struct Tuples {
    pub(crate) symbols: Symbols,
    pub(crate) names: Names,
    /// Edges by object.
    pub(crate) forward: Half,
    /// Edges by subject.
    pub(crate) backward: Half,
    sides: Sides,
    len: usize,
    bytes: usize,
    /// Changes since the arrays were packed.
    pending: usize,
}

/// A tuple as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) object: Node,
    pub(crate) relation: Symbol,
    pub(crate) subject: Node,
    pub(crate) subject_relation: Symbol,
}

impl Packed {
    pub(crate) fn forward(self, side: bool) -> Edge {
        Edge::forward(self.relation, self.subject_relation, self.subject, side)
    }

    pub(crate) fn backward(self, side: bool) -> Edge {
        Edge::backward(self.subject_relation, self.relation, self.object, side)
    }
}

impl Tuples {
    /// How many tuples there are, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of names, ids and values of all tuples, expired ones included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes since the arrays were packed.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// The tuple of a key.
    #[must_use]
    pub fn get(&self, key: &TupleKey) -> Option<Tuple> {
        let packed = self.pack(key)?;
        let edge = self.find(packed)?;
        let side = edge.has_side().then(|| self.side(packed.object, edge)).flatten();
        Some(Tuple {
            key: key.clone(),
            condition: side.and_then(|side| side.condition.clone()).map(condition),
            expires_at: side.and_then(|side| side.expires_at),
        })
    }

    /// These tuples without `deletes` and then with `puts`, which replace tuples of the same key.
    ///
    /// # Errors
    /// When there are too many names.
    pub fn changed(&self, deletes: &[TupleKey], puts: &[Tuple]) -> Result<Self, TooManyNames> {
        let mut tuples = self.clone();
        for key in deletes {
            if let Some(packed) = tuples.pack(key) {
                tuples.remove(key, packed);
            }
        }
        for tuple in puts {
            let packed = tuples.intern(&tuple.key).ok_or(TooManyNames)?;
            tuples.remove(&tuple.key, packed);
            let side = side(tuple);
            let has_side = side.is_some();
            tuples.bytes += KeyParts::of(&tuple.key).bytes() + side.as_ref().map_or(0, Side::bytes);
            tuples.forward.insert(packed.object, packed.forward(has_side));
            tuples.backward.insert(packed.subject, packed.backward(has_side));
            if has_side {
                tuples.sides.set(packed.object, packed.forward(true), side);
            }
            tuples.len += 1;
            tuples.pending += 1;
        }
        Ok(tuples)
    }

    fn remove(&mut self, key: &TupleKey, packed: Packed) {
        let Some(edge) = self.find(packed) else { return };
        self.forward.remove(packed.object, edge);
        self.backward.remove(packed.subject, packed.backward(edge.has_side()));
        self.bytes -= KeyParts::of(key).bytes();
        if edge.has_side() {
            self.bytes -= self.side(packed.object, edge).map_or(0, Side::bytes);
            self.sides.set(packed.object, edge, None);
        }
        self.len -= 1;
        self.pending += 1;
    }

    /// The same tuples with everything packed; `None` when they do not fit.
    #[must_use]
    pub fn merged(&self) -> Option<Self> {
        let names = self.names.packed()?;
        let nodes = names.len();
        Some(Self {
            symbols: self.symbols.clone(),
            names,
            forward: self.forward.packed(nodes)?,
            backward: self.backward.packed(nodes)?,
            sides: self.sides.clone(),
            len: self.len,
            bytes: self.bytes,
            pending: 0,
        })
    }

    pub(crate) fn side(&self, object: Node, edge: Edge) -> Option<&Side> {
        self.sides.get(object, edge)
    }

    /// Looks a tuple up from the end that has fewer of them.
    pub(crate) fn find(&self, packed: Packed) -> Option<Edge> {
        if self.backward.width(packed.subject) < self.forward.width(packed.object) {
            let found = self.backward.find(packed.subject, packed.backward(false))?;
            return Some(packed.forward(found.has_side()));
        }
        self.forward.find(packed.object, packed.forward(false))
    }

    /// The tuples that have expired by a time, in milliseconds since 1970, the first first.
    pub fn expired(&self, by: i64) -> impl Iterator<Item = TupleKey> + '_ {
        self.sides.expired(by).map(|(object, edge)| self.tuple(object, edge).key)
    }

    /// Every tuple, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Tuple> + '_ {
        self.edges().map(|(object, edge)| self.tuple(object, edge))
    }

    /// The tuples of one object, in no particular order.
    pub fn of_object(&self, object: &ObjectRef) -> impl Iterator<Item = Tuple> + '_ {
        let node = self.node(object);
        node.into_iter().flat_map(move |node| self.forward.all(node).map(move |edge| self.tuple(node, edge)))
    }

    /// The tuples whose subject is one object, or those who have a relation to it, in no particular order.
    pub fn of_subject(&self, subject: &ObjectRef) -> impl Iterator<Item = Tuple> + '_ {
        let node = self.node(subject);
        node.into_iter().flat_map(move |node| {
            self.backward.all(node).map(move |edge| {
                self.tuple(edge.node(), Edge::forward(edge.minor(), edge.major(), node, edge.has_side()))
            })
        })
    }

    /// Every tuple as its object and forward edge.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (Node, Edge)> + '_ {
        let nodes = 0..Node::try_from(self.names.len()).unwrap_or(Node::MAX);
        nodes.flat_map(move |object| self.forward.all(object).map(move |edge| (object, edge)))
    }

    /// The tuple of a forward edge.
    pub(crate) fn tuple(&self, object: Node, edge: Edge) -> Tuple {
        let side = edge.has_side().then(|| self.side(object, edge)).flatten();
        Tuple {
            key: TupleKey {
                object: self.object(object),
                relation: self.symbols.name(edge.major()).into(),
                subject: SubjectRef {
                    object: self.object(edge.node()),
                    relation: (edge.minor() != NONE && edge.minor() != STAR)
                        .then(|| self.symbols.name(edge.minor()).into()),
                },
            },
            condition: side.and_then(|side| side.condition.clone()).map(condition),
            expires_at: side.and_then(|side| side.expires_at),
        }
    }

    pub(crate) fn object(&self, node: Node) -> ObjectRef {
        ObjectRef::new(self.symbols.name(self.names.type_of(node)), self.names.id(node))
    }

    pub(crate) fn node(&self, object: &ObjectRef) -> Option<Node> {
        self.names.get(self.symbols.get(&object.type_name)?, &object.id)
    }

    fn pack(&self, key: &TupleKey) -> Option<Packed> {
        Some(Packed {
            object: self.node(&key.object)?,
            relation: self.symbols.get(&key.relation)?,
            subject: self.node(&key.subject.object)?,
            subject_relation: match &key.subject.relation {
                Some(relation) => self.symbols.get(relation)?,
                None => plain(&key.subject.object.id),
            },
        })
    }

    pub(crate) fn intern(&mut self, key: &TupleKey) -> Option<Packed> {
        let object_type = self.symbols.intern(&key.object.type_name)?;
        let subject_type = self.symbols.intern(&key.subject.object.type_name)?;
        Some(Packed {
            object: self.names.intern(object_type, &key.object.id)?,
            relation: self.symbols.intern(&key.relation)?,
            subject: self.names.intern(subject_type, &key.subject.object.id)?,
            subject_relation: match &key.subject.relation {
                Some(relation) => self.symbols.intern(relation)?,
                None => plain(&key.subject.object.id),
            },
        })
    }
}

/// The subject relation of a subject without one.
fn plain(subject_id: &str) -> Symbol {
    if subject_id == WILDCARD { STAR } else { NONE }
}

/// What of a tuple is kept apart; nothing for most.
pub(crate) fn side(tuple: &Tuple) -> Option<Side> {
    let condition = tuple.condition.as_ref().map(|condition| (condition.name.clone(), condition.context.clone()));
    let expires_at = tuple.expires_at;
    (condition.is_some() || expires_at.is_some()).then_some(Side { condition, expires_at })
}

fn condition((name, context): (smol_str::SmolStr, serde_json::Map<String, serde_json::Value>)) -> TupleCondition {
    TupleCondition { name, context }
}
