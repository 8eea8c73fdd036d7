//! Tuples in memory: changes, packing, names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::asked::{Allow, Deny, Store, model, packed, tuple, tuples};
use super::world::Random;
use crate::relation::edge::{Edge, MAX_SYMBOLS, Node};
use crate::relation::tuple::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey};
use crate::relation::{TooManyNames, Tuples, TuplesBuilder};

/// Ids that hold what other systems take for a delimiter.
pub(super) const ODD_IDS: &[&str] = &[
    "a",
    "A",
    "a:b",
    "a::b",
    ":",
    "::",
    "a@b",
    "@",
    "@user:a",
    "a/b",
    "/",
    "../a",
    "a\\b",
    "a\\",
    "a|b",
    "a,b",
    "a.b",
    ".",
    "a'b",
    "a\"b",
    "\"a\"",
    "a;b",
    "a=b",
    "a&b",
    "a%23b",
    "%00",
    "a?b",
    "a(b)",
    "{\"a\":1}",
    "[a]",
    "a*",
    "*a",
    "**",
    "a_b",
    "a%b",
    "-",
    "--",
    "0",
    "00",
    "null",
    "member",
    "document",
    "user:a",
    "a$b",
    "a\u{200b}b",
    "a\u{202e}b",
    "\u{feff}a",
    "ä",
    "a\u{308}",
    "ａ",
    "日本",
    "🦀",
    "🦀🦀",
    "\u{10ffff}",
];

/// Whether both ends tell the same, every range is what it should be, and the count is right.
fn whole(tuples: &Tuples) {
    let nodes = 0..Node::try_from(tuples.names.len()).unwrap();
    let (mut seen_forward, mut seen_backward) = (BTreeSet::new(), BTreeSet::new());
    for node in nodes {
        let forward: Vec<Edge> = tuples.forward.all(node).collect();
        let backward: Vec<Edge> = tuples.backward.all(node).collect();
        for (half, edges) in [(&tuples.forward, &forward), (&tuples.backward, &backward)] {
            assert!(half.width(node) >= edges.len());
            for edge in edges {
                assert_eq!(half.find(node, edge.bare()), Some(*edge));
                let of = |minor| half.range(node, edge.major(), minor).collect::<BTreeSet<_>>();
                let like = |exact: bool| {
                    let same =
                        |other: &&Edge| other.major() == edge.major() && (!exact || other.minor() == edge.minor());
                    edges.iter().filter(same).copied().collect::<BTreeSet<_>>()
                };
                assert_eq!(of(None), like(false));
                assert_eq!(of(Some(edge.minor())), like(true));
            }
        }
        for edge in forward {
            assert_eq!(edge.has_side(), tuples.side(node, edge).is_some());
            assert!(seen_forward.insert((node, edge)));
        }
        for edge in backward {
            let forward = Edge::forward(edge.minor(), edge.major(), node, edge.has_side());
            assert!(seen_backward.insert((edge.node(), forward)));
        }
    }
    assert_eq!(seen_forward, seen_backward);
    assert_eq!(tuples.len(), seen_forward.len());
    assert_eq!(tuples.is_empty(), seen_forward.is_empty());
    assert_eq!(tuples.bytes(), tuples.iter().map(|tuple| bytes(&tuple)).sum::<usize>());
}

/// The text of a tuple without `:`, `#`, `@` and `:`, and what comes with it.
fn bytes(tuple: &Tuple) -> usize {
    fn value(json: &Value) -> usize {
        match json {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Number(_) => 8,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(value).sum(),
            Value::Object(map) => map.iter().map(|(name, json)| name.len() + value(json)).sum(),
        }
    }
    let TupleCondition { name, context } =
        tuple.condition.clone().unwrap_or(TupleCondition { name: "".into(), context: Map::new() });
    let marks = 4 + usize::from(tuple.key.subject.relation.is_some());
    let expiry = tuple.expires_at.map_or(0, |_| 8);
    tuple.key.to_string().len() - marks + name.len() + value(&Value::Object(context)) + expiry
}

/// What must be stored.
type Expected = BTreeMap<TupleKey, Tuple>;

