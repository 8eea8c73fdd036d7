//! JSON in both directions, with everything that a client may leave out or spell otherwise.

use serde_json::{Value, json};

use super::{codes, read};
use crate::relation::model::{Model, ParameterType, RestrictionKind, Rewrite};
use crate::relation::{model_from_json, model_to_http_json, model_to_json};

const TEXT: &str = "\
model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define parent: [doc]\n    \
define viewer: [user, user:* with c, doc#viewer] or viewer from parent\n    define top: viewer but not parent\n\
condition c(x: int, y: map<string>) {\n  x < 1\n}\n";

#[test]
fn replies_write_every_field() {
    let metadata =
        |restrictions: Value| json!({ "directly_related_user_types": restrictions, "module": "", "source_info": null });
    let expected = json!({
        "schema_version": "1.1",
        "type_definitions": [
            { "type": "user", "relations": {}, "metadata": null },
            { "type": "doc",
              "relations": {
                "parent": { "this": {} },
                "viewer": { "union": { "child": [
                    { "this": {} },
                    { "tupleToUserset": { "tupleset": { "object": "", "relation": "parent" },
                                          "computedUserset": { "object": "", "relation": "viewer" } } },
                ] } },
                "top": { "difference": { "base": { "computedUserset": { "object": "", "relation": "viewer" } },
                                         "subtract": { "computedUserset": { "object": "", "relation": "parent" } } } },
              },
              "metadata": { "module": "", "source_info": null, "relations": {
                "parent": metadata(json!([{ "type": "doc", "condition": "" }])),
                "viewer": metadata(json!([
                    { "type": "user", "condition": "" },
                    { "type": "user", "wildcard": {}, "condition": "c" },
                    { "type": "doc", "relation": "viewer", "condition": "" },
                ])),
                "top": metadata(json!([])),
              } } },
        ],
        "conditions": { "c": { "name": "c", "expression": "x < 1", "metadata": null, "parameters": {
            "x": { "type_name": "TYPE_NAME_INT", "generic_types": [] },
            "y": { "type_name": "TYPE_NAME_MAP",
                   "generic_types": [{ "type_name": "TYPE_NAME_STRING", "generic_types": [] }] },
        } } },
    });
    assert_eq!(model_to_http_json(&read(TEXT)), expected);
    assert_eq!(model_to_json(&model_from_json(&expected).unwrap()), model_to_json(&read(TEXT)));
}

#[test]
fn an_empty_model_still_has_its_fields() {
    let model = read("model\n  schema 1.1\n");
    assert_eq!(
        model_to_http_json(&model),
        json!({ "schema_version": "1.1", "type_definitions": [], "conditions": {} })
    );
    assert_eq!(model_to_json(&model), json!({ "schema_version": "1.1", "type_definitions": [] }));
}

