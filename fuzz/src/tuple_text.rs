//! References and tuples as text, one a line: what is read is printed the same, and stored as what it is.

use std::collections::BTreeSet;

use authx_engine::EntityUid;
use authx_engine::relation::{ObjectRef, SubjectRef, Tuple, TupleKey, Tuples, TuplesBuilder};

pub fn hold(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut keys = BTreeSet::new();
    for line in text.split('\n') {
        references(line);
        if let Ok(key) = TupleKey::parse(line) {
            assert_eq!(key.to_string(), line);
            assert_eq!(ObjectRef::parse(&key.object.to_string()).as_ref(), Ok(&key.object));
            assert_eq!(SubjectRef::parse(&key.subject.to_string()).as_ref(), Ok(&key.subject));
            keys.insert(key);
        }
    }
    stored(&keys);
    !keys.is_empty()
}

fn references(line: &str) {
    if let Ok(object) = ObjectRef::parse(line) {
        assert_eq!(object.to_string(), line);
    }
    if let Ok(subject) = SubjectRef::parse(line) {
        assert_eq!(subject.to_string(), line);
        assert_eq!(subject.is_wildcard(), subject.relation.is_none() && subject.object.is_wildcard());
    }
    // An entity's text has several forms; the one that is printed is read as the same entity.
    if let Ok(uid) = EntityUid::parse(line) {
        let printed = uid.to_string();
        assert_eq!(EntityUid::parse(&printed).as_ref(), Ok(&uid), "{printed}");
        assert_eq!(EntityUid::new(&uid.type_name(), uid.id()).as_ref(), Ok(&uid));
    }
}

fn stored(keys: &BTreeSet<TupleKey>) {
    let tuple = |key: &TupleKey| Tuple { key: key.clone(), condition: None, expires_at: None };
    let all: Vec<Tuple> = keys.iter().map(tuple).collect();
    let mut builder = TuplesBuilder::default();
    for tuple in &all {
        builder.push_tuple(tuple).unwrap();
    }
    let packed = builder.finish().unwrap();
    let written = Tuples::default().changed(&[], &all).unwrap();
    let merged = written.merged().unwrap();
    for tuples in [packed, written, merged] {
        assert_eq!(tuples.iter().map(|tuple| tuple.key).collect::<BTreeSet<_>>(), *keys);
        assert_eq!(tuples.len(), keys.len());
        assert!(all.iter().all(|tuple| tuples.get(&tuple.key).as_ref() == Some(tuple)));
        let deletes: Vec<TupleKey> = keys.iter().cloned().collect();
        assert!(tuples.changed(&deletes, &[]).unwrap().iter().next().is_none());
    }
}