fn same(tuples: &Tuples, expected: &Expected) {
    whole(tuples);
    let got: Expected = tuples.iter().map(|tuple| (tuple.key.clone(), tuple)).collect();
    assert_eq!(got.len(), tuples.iter().count());
    assert_eq!(got, *expected);
    for (key, tuple) in expected {
        assert_eq!(tuples.get(key).as_ref(), Some(tuple));
    }
    for by in -1..3 {
        let ended: Vec<TupleKey> = tuples.expired(by).collect();
        let ends: Vec<i64> = ended.iter().map(|key| expected[key].expires_at.unwrap()).collect();
        assert!(ends.is_sorted(), "{ends:?}");
        let all = expected.values().filter(|tuple| tuple.expired(by));
        assert_eq!(ended.into_iter().collect::<BTreeSet<_>>(), all.map(|tuple| tuple.key.clone()).collect());
    }
}

fn object(random: &mut Random) -> ObjectRef {
    ObjectRef::new(["user", "group", "doc"][random.below(3)], ODD_IDS[random.below(12)])
}

fn key(random: &mut Random) -> TupleKey {
    let relation = |random: &mut Random| ["member", "viewer", "user"][random.below(3)].into();
    let subject = match random.below(4) {
        0 => SubjectRef { object: ObjectRef::new(["user", "group"][random.below(2)], "*"), relation: None },
        1 => SubjectRef { object: object(random), relation: Some(relation(random)) },
        _ => SubjectRef { object: object(random), relation: None },
    };
    TupleKey { object: object(random), relation: relation(random), subject }
}

fn random_tuple(random: &mut Random) -> Tuple {
    let condition = random.one_in(3).then(|| {
        let mut context = Map::new();
        context.insert("n".into(), json!(random.below(3)));
        TupleCondition { name: ["c", "d"][random.below(2)].into(), context }
    });
    let expires_at = random.one_in(4).then(|| i64::try_from(random.below(3)).unwrap());
    Tuple { key: key(random), condition, expires_at }
}

#[test]
fn a_history_of_changes_is_what_was_written() {
    let mut random = Random(5);
    let (mut now, mut expected) = (Tuples::default(), Expected::new());
    let mut kept: Vec<(Tuples, Expected)> = Vec::new();
    let (mut pending, mut most) = (0, 0);
    for step in 0..5_000 {
        // Mostly those that are there: at times many are put, at times many are taken.
        let growing = step / 500 % 2 == 0;
        let mut deletes: Vec<TupleKey> = Vec::new();
        for _ in 0..random.below(if growing { 2 } else { 5 }) {
            let some = random.below(expected.len() + 1);
            deletes.push(expected.keys().nth(some).cloned().unwrap_or_else(|| key(&mut random)));
        }
        let puts: Vec<Tuple> = (0..random.below(4)).map(|_| random_tuple(&mut random)).collect();
        pending += deletes.iter().filter(|key| expected.remove(*key).is_some()).count();
        for put in &puts {
            pending += 1 + usize::from(expected.insert(put.key.clone(), put.clone()).is_some());
        }
        now = now.changed(&deletes, &puts).unwrap();
        most = most.max(now.len());
        assert_eq!((now.len(), now.pending()), (expected.len(), pending));
        for key in deletes.iter().chain(puts.iter().map(|tuple| &tuple.key)) {
            assert_eq!(now.get(key).as_ref(), expected.get(key));
        }
        if random.one_in(40) {
            now = now.merged().unwrap();
            pending = 0;
            assert_eq!((now.len(), now.pending()), (expected.len(), 0));
        }
        if step % 50 == 0 {
            same(&now, &expected);
            same(&packed(&expected.values().cloned().collect::<Vec<_>>()), &expected);
        }
        if step % 500 == 250 {
            kept.push((now.clone(), expected.clone()));
        }
    }
    assert!(most > 200, "{most}");
    // What was there before is as it was.
    for (then, expected) in kept {
        same(&then, &expected);
        same(&then.merged().unwrap(), &expected);
    }
}

#[test]
fn a_number_stays_with_its_name() {
    let first = packed(&tuples(["a:1#r@b:1", "a:2#r@b:2#s"]));
    let numbers = |tuples: &Tuples, ids: &[&str]| {
        ids.iter().map(|id| tuples.node(&ObjectRef::parse(id).unwrap())).collect::<Vec<_>>()
    };
    let all = ["a:1", "b:1", "a:2", "b:2"];
    let before = numbers(&first, &all);
    let gone = first.changed(&[tuple("a:1#r@b:1").key], &tuples(["c:1#r@a:2"])).unwrap();
    let merged = gone.merged().unwrap();
    assert_eq!(numbers(&gone, &all), before);
    assert_eq!(numbers(&merged, &all), before);
    assert_eq!(numbers(&merged, &["c:1"]), numbers(&gone, &["c:1"]));
    assert_eq!(numbers(&merged, &["c:2", "d:1"]), [None, None]);
    let symbols = ["a", "b", "c", "r", "s", "*"].map(|name| gone.symbols.get(name));
    assert_eq!(symbols, ["a", "b", "c", "r", "s", "*"].map(|name| merged.symbols.get(name)));
}

