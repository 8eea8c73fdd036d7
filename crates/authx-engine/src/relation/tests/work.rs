//! What nothing bounded: work that was done and not counted, and answers of any size.

use serde_json::{Map, Value as Json, json};

use super::asked::{Allow, Bounded, Deny, Store, answer, model, packed, tuples as read};
use super::world::NOW;
use crate::relation::{
    Asking, Bound, Expansion, GraphError, GraphLimits, Leaf, ModelSource, ModelSyntax, ObjectRef, RelationModel,
    Relations, SubjectRef,
};

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

fn lines(type_name: &str, names: &[String], rewrite: &str) -> String {
    names.iter().map(|name| format!("{type_name} {name}: {rewrite}\n")).collect::<Vec<_>>().concat()
}

#[test]
fn the_checks_of_a_list_of_users_are_one_question() {
    let model = "
        group closed: [user]
        group strict: [user] but not closed
        document banned: [group#strict]
        document viewer: [user] but not banned";
    let tuples = |groups: usize, users: usize| {
        let groups = (0..groups).map(|n| format!("document:1#banned@group:{n}#strict"));
        groups.chain((0..users).map(|n| format!("document:1#viewer@user:{n}"))).collect::<Vec<_>>()
    };
    let users = |store: &Store| store.users("document:1 viewer user").map(|users| users.len());
    assert_eq!(users(&Store::new(model, tuples(100, 100))), Ok(100));
    let store = Store::new(model, tuples(1_000, 1_000));
    assert_eq!(store.check("user:1 viewer document:1"), Allow);
    assert_eq!(users(&store), Err(Bounded));
}

#[test]
fn every_way_to_users_is_counted() {
    let (outer, inner) = (names("a", 170), names("b", 170));
    let model = [
        lines("g", &inner, "[user]"),
        lines("g", &outer, &inner.join(" or ")),
        format!("g all: {}\n", outer.join(" or ")),
        "document viewer: [g#all]".into(),
    ];
    let tuples = |count: usize| (0..count).map(|n| format!("document:1#viewer@g:{n}#all"));
    let users = |count| Store::new(&model.concat(), tuples(count)).users("document:1 viewer user").map(|u| u.len());
    assert_eq!(users(2), Ok(0));
    assert_eq!(users(100), Err(Bounded));
}

#[test]
fn every_operand_is_counted() {
    let relations = names("r", 4_000);
    let arrows: Vec<String> = relations.iter().map(|name| format!("{name} from p")).collect();
    let model = [
        lines("g", &relations, "[user]"),
        format!("g p: [g]\ng all: {}\n", arrows.join(" or ")),
        "document viewer: [g#all]".into(),
    ];
    let tuples = |count: usize| (0..count).map(|n| format!("document:1#viewer@g:{n}#all"));
    let check = |count| Store::new(&model.concat(), tuples(count)).check("user:ann viewer document:1");
    assert_eq!(check(2), Deny);
    assert_eq!(check(200), Bounded);
}

#[test]
fn the_work_of_conditions_is_the_questions() {
    let model = "
        document viewer: [user with slow]
        document open: [document#viewer]
        condition slow(x: list<int>) { x.all(a, x.all(b, a + b > 0)) && false }";
    let context = json!({"x": vec![1; 40]});
    let tuples = |count: usize| {
        let each =
            |n| [format!("document:1#open@document:{n}#viewer"), format!("document:{n}#viewer@user:ann with slow")];
        (0..count).flat_map(each).collect::<Vec<_>>()
    };
    let check = |count| Store::new(model, tuples(count)).check(&format!("user:ann open document:1 {context}"));
    assert_eq!(check(10), Deny);
    assert_eq!(check(2_000), Bounded);
}

fn expansion(model: &RelationModel, store: &Store, limits: GraphLimits) -> Result<Expansion, GraphError> {
    let bound = Bound::new(model, &store.tuples);
    let asking = Asking { context: &Map::new(), now: NOW, limits };
    Relations::new(model, &store.tuples, &bound).expand(&ObjectRef::new("document", "1"), "viewer", &asking)
}

#[test]
fn an_expansion_is_bounded_by_what_it_holds_and_by_what_it_looks_at() {
    let text = "document viewer: [user]";
    let tuples =
        |count: usize, end: &str| (0..count).map(|n| format!("document:1#viewer@user:{n}{end}")).collect::<Vec<_>>();
    let limits = GraphLimits::default();
    let named = |got: Result<Expansion, GraphError>| match got.map(|expansion| expansion.leaf) {
        Ok(Leaf::Users(users)) => Ok(users.len()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let (full, over) = (Store::new(text, tuples(99_999, "")), Store::new(text, tuples(100_000, "")));
    assert_eq!(named(expansion(&full.model, &full, limits)), Ok(99_999));
    assert_eq!(named(expansion(&over.model, &over, limits)), Err(GraphError::TooManyLeaves { limit: 100_000 }));
    // What has expired is looked at, too.
    let expired = Store::new(text, tuples(100, &format!(" until {NOW}")));
    assert_eq!(named(expansion(&expired.model, &expired, limits)), Ok(0));
    let few = GraphLimits { steps: 99, ..limits };
    assert_eq!(answer(expansion(&expired.model, &expired, few).map(|_| false)), Bounded);
}

/// `this` in a union as often as a text has room for, and as many restrictions.
fn repeated() -> RelationModel {
    let relations = names("r", 2_000);
    let mut document = json!({"type": "document", "relations": {}, "metadata": {"relations": {}}});
    for name in &relations {
        document["relations"][name] = json!({"this": {}});
        document["metadata"]["relations"][name] = json!({"directly_related_user_types": [{"type": "user"}]});
    }
    let usersets: Vec<Json> = relations.iter().map(|name| json!({"type": "document", "relation": name})).collect();
    document["relations"]["viewer"] = json!({"union": {"child": vec![json!({"this": {}}); 5_000]}});
    document["metadata"]["relations"]["viewer"] = json!({"directly_related_user_types": usersets});
    let text = json!({"schema_version": "1.1", "type_definitions": [{"type": "user"}, document]}).to_string();
    let source = ModelSource { syntax: ModelSyntax::Json, file: None, text };
    RelationModel::read("m", source).unwrap().0
}

#[test]
fn what_a_rewrite_repeats_leads_on_once_and_is_expanded_within_the_bound() {
    let repeated = repeated();
    let leads: usize = repeated.relations.iter().map(|rules| rules.leads.len()).sum();
    assert_eq!(leads, 2_000);
    let tuples: Vec<String> = (0..100).map(|n| format!("document:1#viewer@document:{n}#r{n}")).collect();
    let store = Store { model: model("document viewer: [user]"), tuples: packed(&read(tuples)) };
    let got = expansion(&repeated, &store, GraphLimits::default());
    assert_eq!(got, Err(GraphError::TooManyLeaves { limit: 100_000 }));
}

#[test]
fn a_list_looks_at_no_tuple_that_leads_nowhere() {
    let model = "
        group member: [user, group#member]
        document viewer: [user, user:*, group#member]";
    let wide = (0..10_000)
        .flat_map(|n| [format!("document:{n}#viewer@user:1"), format!("document:{n}#viewer@group:1#member")]);
    let few = ["group:1#member@user:1", "group:2#member@group:1#member"].map(str::to_owned);
    let store = Store::new(model, wide.chain(few).collect::<Vec<_>>());
    let bound = Bound::new(&store.model, &store.tuples);
    let relations = Relations::new(&store.model, &store.tuples, &bound);
    let (context, subject) = (Map::new(), SubjectRef::parse("user:1").unwrap());
    let asking = Asking { context: &context, now: NOW, limits: GraphLimits { steps: 20, ..GraphLimits::default() } };
    let list = |type_name, relation| relations.list_objects(type_name, relation, &subject, &asking, 100_000);
    assert_eq!(list("group", "member").map(|found| found.items.len()), Ok(2));
    assert_eq!(list("document", "viewer"), Err(GraphError::TooMuchWork { limit: 20 }));
}
