//! The bytes of a store's data: counted while it changes, they are what counting it anew gives.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::world::{Dice, entities, slot_values};
use crate::{Change, Data, DataRules, EntityInput, EntityRow, EntityUid, LinkInput, PolicyId, read_entity};

fn row(json: &Json) -> Arc<EntityRow> {
    let input: EntityInput = serde_json::from_value(json.clone()).unwrap();
    Arc::new(read_entity(&input, DataRules::default(), "").unwrap())
}

fn uid_bytes(uid: &EntityUid) -> usize {
    uid.type_name().len() + uid.id().len()
}

fn object_bytes(map: &Map<String, Json>) -> usize {
    map.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &Json) -> usize {
    match value {
        Json::Null => 0,
        Json::Bool(_) => 1,
        Json::Number(_) => 8,
        Json::String(text) => text.len(),
        Json::Array(values) => values.iter().map(value_bytes).sum(),
        Json::Object(map) if map.contains_key("__extn") => 16,
        Json::Object(map) => match map.get("__entity") {
            Some(uid) => ["type", "id"].map(|part| uid[part].as_str().unwrap().len()).iter().sum(),
            None => object_bytes(map),
        },
    }
}

/// From the data as it is read.
fn recounted(data: &Data) -> usize {
    let of_row = |row: &Arc<EntityRow>| {
        let parents: usize = row.parents().map(|uid| uid_bytes(&uid)).sum();
        uid_bytes(&row.uid()) + object_bytes(&row.attributes_json()) + object_bytes(&row.tags_json()) + parents
    };
    let of_link = |(id, link): (&PolicyId, &Arc<LinkInput>)| {
        let slots: usize = link.principal.iter().chain(&link.resource).map(uid_bytes).sum();
        id.as_str().len() + link.template.len() + slots
    };
    data.entities().map(of_row).sum::<usize>() + data.links().map(of_link).sum::<usize>()
}

fn link(dice: &mut Dice) -> LinkInput {
    let (principal, resource) = slot_values(dice);
    let slot = |text: &str, there: bool| there.then(|| EntityUid::parse(text).unwrap());
    LinkInput {
        template: dice.pick(&["t", "template"]).to_owned(),
        principal: slot(principal, dice.chance(70)),
        resource: slot(resource, dice.chance(70)),
    }
}

#[test]
fn bytes_are_counted_while_data_changes() {
    for seed in 0..50 {
        let dice = &mut Dice(seed);
        let (mut data, mut kept) = (Data::default(), Vec::new());
        for step in 0..80 {
            let known = entities(dice);
            let entity = row(&known[dice.below(known.len())]);
            let id = PolicyId::new(dice.pick(&["a", "link", "another-link"]));
            data.apply(&match dice.below(6) {
                0..3 => Change::PutEntity(entity),
                3 => Change::DeleteEntity(entity.uid()),
                4 => Change::PutLink(id, Arc::new(link(dice))),
                _ => Change::DeleteLink(id),
            });
            assert_eq!(data.bytes(), recounted(&data), "seed {seed}, step {step}");
            kept.push((data.clone(), data.bytes()));
        }
        assert!(kept.iter().all(|(then, bytes)| then.bytes() == *bytes && recounted(then) == *bytes), "seed {seed}");
        let uids: Vec<EntityUid> = data.entities().map(|row| row.uid()).collect();
        let links: Vec<PolicyId> = data.links().map(|(id, _)| id.clone()).collect();
        let uids = uids.into_iter().map(Change::DeleteEntity);
        for change in uids.chain(links.into_iter().map(Change::DeleteLink)) {
            data.apply(&change);
        }
        assert_eq!(data.bytes(), 0, "seed {seed}");
    }
}

#[test]
fn what_each_part_of_an_entity_counts() {
    for (entity, bytes) in [
        (json!({"uid": "User:ann"}), 7),
        (json!({"uid": "App::Bot:b"}), 9),
        (json!({"uid": {"type": "User", "id": ""}}), 4),
        (json!({"uid": "User:é"}), 6),
        (json!({"uid": "U:a", "attrs": {"on": true, "n": -7, "text": "four"}}), 2 + 3 + 9 + 8),
        (json!({"uid": "U:a", "attrs": {"s": [1, 2, 2], "r": {"k": "v", "empty": {}}}}), 2 + 17 + 8),
        (json!({"uid": "U:a", "attrs": {"boss": {"__entity": {"type": "App::Bot", "id": "b"}}}}), 2 + 4 + 9),
        (json!({"uid": "U:a", "attrs": {"d": {"__extn": {"fn": "decimal", "arg": "1.5"}}}}), 2 + 17),
        (json!({"uid": "U:a", "tags": {"t": "x"}, "parents": ["App::Team:t", "U:b", "U:b"]}), 2 + 2 + 10 + 2),
    ] {
        let mut data = Data::default();
        data.apply(&Change::PutEntity(row(&entity)));
        assert_eq!(data.bytes(), bytes, "{entity}");
    }
}
