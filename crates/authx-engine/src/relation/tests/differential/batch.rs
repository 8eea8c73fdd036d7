//! Many questions at once: each is answered as if it were alone, its error included.

use serde_json::Map;

use super::Fault;
use crate::relation::tests::world::{Random, TYPES, object, relation};
use crate::relation::tuple::{SubjectRef, Tuple, TupleKey};
use crate::relation::{Asking, Bound, GraphError, RelationModel, Relations, Tuples};

type Answer = Result<bool, GraphError>;

/// What all items are asked of, and what each may bring.
pub(super) struct Batch<'a> {
    pub(super) model: &'a RelationModel,
    pub(super) tuples: &'a Tuples,
    pub(super) contextual: &'a [Tuple],
    pub(super) asking: Asking<'a>,
}

#[derive(Debug, Clone)]
struct Item {
    key: TupleKey,
    /// Brings the contextual tuples.
    tuples: bool,
    /// Brings the context.
    context: bool,
}

impl Batch<'_> {
    pub(super) fn compare(
        &self,
        subject: &SubjectRef,
        random: &mut Random,
        fault: Option<Fault>,
    ) -> Result<(), String> {
        let items = items(subject, random);
        let alone: Vec<Answer> = items.iter().map(|item| self.alone(item)).collect();
        for (how, together) in [("as a server does", self.one_by_one(&items, fault)), ("shared", self.shared(&items))] {
            let differs = alone.iter().zip(&together).position(|(alone, together)| alone != together);
            if let Some(at) = differs {
                let (item, alone, together) = (&items[at], &alone[at], &together[at]);
                return Err(format!("{item:?}, {how}: {together:?}, alone: {alone:?}"));
            }
        }
        Ok(())
    }

    fn asked(&self, relations: &Relations<'_>, item: &Item) -> Answer {
        let none = Map::new();
        let context = if item.context { self.asking.context } else { &none };
        relations.check(&item.key, &Asking { context, ..self.asking }, false).map(|checked| checked.allowed)
    }

    fn brought(&self, item: &Item) -> &[Tuple] {
        if item.tuples { self.contextual } else { &[] }
    }

    fn alone(&self, item: &Item) -> Answer {
        let bound = Bound::new(self.model, self.tuples);
        self.asked(&Relations::new(self.model, self.tuples, &bound).with(self.brought(item)).unwrap(), item)
    }

    /// One after the other on one snapshot, each with what it brings.
    fn one_by_one(&self, items: &[Item], fault: Option<Fault>) -> Vec<Answer> {
        let bound = Bound::new(self.model, self.tuples);
        let mut answers: Vec<Answer> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let mut item = item.clone();
            if fault == Some(Fault::BatchAsksWithTheItemBefore) && at > 0 {
                (item.tuples, item.context) = (items[at - 1].tuples, items[at - 1].context);
            }
            let same = items[..at].iter().position(|other| other.key == item.key);
            if let Some(same) = same.filter(|_| fault == Some(Fault::BatchAsksOnceForEachTuple)) {
                answers.push(answers[same].clone());
                continue;
            }
            let relations = Relations::new(self.model, self.tuples, &bound).with(self.brought(&item)).unwrap();
            answers.push(self.asked(&relations, &item));
        }
        answers
    }

    /// All through the same relations, the last first.
    fn shared(&self, items: &[Item]) -> Vec<Answer> {
        let bound = Bound::new(self.model, self.tuples);
        let stored = Relations::new(self.model, self.tuples, &bound);
        let with = Relations::new(self.model, self.tuples, &bound).with(self.contextual).unwrap();
        let ask = |item: &Item| self.asked(if item.tuples { &with } else { &stored }, item);
        let mut answers: Vec<Answer> = items.iter().rev().map(ask).collect();
        answers.reverse();
        answers
    }
}

/// A few tuples in every way to ask for them, shuffled; one of them does not fit the model.
fn items(subject: &SubjectRef, random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    for at in 0..3 {
        let type_name = *random.pick(&TYPES[1..]);
        let relation = if at == 0 { "none" } else { relation(random) };
        let key = TupleKey { object: object(random, type_name), relation: relation.into(), subject: subject.clone() };
        for (tuples, context) in [(false, false), (false, true), (true, false), (true, true)] {
            items.push(Item { key: key.clone(), tuples, context });
        }
    }
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
    items
}
