//! Entities and links, now and at every revision before.

use std::collections::BTreeMap;

use super::{Dice, Fixture, commit, entity, link, store_scope, with_store, write};
use crate::ids::Revision;
use crate::scope::StoreScope;
use crate::storage::Storage;
use crate::storage::records::{EntityRecord, LinkRecord, LoadChunk, NewEntity, NewLink};

type Entities = BTreeMap<(String, String), EntityRecord>;
type Links = BTreeMap<String, LinkRecord>;

fn stored(new: NewEntity, created_revision: Revision) -> EntityRecord {
    let NewEntity { type_name, id, attrs, tags, parents } = new;
    EntityRecord { type_name, id, attrs, tags, parents, created_revision }
}

fn linked(new: NewLink, created_revision: Revision) -> LinkRecord {
    let NewLink { id, template, principal, resource } = new;
    LinkRecord { id, template, principal, resource, created_revision }
}

pub(crate) async fn every_past_revision_reads_as_it_was(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut dice = Dice::new(5);
    let (mut entities, mut links) = (Entities::new(), Links::new());
    let mut past = vec![(entities.clone(), links.clone())];
    for number in 1..=60 {
        let revision = Revision(number);
        let mut change = write(0);
        for _ in 0..dice.below(5) {
            let key = (format!("T{}", dice.below(3)), dice.below(6).to_string());
            entities.remove(&key);
            change.entities_delete.push(key);
            let id = dice.below(6).to_string();
            links.remove(&id);
            change.links_delete.push(id);
        }
        for _ in 0..dice.below(5) {
            // Sometimes the same one twice, or one that was just deleted.
            let (type_name, id) = (format!("T{}", dice.below(3)), dice.below(6).to_string());
            let new = entity(&type_name, &id, &format!(r#"{{"n":{}}}"#, dice.below(100)));
            entities.insert((type_name, id), stored(new.clone(), revision));
            change.entities_put.push(new);
            let id = dice.below(6).to_string();
            let mut new = link(&id, &format!("template {}", dice.below(4)));
            new.resource = (dice.below(2) == 0).then(|| ("Doc".to_owned(), String::new()));
            links.insert(id, linked(new.clone(), revision));
            change.links_put.push(new);
        }
        assert_eq!(commit(&storage, &scope, change).await, revision);
        past.push((entities.clone(), links.clone()));
    }
    for (number, (entities, links)) in (0..).zip(&past) {
        let revision = Revision(number);
        assert_eq!(entities_at(&storage, &scope, revision, None).await, values(entities), "{revision}");
        for type_name in ["T0", "T1", "T2", "T"] {
            let expected: Vec<_> = entities.values().filter(|entity| entity.type_name == type_name).cloned().collect();
            assert_eq!(entities_at(&storage, &scope, revision, Some(type_name)).await, expected, "{revision}");
            let one = storage.data.entity_at(&scope, revision, type_name, "3").await.unwrap();
            assert_eq!(one.as_ref(), entities.get(&(type_name.to_owned(), "3".to_owned())), "{revision}");
        }
        assert_eq!(links_at(&storage, &scope, revision).await, values(links), "{revision}");
    }
    let now = storage.data.entities(&scope, None, None, 1000).await.unwrap();
    assert_eq!(now, values(&entities));
    assert_eq!(storage.data.links(&scope, None, 1000).await.unwrap(), values(&links));
    assert_eq!(entities_at(&storage, &scope, Revision(u64::MAX), None).await, values(&entities));
    for (behind, whole) in [("", true), ("T2", false)] {
        let page = storage.data.entities_at(&scope, Revision(u64::MAX), Some("T1"), Some((behind, "~")), 99).await;
        assert_eq!(page.unwrap().is_empty(), !whole, "{behind}");
    }
}

fn values<K, V: Clone>(map: &BTreeMap<K, V>) -> Vec<V> {
    map.values().cloned().collect()
}

async fn entities_at(
    storage: &Storage,
    scope: &StoreScope,
    revision: Revision,
    type_name: Option<&str>,
) -> Vec<EntityRecord> {
    let mut all: Vec<EntityRecord> = Vec::new();
    loop {
        let after = all.last().map(|e| (e.type_name.clone(), e.id.clone()));
        let after = after.as_ref().map(|(t, id)| (t.as_str(), id.as_str()));
        let page = storage.data.entities_at(scope, revision, type_name, after, 4).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

async fn links_at(storage: &Storage, scope: &StoreScope, revision: Revision) -> Vec<LinkRecord> {
    let mut all: Vec<LinkRecord> = Vec::new();
    loop {
        let after = all.last().map(|link| link.id.clone());
        let page = storage.data.links_at(scope, revision, after.as_deref(), 4).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// In byte order.
const ODD: [&str; 12] = ["", "\0", "\0b", "\n", " ", "\"", "%_", "'; --", "A", "a", "é", "🦀"];

pub(crate) async fn ids_are_kept_byte_for_byte(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut change = write(0);
    for type_name in ODD {
        for id in ODD {
            let attrs = format!("{type_name}\0{id}");
            change.entities_put.push(entity(type_name, id, &attrs));
        }
        change.links_put.push(link(type_name, type_name));
    }
    change.actor = "o'\0🦀".to_owned();
    let (entities, links) = (change.entities_put.clone(), change.links_put.clone());
    commit(&storage, &scope, change).await;

    let expected: Vec<_> = entities.into_iter().map(|e| stored(e, Revision(1))).collect();
    let found = storage.data.entities(&scope, None, None, 1000).await.unwrap();
    assert_eq!(found, expected);
    let expected_links: Vec<_> = links.into_iter().map(|l| linked(l, Revision(1))).collect();
    assert_eq!(storage.data.links(&scope, None, 1000).await.unwrap(), expected_links);
    let mut loaded = (Vec::new(), Vec::new());
    let mut sink = |chunk| {
        match chunk {
            LoadChunk::Entities(chunk) => loaded.0.extend(chunk),
            LoadChunk::Links(chunk) => loaded.1.extend(chunk),
            LoadChunk::Tuples(_) => {}
        }
        Ok(())
    };
    storage.data.load(&scope, &mut sink).await.unwrap().unwrap();
    assert_eq!(loaded, (expected.clone(), expected_links.clone()));
    for one in &expected {
        let found = storage.data.entity(&scope, &one.type_name, &one.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(one));
    }
    for one in &expected_links {
        assert_eq!(storage.data.link(&scope, &one.id).await.unwrap().as_ref(), Some(one));
    }
    let log = storage.data.revisions(&scope, None, 1).await.unwrap();
    assert_eq!(log[0].actor, "o'\0🦀");

    let mut change = write(0);
    change.entities_delete = vec![("A".to_owned(), "\0".to_owned())];
    change.links_delete = vec![String::new()];
    commit(&storage, &scope, change).await;
    assert_eq!(storage.data.entity(&scope, "A", "\0").await.unwrap(), None);
    assert!(storage.data.entity(&scope, "A", "").await.unwrap().is_some());
    assert!(storage.data.entity(&scope, "a", "\0").await.unwrap().is_some());
    assert_eq!(storage.data.link(&scope, "").await.unwrap(), None);
    assert!(storage.data.link(&scope, "\0").await.unwrap().is_some());
}

pub(crate) async fn pages_fit_together(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut change = write(0);
    for (n, id) in ODD.iter().enumerate() {
        change.entities_put.push(entity(if n % 2 == 0 { "" } else { "User" }, id, "{}"));
        change.links_put.push(link(id, "t"));
    }
    commit(&storage, &scope, change).await;
    for type_name in [None, Some(""), Some("User"), Some("Nobody")] {
        let whole = storage.data.entities(&scope, type_name, None, 1000).await.unwrap();
        assert!(whole.iter().all(|e| type_name.is_none_or(|t| t == e.type_name)));
        let mut paged: Vec<EntityRecord> = Vec::new();
        loop {
            let after = paged.last().map(|e| (e.type_name.clone(), e.id.clone()));
            let after = after.as_ref().map(|(t, id)| (t.as_str(), id.as_str()));
            let page = storage.data.entities(&scope, type_name, after, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole);
    }
    for (behind, whole) in [("", 6), ("Z", 0)] {
        let page = storage.data.entities(&scope, Some("User"), Some((behind, "🦀")), 1000);
        assert_eq!(page.await.unwrap().len(), whole, "{behind}");
    }
    let after_first = storage.data.links(&scope, Some(""), 1000).await.unwrap();
    assert_eq!(after_first.len(), ODD.len() - 1);
    assert_eq!(storage.data.links(&scope, None, 0).await.unwrap(), []);
}

pub(crate) async fn load_is_complete_and_chunked(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut change = write(0);
    change.entities_put = (0..10_001).map(|n| entity("User", &format!("{n:06}"), "{}")).collect();
    change.links_put = vec![link("a", "t"), link("b", "t")];
    commit(&storage, &scope, change).await;
    let mut sizes = Vec::new();
    let mut ids = Vec::new();
    let mut sink = |chunk| {
        match chunk {
            LoadChunk::Entities(chunk) => {
                sizes.push(chunk.len());
                ids.extend(chunk.into_iter().map(|e| e.id));
            }
            LoadChunk::Links(chunk) => sizes.push(chunk.len()),
            LoadChunk::Tuples(chunk) => sizes.push(chunk.len()),
        }
        Ok(())
    };
    let head = storage.data.load(&scope, &mut sink).await.unwrap().unwrap();
    assert_eq!(head.revision, Revision(1));
    assert_eq!(sizes, [10_000, 1, 2]);
    assert!(ids.iter().enumerate().all(|(n, id)| *id == format!("{n:06}")));
}

pub(crate) async fn a_past_revision_has_its_release_and_settings(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    // Settings by revision, from the first on; the store was made with `{}`.
    let settings = [None, Some("a"), None, None, Some("b"), Some("c"), None];
    for (before, setting) in settings.iter().enumerate() {
        let mut change = write(before as u64);
        change.settings = setting.map(|name| format!("{{\"{name}\":1}}"));
        commit(&storage, &scope, change).await;
    }
    let mut now = "{}".to_owned();
    for (index, setting) in settings.iter().enumerate() {
        if let Some(name) = setting {
            now = format!("{{\"{name}\":1}}");
        }
        let state = storage.data.state_at(&scope, Revision(index as u64 + 1)).await.unwrap().unwrap();
        assert_eq!((state.settings.as_str(), state.release), (now.as_str(), None), "revision {}", index + 1);
        assert_eq!(state.ended_at.is_none(), index + 1 == settings.len());
    }
    for none in [0, settings.len() as u64 + 1] {
        assert_eq!(storage.data.state_at(&scope, Revision(none)).await.unwrap(), None);
    }
    assert_eq!(storage.data.state_at(&store_scope(2, 1), Revision(1)).await.unwrap(), None);
}
