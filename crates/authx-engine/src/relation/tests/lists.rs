//! Lists of others that left something out or held too much.

use super::asked::{Allow, Deny, Store, agree};
use crate::relation::tuples::KeyParts;
use crate::relation::{Asking, Bound, GraphLimits, ObjectRef, Relations, SubjectRef, TuplesBuilder, UserFilter};

#[test]
fn cve_2022_21646_lists_see_wildcards() {
    let lines = "
        group member: [user, user:*]
        document blocked: [user:*]
        document direct: [user, user:*, group#member]
        document viewer: direct
        document reader: direct but not blocked
        document both: direct and viewer";
    let tuples = [
        "document:1#direct@user:*",
        "document:2#direct@group:1#member",
        "group:1#member@user:*",
        "document:3#direct@user:ann",
        "document:3#direct@user:*",
        "document:3#blocked@user:*",
    ];
    agree(lines, tuples, "{}");
    for (asked, ids) in [
        ("user:ann viewer document", &["1", "2", "3"][..]),
        ("user:nobody both document", &["1", "2", "3"]),
        ("user:ann reader document", &["1", "2"]),
        ("user:* reader document", &["1", "2"]),
    ] {
        assert_eq!(Store::new(lines, tuples).objects(asked).unwrap(), ids, "{asked}");
    }
}

#[test]
fn cve_2023_35930_lists_hold_nothing_that_an_exclusion_takes_away() {
    let lines = "
        org banned: [user]
        document org: [org]
        document viewer: [user, user:*]
        document reader: viewer but not banned from org
        document writer: [user] and reader";
    let tuples = [
        "document:1#org@org:1",
        "document:1#viewer@user:ann",
        "document:2#viewer@user:ann",
        "document:2#org@org:2",
        "document:3#viewer@user:*",
        "document:3#org@org:1",
        "document:3#writer@user:ann",
        "document:2#writer@user:ann",
        "org:1#banned@user:ann",
    ];
    agree(lines, tuples, "{}");
    assert_eq!(Store::new(lines, tuples).objects("user:ann reader document").unwrap(), ["2"]);
    assert_eq!(Store::new(lines, tuples).objects("user:ann writer document").unwrap(), ["2"]);
}

#[test]
fn cve_2024_32001_lists_see_a_relation_and_the_arrow_over_it() {
    let lines = "
        folder parent: [folder, user]
        folder view: parent or view from parent
        folder strict: (parent or strict from parent) but not closed
        folder closed: [user]";
    let tuples = [
        "folder:1#parent@user:ann",
        "folder:2#parent@folder:1",
        "folder:3#parent@folder:2",
        "folder:3#parent@folder:1",
        "folder:3#parent@user:ann",
        "folder:2#closed@user:ann",
    ];
    agree(lines, tuples, "{}");
    assert_eq!(Store::new(lines, tuples).objects("user:ann view folder").unwrap(), ["1", "2", "3"]);
    assert_eq!(Store::new(lines, tuples).objects("user:ann strict folder").unwrap(), ["1", "3"]);
}

#[test]
fn cve_2025_65111_lists_see_one_relation_on_both_sides_of_a_union() {
    let lines = "
        folder viewer: [user]
        document parent: [folder]
        document other: [folder]
        document viewer: [user] or viewer from parent or viewer from other
        document twice: viewer from parent or viewer from other
        document both: viewer from parent and viewer from other";
    let mut all: Vec<String> = vec!["folder:1#viewer@user:ann".into(), "folder:2#viewer@user:ann".into()];
    // As many as fill pages of every size, one more, and one less.
    for n in 0..101 {
        all.push(format!("document:{n}#parent@folder:1"));
        if n % 3 == 0 {
            all.push(format!("document:{n}#other@folder:{}", 1 + n % 2));
        }
    }
    agree(lines, &all, "{}");
    let store = Store::new(lines, &all);
    assert_eq!(store.objects("user:ann twice document").unwrap().len(), 101);
    assert_eq!(store.objects("user:ann both document").unwrap().len(), 34);
}

/// How many, and whom to ask for: the first, the last, and one beside them.
#[test]
fn cve_2024_27101_sets_around_a_power_of_two_are_exact() {
    let lines = "
        group member: [user]
        folder viewer: [user]
        folder closed: [user]
        document parent: [folder]
        document owner: [user]
        document viewer: viewer from parent
        document open: viewer from parent but not closed from parent
        document reader: [group#member]";
    for count in [65_535, 65_536, 65_537, 131_073_u32] {
        let mut all: Vec<String> = (0..count).map(|n| format!("document:1#parent@folder:{n}")).collect();
        all.extend((0..count).map(|n| format!("document:1#reader@group:{n}#member")));
        all.extend((0..count).map(|n| format!("document:{n}#owner@user:ann")));
        let last = count - 1;
        for n in [0, 255, 256, 65_534, last] {
            all.push(format!("folder:{n}#viewer@user:at{n}"));
            all.push(format!("group:{n}#member@user:at{n}"));
        }
        all.push(format!("folder:{count}#viewer@user:beside"));
        all.push(format!("group:{count}#member@user:beside"));
        all.push(format!("folder:{last}#closed@user:at0"));
        all.sort_unstable();
        all.dedup();
        let store = Store::new(lines, &all);
        assert_eq!(store.tuples.len(), all.len());
        for n in [0, 255, 256, 65_534, last] {
            assert_eq!(store.check(&format!("user:at{n} viewer document:1")), Allow, "{n} of {count}");
            assert_eq!(store.check(&format!("user:at{n} reader document:1")), Allow, "{n} of {count}");
            let open = if n == 0 { Deny } else { Allow };
            assert_eq!(store.check(&format!("user:at{n} open document:1")), open, "{n} of {count}");
            assert_eq!(store.objects(&format!("user:at{n} viewer document")).unwrap(), ["1"]);
        }
        for relation in ["viewer", "reader", "open"] {
            assert_eq!(store.check(&format!("user:beside {relation} document:1")), Deny, "{count}");
        }
        assert_eq!(store.objects("user:ann owner document").unwrap().len(), count as usize);
        let users = store.users("document:1 reader group#member").unwrap();
        assert_eq!(users.len(), count as usize);
    }
}

#[test]
fn a_list_that_is_limited_ends_there() {
    // More than the bound on work would let anybody see.
    let count = 600_000;
    let mut builder = TuplesBuilder::default();
    let mut push = |object_id: &str, relation: &str, subject_id: &str| {
        let (object_type, subject_type, subject_relation) = ("document", "user", "");
        builder
            .push(KeyParts { object_type, object_id, relation, subject_type, subject_id, subject_relation }, None, None)
            .unwrap();
    };
    for n in 0..count {
        let id = n.to_string();
        push(&id, "owner", "ann");
        push("all", "reader", &id);
    }
    let model = super::asked::model("document owner: [user]\ndocument reader: [user]");
    let tuples = builder.finish().unwrap();
    let bound = Bound::new(&model, &tuples);
    let relations = Relations::new(&model, &tuples, &bound);
    let context = serde_json::Map::new();
    let asking = Asking { context: &context, now: 0, limits: GraphLimits::default() };
    let ann = SubjectRef::parse("user:ann").unwrap();
    let filter = UserFilter { type_name: "user".into(), relation: None };
    let all = ObjectRef::new("document", "all");
    for limit in [1, 10, 1_000] {
        let objects = relations.list_objects("document", "owner", &ann, &asking, limit).unwrap();
        assert_eq!((objects.items.len(), objects.complete), (limit, false));
        let users = relations.list_users(&all, "reader", &filter, &asking, limit).unwrap();
        assert_eq!((users.items.len(), users.complete), (limit, false));
    }
    assert!(relations.list_objects("document", "owner", &ann, &asking, usize::MAX).is_err());
    assert!(relations.list_users(&all, "reader", &filter, &asking, usize::MAX).is_err());
}

#[test]
fn what_failed_for_one_object_says_nothing_of_the_next() {
    // `1` is settled beside a condition that fails; `2` is denied for its cycle alone.
    let lines = "
        document maybe: [user with c]
        document sure: [user]
        document blocked: [user, document#viewer]
        document viewer: (maybe or sure) but not blocked
        condition c(x: int) { x < 1 }";
    let tuples = [
        "document:1#maybe@user:ann with c",
        "document:1#sure@user:ann",
        "document:2#sure@user:ann",
        "document:2#blocked@document:2#viewer",
    ];
    let store = Store::new(lines, tuples);
    assert_eq!(store.check("user:ann viewer document:1"), Allow);
    assert_eq!(store.check("user:ann viewer document:2"), Deny);
    assert_eq!(store.objects("user:ann viewer document").unwrap(), ["1"]);
}
