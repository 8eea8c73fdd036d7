//! Tuples as text: what is read is what is printed, and the rest is refused.

use super::storage::ODD_IDS;
use super::world::Random;
use crate::relation::tuple::{MAX_OBJECT_BYTES, MAX_SUBJECT_BYTES, ObjectRef, SubjectRef, TupleKey, TupleTextError};

/// What breaks any id.
const BROKEN_IDS: &[&str] = &[
    "",
    " ",
    "a b",
    " a",
    "a ",
    "a#b",
    "#",
    "a\tb",
    "a\nb",
    "a\rb",
    "\0",
    "a\0",
    "\u{1b}[0m",
    "\u{1f}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "a\u{3000}",
    "\u{2028}",
];

/// What breaks the name of a type or a relation.
const BROKEN_NAMES: &[&str] = &["", " ", "a b", "a:b", "a@b", "a#b", "*", "a*", "a\0", "a\n", "\u{a0}"];

#[test]
fn keys_are_printed_as_they_are_read() {
    for id in ODD_IDS {
        for other in ODD_IDS {
            for subject in [format!("user:{other}"), format!("group:{other}#member"), "user:*".into()] {
                let text = format!("document:{id}#viewer@{subject}");
                let key = TupleKey::parse(&text).unwrap();
                assert_eq!((key.object.id.as_str(), key.relation.as_str()), (*id, "viewer"));
                assert_eq!(key.subject.to_string(), subject);
                assert_eq!(key.to_string(), text);
                assert_eq!(TupleKey::parse(&key.to_string()).unwrap(), key);
            }
        }
    }
}

#[test]
fn whatever_is_read_is_printed_the_same() {
    let mut random = Random(3);
    let mut read = 0;
    for _ in 0..200_000 {
        let length = random.below(16);
        let text: String =
            (0..length).map(|_| *random.pick(&["a", "b", ":", "#", "@", "*", " ", "\0", "é", "/"])).collect();
        if let Ok(object) = ObjectRef::parse(&text) {
            assert_eq!(object.to_string(), text);
            read += 1;
        }
        if let Ok(subject) = SubjectRef::parse(&text) {
            assert_eq!(subject.to_string(), text);
            assert_eq!(subject.is_wildcard(), text.ends_with(":*") && text.matches(':').count() == 1);
        }
        if let Ok(key) = TupleKey::parse(&text) {
            assert_eq!(key.to_string(), text);
            read += 1;
        }
    }
    assert!(read > 1_000, "{read}");
}

#[test]
fn texts_split_at_the_first_of_each_delimiter() {
    for (text, object, relation, subject) in [
        ("d:1#r@u:1", "d:1", "r", "u:1"),
        ("d:1@x#r@u:1", "d:1@x", "r", "u:1"),
        ("d:1#r@u:1@x", "d:1", "r", "u:1@x"),
        ("d:1:2#r@u:1:2", "d:1:2", "r", "u:1:2"),
        ("d:u:1#r@u:@#m", "d:u:1", "r", "u:@#m"),
        ("d:1#r@u:*", "d:1", "r", "u:*"),
        ("d:1#r@u:**", "d:1", "r", "u:**"),
        ("d:1#r@u::*", "d:1", "r", "u::*"),
    ] {
        let key = TupleKey::parse(text).unwrap();
        assert_eq!(key.object, ObjectRef::parse(object).unwrap(), "{text}");
        assert_eq!((key.relation.as_str(), key.subject.to_string().as_str()), (relation, subject), "{text}");
    }
}

