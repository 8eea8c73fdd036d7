//! All edges seen from one end: packed arrays by node, and what changed since.

use std::sync::Arc;

use imbl::OrdSet;

use crate::map::SharedMap;
use crate::relation::edge::{Edge, Node, Symbol, bounds, find, find_in, range};

/// Sorted edges of every node, end to end.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Where each node's edges begin, and one more for the end.
    starts: Vec<u32>,
    edges: Vec<Edge>,
}

impl Index {
    fn of(&self, node: Node) -> &[Edge] {
        let at = node as usize;
        match self.starts.get(at..at.saturating_add(2)) {
            Some(&[start, end]) => self.edges.get(start as usize..end as usize).unwrap_or_default(),
            Some(_) | None => &[],
        }
    }

    /// Sorts edges into place; `edges` is gone through twice. `None` when there are too many.
    pub(super) fn build(nodes: usize, edges: impl Iterator<Item = (Node, Edge)> + Clone) -> Option<Self> {
        let mut starts = vec![0_u32; nodes + 1];
        for (node, _) in edges.clone() {
            let count = starts.get_mut(node as usize + 1)?;
            *count = count.checked_add(1)?;
        }
        let mut total = 0_u32;
        for start in &mut starts {
            total = total.checked_add(*start)?;
            *start = total;
        }
        let mut sorted = vec![Edge::forward(0, 0, 0, false); total as usize];
        let mut next = starts.clone();
        for (node, edge) in edges {
            let at = next.get_mut(node as usize)?;
            *sorted.get_mut(*at as usize)? = edge;
            *at += 1;
        }
        drop(next);
        for bounds in starts.windows(2) {
            if let &[start, end] = bounds
                && end - start > 1
            {
                sorted.get_mut(start as usize..end as usize)?.sort_unstable();
            }
        }
        Some(Self { starts, edges: sorted })
    }
}

/// What changed at one node: edges of the packed part that are gone, and new ones.
#[derive(Debug, Clone, Default)]
struct Pending {
    added: OrdSet<Edge>,
    removed: OrdSet<Edge>,
}

/// The edges seen from one end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Half {
    packed: Arc<Index>,
    pending: SharedMap<Node, Pending>,
}

impl Half {
    pub(super) fn of(packed: Index) -> Self {
        Self { packed: Arc::new(packed), pending: SharedMap::default() }
    }

    /// About how many edges a node has.
    pub(crate) fn width(&self, node: Node) -> usize {
        self.packed.of(node).len() + self.pending(node).map_or(0, |pending| pending.added.len())
    }

    fn pending(&self, node: Node) -> Option<&Pending> {
        if self.pending.is_empty() { None } else { self.pending.get(&node) }
    }

    /// The edge as it is stored, with its side bit.
    pub(crate) fn find(&self, node: Node, edge: Edge) -> Option<Edge> {
        let packed = find(self.packed.of(node), edge);
        let Some(pending) = self.pending(node) else { return packed };
        find_in(&pending.added, edge).or(packed.filter(|edge| !pending.removed.contains(edge)))
    }

    /// The edges with this major part, and minor part if one is given.
    pub(crate) fn range(&self, node: Node, major: Symbol, minor: Option<Symbol>) -> impl Iterator<Item = Edge> + '_ {
        let pending = self.pending(node);
        let kept = move |edge: &Edge| pending.is_none_or(|pending| !pending.removed.contains(edge));
        let packed = range(self.packed.of(node), major, minor).iter().copied().filter(kept);
        let (low, high) = bounds(major, minor);
        packed.chain(pending.into_iter().flat_map(move |pending| pending.added.range(low..=high).copied()))
    }

    /// At least how many edges [`Self::range`] has.
    pub(crate) fn range_len(&self, node: Node, major: Symbol, minor: Option<Symbol>) -> usize {
        range(self.packed.of(node), major, minor).len()
    }

    /// Every edge of a node.
    pub(crate) fn all(&self, node: Node) -> impl Iterator<Item = Edge> + '_ {
        let pending = self.pending(node);
        let kept = move |edge: &Edge| pending.is_none_or(|pending| !pending.removed.contains(edge));
        let packed = self.packed.of(node).iter().copied().filter(kept);
        packed.chain(pending.into_iter().flat_map(|pending| pending.added.iter().copied()))
    }

    /// Adds an edge that is not there.
    pub(super) fn insert(&mut self, node: Node, edge: Edge) {
        let pending = self.pending.entry(node).or_default();
        if pending.removed.remove(&edge).is_none() {
            pending.added.insert(edge);
        }
        self.tidy(node);
    }

    /// Takes out an edge that is there.
    pub(super) fn remove(&mut self, node: Node, edge: Edge) {
        let pending = self.pending.entry(node).or_default();
        if pending.added.remove(&edge).is_none() {
            pending.removed.insert(edge);
        }
        self.tidy(node);
    }

    fn tidy(&mut self, node: Node) {
        if self.pending.get(&node).is_some_and(|pending| pending.added.is_empty() && pending.removed.is_empty()) {
            self.pending.remove(&node);
        }
    }

    /// The same edges, all packed; `None` when there are too many.
    pub(super) fn packed(&self, nodes: usize) -> Option<Self> {
        let mut starts = Vec::with_capacity(nodes + 1);
        let mut edges: Vec<Edge> = Vec::with_capacity(self.packed.edges.len());
        starts.push(0);
        for node in 0..Node::try_from(nodes).ok()? {
            let from = edges.len();
            edges.extend(self.all(node));
            if self.pending(node).is_some() {
                edges.get_mut(from..)?.sort_unstable();
            }
            starts.push(u32::try_from(edges.len()).ok()?);
        }
        Some(Self::of(Index { starts, edges }))
    }
}