#[test]
fn conditions_and_expiries_are_kept_and_replaced() {
    let texts = [
        "d:1#r@u:1",
        "d:1#r@u:2 with c {\"n\": [1, {\"m\": \"x\"}]}",
        "d:1#r@u:3 until 7",
        "d:1#r@u:4 until -7 with c {}",
        "d:1#r@u:* with c {\"n\": null}",
        "d:1#r@d:2#r until 0",
    ];
    for text in texts {
        for before in texts {
            // Whatever the tuple was before: packed or not, with a side or without.
            let old = Tuple { key: tuple(text).key, ..tuple(before) };
            let (old, new) = ([old], [tuple(text)]);
            let same = |tuples: &Tuples| {
                whole(tuples);
                assert_eq!(tuples.iter().collect::<Vec<_>>(), new, "{before}");
                assert_eq!(tuples.get(&new[0].key).as_ref(), Some(&new[0]), "{before}");
            };
            same(&packed(&old).changed(&[], &new).unwrap());
            same(&packed(&old).changed(&[new[0].key.clone()], &new).unwrap());
            same(&Tuples::default().changed(&[], &[old[0].clone(), new[0].clone()]).unwrap());
            same(&Tuples::default().changed(&[], &old).unwrap().merged().unwrap().changed(&[], &new).unwrap());
            same(&packed(&old).changed(&[], &new).unwrap().merged().unwrap().merged().unwrap());
            let gone = packed(&old).changed(&[new[0].key.clone()], &[]).unwrap();
            same(&gone.changed(&[], &new).unwrap());
            assert!(
                gone.is_empty() && gone.merged().unwrap().iter().next().is_none() && gone.get(&new[0].key).is_none()
            );
        }
    }
}

#[test]
fn keys_that_differ_in_one_part_are_different_tuples() {
    let texts = [
        "d:1#r@u:1",
        "d:1#r@u:2",
        "d:1#r@v:1",
        "d:1#s@u:1",
        "d:2#r@u:1",
        "e:1#r@u:1",
        "d:1#r@u:*",
        "d:1#r@u:1#r",
        "d:1#r@u:1#s",
        "d:1#s@u:1#r",
        "u:1#r@d:1",
        "d:1#r@v:*",
        "r:1#d@u:1",
        "d:1#u@r:1",
    ];
    let all = tuples(texts);
    for stored in [packed(&all), Tuples::default().changed(&[], &all).unwrap()] {
        assert_eq!(stored.len(), texts.len());
        for gone in &all {
            let left = stored.changed(std::slice::from_ref(&gone.key), &[]).unwrap();
            whole(&left);
            assert_eq!((left.len(), left.pending() - stored.pending()), (texts.len() - 1, 1));
            for other in &all {
                assert_eq!(left.get(&other.key).is_some(), other.key != gone.key, "{} without {}", other.key, gone.key);
            }
        }
    }
}

#[test]
fn deleting_what_is_not_there_changes_nothing() {
    let stored = packed(&tuples(["d:1#r@u:1"]));
    for text in ["d:1#r@u:2", "d:1#r@u:*", "d:2#r@u:1", "d:1#s@u:1", "x:1#y@z:1", "d:1#r@u:1#r", "u:1#r@d:1"] {
        let after = stored.changed(&[tuple(text).key], &[]).unwrap();
        assert_eq!((after.len(), after.pending(), after.names.len()), (1, 0, stored.names.len()), "{text}");
    }
    let empty = Tuples::default();
    assert!(empty.is_empty() && empty.merged().unwrap().is_empty() && empty.iter().next().is_none());
    assert!(packed(&[]).changed(&[tuple("d:1#r@u:1").key], &[]).unwrap().is_empty());
}