#[test]
fn broken_texts_are_refused() {
    for text in [
        "",
        "d",
        "d:",
        ":1",
        ":",
        "d:1",
        "d:1#",
        "d:1#r",
        "d:1#r@",
        "d:1#r@u",
        "d:1#r@u:",
        "d:1#r@:1",
        "d:1#@u:1",
        "d:1@u:1",
        "#r@u:1",
        "d#r@u:1",
        "d:1#r#s@u:1",
        "d:1#r@u:1#",
        "d:1#r@u:1#m#n",
        "d:1#r@u:1##m",
        "d:1##r@u:1",
        "d:1#r@@u:1",
        "d:1#r@u:*#m",
        "d:1#*@u:1",
        "d:1#r@*",
        "d:1#r@*:*",
        "d:1#r@*:1",
        "*:1#r@u:1",
        "d:1#r:s@u:1",
        "d:1#r@u@v:1",
        "d:1#r@u:1#m@n",
        " d:1#r@u:1",
        "d:1#r@u:1 ",
        "d :1#r@u:1",
        "d:1#r @u:1",
        "d:1 #r@u:1",
    ] {
        assert!(TupleKey::parse(text).is_err(), "{text:?}");
    }
    for id in BROKEN_IDS {
        assert!(ObjectRef::parse(&format!("d:{id}")).is_err(), "{id:?}");
        assert!(SubjectRef::parse(&format!("u:{id}")).is_err() || *id == "a#b", "{id:?}");
        assert!(SubjectRef::parse(&format!("u:{id}#m")).is_err(), "{id:?}");
    }
    for name in BROKEN_NAMES {
        if !name.contains(':') {
            assert!(ObjectRef::parse(&format!("{name}:1")).is_err(), "{name:?}");
            assert!(SubjectRef::parse(&format!("{name}:1")).is_err(), "{name:?}");
        }
        assert!(SubjectRef::parse(&format!("u:1#{name}")).is_err(), "{name:?}");
        assert!(TupleKey::parse(&format!("d:1#{name}@u:1")).is_err(), "{name:?}");
    }
}

#[test]
fn a_refusal_says_what_it_is_about() {
    assert_eq!(ObjectRef::parse("d").unwrap_err(), TupleTextError::Object("d".into()));
    assert_eq!(SubjectRef::parse("u:*#m").unwrap_err(), TupleTextError::Subject("u:*#m".into()));
    assert_eq!(TupleKey::parse("d:1#r").unwrap_err(), TupleTextError::Tuple("d:1#r".into()));
    assert_eq!(TupleKey::parse("d#r@u:1").unwrap_err(), TupleTextError::Object("d".into()));
    assert_eq!(TupleKey::parse("d:1#r@u").unwrap_err(), TupleTextError::Subject("u".into()));
    assert_eq!(ObjectRef::parse("d").unwrap_err().to_string(), "`d` is no object: write `type:id`");
}

#[test]
fn texts_are_as_long_as_they_may_be() {
    let of =
        |bytes: usize, head: &str, tail: &str| format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()));
    for (bytes, fits) in [(MAX_SUBJECT_BYTES, true), (MAX_SUBJECT_BYTES + 1, false)] {
        for text in [of(bytes, "user:", ""), of(bytes, "user:", "#member"), of(bytes, "user:é", "")] {
            assert_eq!(text.len(), bytes);
            assert_eq!(SubjectRef::parse(&text).is_ok(), fits, "{bytes}");
            assert_eq!(TupleKey::parse(&format!("d:1#r@{text}")).is_ok(), fits, "{bytes}");
        }
    }
    assert_eq!((MAX_SUBJECT_BYTES, MAX_OBJECT_BYTES), (512, 256));
    for (bytes, fits) in [(MAX_OBJECT_BYTES, true), (MAX_OBJECT_BYTES + 1, false)] {
        let text = of(bytes, "document:", "é");
        assert_eq!(ObjectRef::parse(&text).is_ok(), fits, "{bytes}");
        assert_eq!(TupleKey::parse(&format!("{text}#r@u:1")).is_ok(), fits, "{bytes}");
    }
    for (length, fits) in [(50, true), (51, false)] {
        let relation = "r".repeat(length);
        assert_eq!(TupleKey::parse(&format!("d:1#{relation}@u:1")).is_ok(), fits);
        assert_eq!(SubjectRef::parse(&format!("u:1#{relation}")).is_ok(), fits);
    }
    for (length, fits) in [(254, true), (255, false)] {
        assert_eq!(SubjectRef::parse(&format!("{}:1", "t".repeat(length))).is_ok(), fits);
        assert_eq!(ObjectRef::parse(&format!("{}:1", "t".repeat(length))).is_ok(), fits);
    }
}
