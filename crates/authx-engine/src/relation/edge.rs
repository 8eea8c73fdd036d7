//! A tuple between interned names, packed into 64 bits so that a sorted array of them is an index.
//!
//! Forward edges hang on the object and are ordered by relation, subject relation, subject. Backward edges hang on the
//! subject and are ordered by subject relation, relation, object. The lowest bit says that the tuple has a side entry
//! (a condition or an expiry); it takes no part in what is equal.

/// The index of an object's name.
pub(crate) type Node = u32;
/// The index of a type's or a relation's name; below [`MAX_SYMBOLS`].
pub(crate) type Symbol = u16;

/// Names of types and relations that one store may have, of all its models together.
pub(crate) const MAX_SYMBOLS: usize = (1 << 15) - 1;
/// The subject relation of a subject that is an object.
pub(crate) const NONE: Symbol = 0;
/// The subject relation of a subject that is everyone of a type, so that it is never taken for an object.
pub(crate) const STAR: Symbol = 1;

/// One end's view of a tuple: the other end, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Edge(u64);

const MAJOR: u32 = 48;
const MINOR: u32 = 33;
const MASK: u64 = (1 << 15) - 1;

impl Edge {
    /// As seen from the object.
    pub(crate) fn forward(relation: Symbol, subject_relation: Symbol, subject: Node, side: bool) -> Self {
        Self::pack(relation, subject_relation, subject, side)
    }

    /// As seen from the subject.
    pub(crate) fn backward(subject_relation: Symbol, relation: Symbol, object: Node, side: bool) -> Self {
        Self::pack(subject_relation, relation, object, side)
    }

    fn pack(major: Symbol, minor: Symbol, node: Node, side: bool) -> Self {
        Self(u64::from(major) << MAJOR | u64::from(minor) << MINOR | u64::from(node) << 1 | u64::from(side))
    }

    /// The relation of a forward edge, the subject relation of a backward one.
    pub(crate) fn major(self) -> Symbol {
        symbol(self.0 >> MAJOR)
    }

    /// The subject relation of a forward edge, the relation of a backward one.
    pub(crate) fn minor(self) -> Symbol {
        symbol(self.0 >> MINOR)
    }

    /// The subject of a forward edge, the object of a backward one.
    pub(crate) fn node(self) -> Node {
        u32::try_from(self.0 >> 1 & u64::from(Node::MAX)).unwrap_or(Node::MAX)
    }

    pub(crate) fn has_side(self) -> bool {
        self.0 & 1 == 1
    }

    /// The edge without its lowest bit.
    pub(crate) fn bare(self) -> Self {
        Self(self.0 & !1)
    }

    fn with_side(self) -> Self {
        Self(self.0 | 1)
    }
}

fn symbol(bits: u64) -> Symbol {
    Symbol::try_from(bits & MASK).unwrap_or(NONE)
}

/// The edges of a sorted slice with this major part, and minor part if one is given.
pub(crate) fn range(edges: &[Edge], major: Symbol, minor: Option<Symbol>) -> &[Edge] {
    let (low, high) = bounds(major, minor);
    let start = edges.partition_point(|edge| *edge < low);
    let rest = edges.get(start..).unwrap_or_default();
    // Mostly a few: the end is near the beginning.
    let end = if rest.len() <= 8 {
        rest.iter().take_while(|edge| **edge <= high).count()
    } else {
        rest.partition_point(|edge| *edge <= high)
    };
    rest.get(..end).unwrap_or_default()
}

/// The first and the last edge that a range may hold.
pub(crate) fn bounds(major: Symbol, minor: Option<Symbol>) -> (Edge, Edge) {
    let (from, to) = minor.map_or((0, symbol(MASK)), |minor| (minor, minor));
    (Edge::pack(major, from, 0, false), Edge::pack(major, to, Node::MAX, true))
}

/// The edge as it is in a sorted slice, with its side bit.
pub(crate) fn find(edges: &[Edge], edge: Edge) -> Option<Edge> {
    let bare = edge.bare();
    let at = edges.partition_point(|other| *other < bare);
    edges.get(at).copied().filter(|found| found.bare() == bare)
}

/// The edge as it is in a sorted set, with its side bit.
pub(crate) fn find_in(set: &imbl::OrdSet<Edge>, edge: Edge) -> Option<Edge> {
    let bare = edge.bare();
    [bare, bare.with_side()].into_iter().find(|edge| set.contains(edge))
}
