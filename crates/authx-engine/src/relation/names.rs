//! Names as numbers: types and relations as 15 bits, objects as 32.
//!
//! A name keeps its number for the life of the process; the packed part is shared by all snapshots, what came since
//! the last merge is in persistent maps.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use smol_str::SmolStr;

use super::edge::{MAX_SYMBOLS, NONE, Node, STAR, Symbol};
use super::tuple::WILDCARD;
use crate::map::SharedMap;

/// Names of types and relations. Number 0 is no name, number 1 is `*`.
#[derive(Debug, Clone)]
pub(crate) struct Symbols {
    numbers: SharedMap<SmolStr, Symbol>,
    names: imbl::Vector<SmolStr>,
}

impl Default for Symbols {
    fn default() -> Self {
        let star = SmolStr::new_static(WILDCARD);
        Self { numbers: SharedMap::from_iter([(star.clone(), STAR)]), names: imbl::Vector::unit(star) }
    }
}

impl Symbols {
    pub(crate) fn get(&self, name: &str) -> Option<Symbol> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, symbol: Symbol) -> &str {
        let at = usize::from(symbol).wrapping_sub(1);
        self.names.get(at).map_or("", SmolStr::as_str)
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The symbol of a name, a new one if need be; `None` when there are too many.
    pub(crate) fn intern(&mut self, name: &str) -> Option<Symbol> {
        if let Some(found) = self.get(name) {
            return Some(found);
        }
        let next = self.names.len() + 1;
        if next >= MAX_SYMBOLS {
            return None;
        }
        let symbol = Symbol::try_from(next).ok().filter(|symbol| *symbol != NONE)?;
        let name = SmolStr::new(name);
        self.names.push_back(name.clone());
        self.numbers.insert(name, symbol);
        Some(symbol)
    }
}

/// The packed names: all text in one string, and a table of numbers.
#[derive(Debug, Default)]
struct Packed {
    text: String,
    names: Vec<Name>,
    table: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

/// The type of an object, and where its id ends in the text. Together, because who asks for one asks for the other.
#[derive(Debug, Clone, Copy)]
struct Name {
    end: u32,
    type_name: Symbol,
}

impl Packed {
    fn id(&self, node: Node) -> Option<&str> {
        cut(&self.text, &self.names, node)
    }

    fn get(&self, type_name: Symbol, id: &str) -> Option<Node> {
        let hash = self.hasher.hash_one((type_name, id));
        let of_type = |name: &Name| name.type_name == type_name;
        let same = |node: &u32| self.names.get(*node as usize).is_some_and(of_type) && self.id(*node) == Some(id);
        self.table.find(hash, same).copied()
    }

    /// Appends a name that is not there; `false` when the text would be too long to count.
    fn push(&mut self, type_name: Symbol, id: &str) -> bool {
        let (Ok(node), Ok(end)) = (u32::try_from(self.names.len()), u32::try_from(self.text.len() + id.len())) else {
            return false;
        };
        let hash = self.hasher.hash_one((type_name, id));
        self.text.push_str(id);
        self.names.push(Name { end, type_name });
        let Self { text, names, table, hasher } = self;
        table.insert_unique(hash, node, |node| {
            let type_name = names.get(*node as usize).map_or(NONE, |name| name.type_name);
            hasher.hash_one((type_name, cut(text, names, *node).unwrap_or_default()))
        });
        true
    }
}

/// The id of a number: what lies between the end of the one before and its own.
fn cut<'a>(text: &'a str, names: &[Name], node: Node) -> Option<&'a str> {
    let at = node as usize;
    let end = names.get(at)?.end as usize;
    let start = at.checked_sub(1).and_then(|before| names.get(before)).map_or(0, |name| name.end as usize);
    text.get(start..end)
}

/// Names of objects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    packed: Arc<Packed>,
    numbers: SharedMap<(Symbol, SmolStr), Node>,
    added: imbl::Vector<(Symbol, SmolStr)>,
    /// By type: the name that stands for everyone.
    wildcards: SharedMap<Symbol, Node>,
}

impl Names {
    pub(crate) fn get(&self, type_name: Symbol, id: &str) -> Option<Node> {
        let packed = self.packed.get(type_name, id);
        if packed.is_some() || self.added.is_empty() {
            return packed;
        }
        self.numbers.get(&(type_name, SmolStr::new(id))).copied()
    }

    /// The name `type:*`, if there is one.
    pub(crate) fn wildcard(&self, type_name: Symbol) -> Option<Node> {
        if self.wildcards.is_empty() { None } else { self.wildcards.get(&type_name).copied() }
    }

    /// How many names there are; their numbers are all below.
    pub(crate) fn len(&self) -> usize {
        self.packed.names.len() + self.added.len()
    }

    pub(crate) fn type_of(&self, node: Node) -> Symbol {
        let at = node as usize;
        match self.packed.names.get(at) {
            Some(name) => name.type_name,
            None => self.added.get(at.wrapping_sub(self.packed.names.len())).map_or(NONE, |(symbol, _)| *symbol),
        }
    }

    pub(crate) fn id(&self, node: Node) -> &str {
        match self.packed.id(node) {
            Some(id) => id,
            None => {
                self.added.get((node as usize).wrapping_sub(self.packed.names.len())).map_or("", |(_, id)| id.as_str())
            }
        }
    }

    /// The number of a name, a new one if need be; `None` when there are too many.
    pub(crate) fn intern(&mut self, type_name: Symbol, id: &str) -> Option<Node> {
        if let Some(found) = self.get(type_name, id) {
            return Some(found);
        }
        let node = Node::try_from(self.len()).ok().filter(|node| *node < Node::MAX)?;
        let name = (type_name, SmolStr::new(id));
        self.added.push_back(name.clone());
        self.numbers.insert(name, node);
        self.note(type_name, id, node);
        Some(node)
    }

    fn note(&mut self, type_name: Symbol, id: &str, node: Node) {
        if id == WILDCARD {
            self.wildcards.insert(type_name, node);
        }
    }

    /// The same names and numbers, all packed; `None` when they do not fit.
    pub(crate) fn packed(&self) -> Option<Self> {
        let mut packed = Packed::default();
        let bytes = self.packed.text.len() + self.added.iter().map(|(_, id)| id.len()).sum::<usize>();
        packed.text.reserve_exact(bytes);
        packed.names.reserve_exact(self.len());
        packed.table.reserve(self.len(), |_| 0);
        for node in 0..Node::try_from(self.len()).ok()? {
            if !packed.push(self.type_of(node), self.id(node)) {
                return None;
            }
        }
        Some(Self { packed: Arc::new(packed), wildcards: self.wildcards.clone(), ..Self::default() })
    }

    /// Adds a name to names that nobody shares yet; `None` when there are too many.
    pub(crate) fn intern_packed(&mut self, type_name: Symbol, id: &str) -> Option<Node> {
        let Some(packed) = Arc::get_mut(&mut self.packed).filter(|_| self.added.is_empty()) else {
            return self.intern(type_name, id);
        };
        if let Some(found) = packed.get(type_name, id) {
            return Some(found);
        }
        let node = Node::try_from(packed.names.len()).ok().filter(|node| *node < Node::MAX)?;
        let pushed = packed.push(type_name, id).then_some(node);
        self.note(type_name, id, node);
        pushed
    }
}