/// `snake_case` to `camelCase` and back, in every key.
fn respelled(value: &Value, camel: bool) -> Value {
    match value {
        Value::Object(object) => {
            object.iter().map(|(key, value)| (respelled_key(key, camel), respelled(value, camel))).collect()
        }
        Value::Array(items) => items.iter().map(|item| respelled(item, camel)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn respelled_key(key: &str, camel: bool) -> String {
    let mut spelled = String::new();
    let mut upper = false;
    for c in key.chars() {
        match c {
            '_' if camel => upper = true,
            c if upper => {
                spelled.push(c.to_ascii_uppercase());
                upper = false;
            }
            c if !camel && c.is_ascii_uppercase() => {
                spelled.push('_');
                spelled.push(c.to_ascii_lowercase());
            }
            c => spelled.push(c),
        }
    }
    spelled
}

#[test]
fn both_spellings_read() {
    let model = read(TEXT);
    for json in [model_to_json(&model), model_to_http_json(&model)] {
        for camel in [true, false] {
            let read = model_from_json(&respelled(&json, camel)).unwrap();
            assert_eq!(model_to_json(&read), model_to_json(&model));
        }
    }
}

#[test]
fn what_is_left_out_or_unknown_does_no_harm() {
    let model = model_from_json(&json!({
        "id": "01", "schema_version": "1.1", "conditions": null, "extra": [1, { "a": 2 }],
        "type_definitions": [
            { "type": "user" },
            { "type": "doc", "extra": 1,
              "relations": { "a": { "this": {}, "union": null, "extra": 1 } },
              "metadata": { "relations": {
                  "a": { "directly_related_user_types": [{ "type": "user", "relation": "", "wildcard": null }] },
                  "gone": {} } } },
        ],
    }))
    .unwrap();
    assert_eq!(codes(&model, true), Vec::<String>::new());
    assert_eq!(model.types[1].relations[0].restrictions[0].kind, RestrictionKind::Object);
}

fn with_rewrite(rewrite: &Value) -> Value {
    json!({ "schema_version": "1.1", "type_definitions": [{ "type": "doc", "relations": { "a/b": rewrite } }] })
}

fn refused(json: &Value, pointer: &str) {
    let problems = model_from_json(json).unwrap_err();
    assert_eq!(problems[0].code, "model_json");
    assert!(problems[0].message.contains(pointer), "{pointer}: {}", problems[0].message);
}

#[test]
fn wrong_types_are_named_by_their_pointer() {
    refused(&json!([]), "the model");
    refused(&json!(null), "the model");
    refused(&json!({ "schema_version": 1.1 }), "`/schema_version`");
    refused(&json!({ "type_definitions": {} }), "`/type_definitions`");
    refused(&json!({ "type_definitions": [{}, 1] }), "`/type_definitions/1`");
    refused(&json!({ "typeDefinitions": [{ "type": [] }] }), "`/typeDefinitions/0/type`");
    refused(&json!({ "type_definitions": [{ "relations": [] }] }), "`/type_definitions/0/relations`");
    refused(&json!({ "type_definitions": [{ "metadata": 1 }] }), "`/type_definitions/0/metadata`");
    refused(
        &json!({ "type_definitions": [{ "metadata": { "relations": 1 } }] }),
        "`/type_definitions/0/metadata/relations`",
    );
    refused(&json!({ "type_definitions": [{ "metadata": { "source_info": 1 } }] }), "metadata/source_info`");
    refused(&json!({ "conditions": [] }), "`/conditions`");
    refused(&json!({ "conditions": { "c": { "name": "d" } } }), "`/conditions/c`");
    refused(
        &json!({ "conditions": { "c": { "name": "c", "parameters": { "x": 1 } } } }),
        "`/conditions/c/parameters/x`",
    );
    let place = "`/type_definitions/0/relations/a~1b";
    refused(&with_rewrite(&json!(null)), place);
    refused(&with_rewrite(&json!({})), place);
    refused(&with_rewrite(&json!({ "this": {}, "union": {} })), place);
    refused(&with_rewrite(&json!({ "this": true })), &format!("{place}/this`"));
    refused(
        &with_rewrite(&json!({ "computedUserset": { "relation": 1 } })),
        &format!("{place}/computedUserset/relation`"),
    );
    refused(
        &with_rewrite(&json!({ "tupleToUserset": { "tupleset": "a" } })),
        &format!("{place}/tupleToUserset/tupleset`"),
    );
    refused(&with_rewrite(&json!({ "union": { "child": [{}] } })), &format!("{place}/union/child/0`"));
    refused(&with_rewrite(&json!({ "difference": { "base": { "this": {} } } })), &format!("{place}/difference`"));
    let metadata = |restriction: Value| {
        json!({ "type_definitions": [{ "type": "d", "relations": { "a": { "this": {} } },
                "metadata": { "relations": { "a": { "directly_related_user_types": [restriction] } } } }] })
    };
    let place = "`/type_definitions/0/metadata/relations/a/directly_related_user_types/0";
    refused(&metadata(json!("user")), place);
    refused(&metadata(json!({ "type": "user", "relation": "a", "wildcard": {} })), place);
    refused(&metadata(json!({ "type": "user", "wildcard": true })), &format!("{place}/wildcard`"));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        (0..depth).fold(
            json!({ "computedUserset": { "relation": "x" } }),
            |inner, _| json!({ "union": { "child": [inner] } }),
        )
    };
    assert!(model_from_json(&with_rewrite(&nested(64))).is_ok());
    refused(&with_rewrite(&nested(65)), "nests more than 64 deep");
}

#[test]
fn parameter_types() {
    let read = |kind: &Value| -> Result<ParameterType, String> {
        let json = json!({ "conditions": { "c": { "name": "c", "parameters": { "x": kind } } } });
        let model: Model = model_from_json(&json).map_err(|problems| problems[0].message.clone())?;
        Ok(model.conditions[0].parameters[0].1.clone())
    };
    assert_eq!(read(&json!({ "type_name": "TYPE_NAME_ANY" })), Ok(ParameterType::Any));
    assert_eq!(read(&json!({ "typeName": 4 })), Ok(ParameterType::Int));
    let list = json!({ "type_name": "TYPE_NAME_LIST", "generic_types": [{ "type_name": "TYPE_NAME_UINT" }] });
    assert_eq!(read(&list), Ok(ParameterType::List(Box::new(ParameterType::Uint))));
    for bad in [
        json!({}),
        json!({ "type_name": "TYPE_NAME_UNSPECIFIED" }),
        json!({ "type_name": "int" }),
        json!({ "type_name": 12 }),
        json!({ "type_name": "TYPE_NAME_LIST" }),
        json!({ "type_name": "TYPE_NAME_INT", "generic_types": [{ "type_name": "TYPE_NAME_INT" }] }),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_union_without_operands_is_refused_later() {
    let model = model_from_json(&with_rewrite(&json!({ "union": {} }))).unwrap();
    assert_eq!(model.types[0].relations[0].rewrite, Rewrite::Union(Vec::new()));
    assert_eq!(codes(&model, true), ["empty_rewrite"]);
}

#[test]
fn direct_types_in_odd_places_are_a_warning() {
    let model = |rewrite: Value| {
        let json = json!({ "schema_version": "1.1", "type_definitions": [{ "type": "user" }, { "type": "doc",
            "relations": { "a": { "this": {} }, "b": rewrite },
            "metadata": { "relations": { "a": { "directly_related_user_types": [{ "type": "user" }] },
                                         "b": { "directly_related_user_types": [{ "type": "user" }] } } } }] });
        model_from_json(&json).unwrap()
    };
    let a = json!({ "computedUserset": { "relation": "a" } });
    let last = model(json!({ "union": { "child": [a, { "this": {} }] } }));
    assert_eq!(codes(&last, true), Vec::<String>::new());
    assert_eq!(codes(&last, false), Vec::<String>::new());
    assert!(crate::relation::print(&last).contains("define b: [user] or a\n"));
    let taken = model(json!({ "difference": { "base": a, "subtract": { "this": {} } } }));
    assert_eq!(codes(&taken, true), Vec::<String>::new());
    assert_eq!(codes(&taken, false), ["not_expressible"]);
}