#[test]
fn ids_of_any_length_and_shape_are_kept() {
    let long: Vec<String> = [0, 1, 22, 23, 24, 255, 256, 65_535, 65_536].map(|n| "é".repeat(n)).into();
    let ids: Vec<&str> = ODD_IDS.iter().copied().chain(long.iter().map(String::as_str)).collect();
    let all: Vec<Tuple> = ids
        .iter()
        .map(|id| {
            let subject = SubjectRef { object: ObjectRef::new("u", id), relation: None };
            let key = TupleKey { object: ObjectRef::new("d", id), relation: "r".into(), subject };
            Tuple { key, condition: None, expires_at: None }
        })
        .collect();
    let expected: Expected = all.iter().map(|tuple| (tuple.key.clone(), tuple.clone())).collect();
    assert_eq!(expected.len(), ids.len());
    let written = Tuples::default().changed(&[], &all).unwrap();
    for stored in [packed(&all), written.merged().unwrap(), written] {
        same(&stored, &expected);
    }
}

/// `*`, two types, and as many relations as there is room for.
const ROOM: usize = MAX_SYMBOLS - 1 - 3;

#[test]
fn too_many_names_are_told() {
    let named = |n: usize| tuple(&format!("d:{}#r{n}@u:{}", n % 997, n % 991));
    let mut builder = TuplesBuilder::default();
    for n in 0..ROOM {
        assert_eq!(builder.push_tuple(&named(n)), Ok(()), "{n}");
    }
    assert_eq!(builder.push_tuple(&named(ROOM)), Err(TooManyNames));
    assert_eq!(builder.push_tuple(&tuple("other:1#r0@u:1")), Err(TooManyNames));
    assert_eq!(builder.push_tuple(&tuple("d:1#r0@other:1")), Err(TooManyNames));
    assert_eq!(builder.push_tuple(&tuple("d:1#r0@u:1#other")), Err(TooManyNames));
    assert_eq!(builder.push_tuple(&tuple("d:1#r0@u:1")), Ok(()));
    let full = builder.finish().unwrap();
    whole(&full);
    assert_eq!(full.len(), ROOM + 1);
    for text in
        [format!("d:1#r{ROOM}@u:1"), "other:1#r0@u:1".into(), "d:1#r0@other:1".into(), "d:1#r0@u:1#other".into()]
    {
        assert!(matches!(full.changed(&[], &[tuple(&text)]), Err(TooManyNames)), "{text}");
        assert_eq!(full.get(&tuple(&text).key), None, "{text}");
        assert_eq!(full.changed(&[tuple(&text).key], &[]).unwrap().len(), full.len(), "{text}");
    }
    // Nothing of a change that failed is left, and there is room for tuples of known names.
    assert!(full.changed(&[named(3).key], &[named(ROOM)]).is_err());
    assert_eq!(full.get(&named(3).key), Some(named(3)));
    let more = full.changed(&[], &[tuple("d:2#r0@u:*"), tuple(&format!("u:1#r1@d:1#r{}", ROOM - 1))]).unwrap();
    whole(&more.merged().unwrap());
    assert_eq!(more.len(), full.len() + 2);
}

#[test]
fn the_last_name_is_as_good_as_the_first() {
    let last = format!("r{}", ROOM - 1);
    let (model, mut builder) =
        (model(&format!("d {last}: [u, u:*, d#{last}]\nd r0: [u]\nu")), TuplesBuilder::default());
    for n in 0..ROOM {
        builder.push_tuple(&tuple(&format!("d:0#r{n}@u:1"))).unwrap();
    }
    builder.push_tuple(&tuple(&format!("d:1#{last}@d:0#{last}"))).unwrap();
    let store = Store { model, tuples: builder.finish().unwrap() };
    for (asked, expected) in [
        (format!("u:1 {last} d:0"), Allow),
        (format!("u:1 {last} d:1"), Allow),
        (format!("d:0#{last} {last} d:1"), Allow),
        (format!("u:2 {last} d:0"), Deny),
        (format!("u:* {last} d:0"), Deny),
        // A relation that no tuple and no model names stands for nothing.
        (format!("d:0#nowhere {last} d:1"), Deny),
        (format!("d:1 {last} d:1"), Deny),
    ] {
        assert_eq!(store.check(&asked), expected, "{asked}");
    }
    // Nor is there room for names that only a question brings.
    let (contextual, bound) = (tuple("d:1#other@u:1"), crate::relation::Bound::new(&store.model, &store.tuples));
    let asked = crate::relation::Relations::new(&store.model, &store.tuples, &bound).with(&[contextual]);
    assert!(matches!(asked, Err(TooManyNames)));
}
