//! Models of several files.

use super::{codes, places, read};
use crate::problem::Problem;
use crate::relation::model::Model;
use crate::relation::{combine, model_from_json, model_to_http_json, model_to_json, parse_module, print_module};

const CORE: &str = "module core\n\ntype user\n\ntype group\n  relations\n    define member: [user]\n";
const WIKI: &str = "\
# wiki\nmodule wiki\n\nextend type group\n  relations\n    define editor: [user with c]\n\ntype page\n\n\
extend type user\n  relations\n    define friend: [user]\n\ncondition c(x: int) {\n  x < 1\n}\n";

fn combined(files: &[(&str, &str)]) -> Result<Model, Vec<Problem>> {
    let modules = files.iter().map(|(file, text)| parse_module(text, file)).collect::<Result<Vec<_>, _>>()?;
    combine("1.2", modules)
}

#[test]
fn modules_make_one_model() {
    let model = combined(&[("wiki.fga", WIKI), ("core.fga", CORE)]).unwrap();
    assert_eq!(model.comments, ["wiki"]);
    assert_eq!(codes(&model, true), Vec::<String>::new());
    let json = model_to_json(&model);
    assert_eq!(
        json,
        serde_json::json!({
            "schema_version": "1.2",
            "type_definitions": [
                { "type": "page", "relations": {},
                  "metadata": { "module": "wiki", "source_info": { "file": "wiki.fga" } } },
                { "type": "user", "relations": { "friend": { "this": {} } },
                  "metadata": { "module": "core", "source_info": { "file": "core.fga" }, "relations": {
                    "friend": { "directly_related_user_types": [{ "type": "user" }],
                                "module": "wiki", "source_info": { "file": "wiki.fga" } } } } },
                { "type": "group", "relations": { "member": { "this": {} }, "editor": { "this": {} } },
                  "metadata": { "module": "core", "source_info": { "file": "core.fga" }, "relations": {
                    "member": { "directly_related_user_types": [{ "type": "user" }] },
                    "editor": { "directly_related_user_types": [{ "type": "user", "condition": "c" }],
                                "module": "wiki", "source_info": { "file": "wiki.fga" } } } } },
            ],
            "conditions": { "c": { "name": "c", "expression": "x < 1",
                "parameters": { "x": { "type_name": "TYPE_NAME_INT" } },
                "metadata": { "module": "wiki", "source_info": { "file": "wiki.fga" } } } },
        })
    );
    for json in [json.clone(), model_to_http_json(&model)] {
        assert_eq!(model_to_json(&model_from_json(&json).unwrap()), model_to_json(&model), "{json:#}");
    }
}

#[test]
fn modules_that_do_not_fit() {
    for (files, expected) in [
        (&[("a.fga", "module a\ntype x\n"), ("b.fga", "module b\ntype x\n")][..], "duplicate_type 2:6 b.fga"),
        (&[("a.fga", "module a\ntype x\ntype x\n")], "duplicate_type 3:6 a.fga"),
        (&[("a.fga", "module a\nextend type x\n")], "undefined_type 2:13 a.fga"),
        (&[("a.fga", "module a\ntype x\nextend type x\nextend type x\n")], "duplicate_extension 4:13 a.fga"),
        (
            &[
                ("a.fga", "module a\ntype group\n  relations\n    define member: [group]\n"),
                ("b.fga", "module b\nextend type group\n  relations\n    define member: [group]\n"),
            ],
            "duplicate_relation 4:12 b.fga",
        ),
        (
            &[("a.fga", WIKI), ("b.fga", "module b\ncondition c(x: int) {\n  x < 1\n}\n"), ("c.fga", CORE)],
            "duplicate_condition 2:11 b.fga",
        ),
        (&[("a.fga", "type x\n")], "model_syntax 1:1 a.fga"),
        (&[("a.fga", "model\n  schema 1.2\n")], "model_syntax 1:1 a.fga"),
        (&[("a.fga", "module a/b\n")], "model_syntax 1:8 a.fga"),
    ] {
        let problems = combined(files).unwrap_err();
        let found = format!("{} {}", places(&problems)[0], problems[0].file.as_deref().unwrap_or("-"));
        assert_eq!(found, expected);
    }
}

#[test]
fn problems_of_a_module_name_its_file() {
    let model = combined(&[
        ("core.fga", &CORE.replace("[user]", "[nobody]")),
        ("wiki.fga", &WIKI.replace("[user]", "[nobody]")),
    ]);
    let problems = crate::relation::validate(&model.unwrap());
    let files: Vec<_> = problems.iter().map(|p| p.file.as_deref()).collect();
    assert_eq!(files, [Some("wiki.fga"), Some("core.fga")]);
}

#[test]
fn a_model_of_one_file_has_no_module() {
    assert_eq!(read("model\n  schema 1.2\ntype user\n").types[0].source.module, None);
}

#[test]
fn printing_a_module_keeps_it() {
    for text in [
        CORE,
        WIKI,
        "# head\nmodule a_b\n",
        "module a\n\nextend type x\n\n# own\ntype y\n  relations\n    # why\n    define z: [x]\n",
    ] {
        assert_eq!(print_module(&parse_module(text, "a.fga").unwrap()), text);
    }
}
