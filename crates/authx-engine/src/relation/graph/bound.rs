//! A model's types and relations in the numbers of a store's tuples, and back.

use crate::relation::edge::{NONE, Symbol};
use crate::relation::rules::{RelationId, RelationModel, TypeId};
use crate::relation::tuples::Tuples;

/// Made once for a model and the names of a store.
#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// By symbol: the type of that name.
    types: Vec<Option<TypeId>>,
    /// By type: the symbol of its name, when tuples have it.
    type_symbols: Vec<Option<Symbol>>,
    /// By relation: the symbol of its name; [`NONE`] when no tuple has it.
    relations: Vec<Symbol>,
    /// How many symbols there were.
    symbols: usize,
}

impl Bound {
    #[must_use]
    pub fn new(model: &RelationModel, tuples: &Tuples) -> Self {
        let symbols = tuples.symbols.len();
        let last = Symbol::try_from(symbols).unwrap_or(Symbol::MAX);
        let types = (0..=last).map(|symbol| model.type_id(tuples.symbols.name(symbol))).collect();
        let type_symbols = model.types().map(|name| tuples.symbols.get(name)).collect();
        let relation = |name: &str| tuples.symbols.get(name).unwrap_or(NONE);
        let relations = model.relations.iter().map(|rules| relation(&rules.name)).collect();
        Self { types, type_symbols, relations, symbols }
    }

    /// Whether it still holds for these tuples of the same store.
    #[must_use]
    pub fn fits(&self, tuples: &Tuples) -> bool {
        self.symbols == tuples.symbols.len()
    }

    pub(super) fn type_of(&self, symbol: Symbol) -> Option<TypeId> {
        self.types.get(usize::from(symbol)).copied().flatten()
    }

    pub(super) fn symbol(&self, type_id: TypeId) -> Option<Symbol> {
        self.type_symbols.get(usize::from(type_id)).copied().flatten()
    }

    pub(super) fn relation(&self, relation: RelationId) -> Symbol {
        self.relations.get(usize::from(relation)).copied().unwrap_or(NONE)
    }
}
