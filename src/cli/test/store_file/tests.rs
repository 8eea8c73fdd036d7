//! What store files read as, and every refusal with its place.

use super::*;

const HEAD: &str = "model_file: m.fga\n";

/// The questions of the first test, one a line.
fn questions(test: &str) -> String {
    let store = read(&format!("{HEAD}tests:\n  - name: t\n{test}"), "x.fga.yaml").unwrap();
    let told = |question: &Question| {
        let said = match &question.asked {
            Asked::Check { key, expected } => format!("{key} {expected}"),
            Asked::Objects { subject, type_name, relation, expected } => {
                format!("{subject} {relation} {type_name} {expected:?}")
            }
            Asked::Users { object, relation, filters, expected } => {
                let filters: Vec<String> =
                    filters.iter().map(|f| format!("{}{:?}", f.type_name, f.relation.as_deref())).collect();
                format!("{object} {relation} {} {expected:?}", filters.join(" "))
            }
        };
        format!("{} {said} {}", question.place.line, serde_json::Value::Object(question.context.clone()))
    };
    store.tests[0].questions.iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn assertions_become_questions() {
    for (test, expected) in [
        (
            "    check:\n      - {user: user:a, object: doc:1, assertions: {viewer: true, editor: false}}\n",
            "5 doc:1#viewer@user:a true {}\n5 doc:1#editor@user:a false {}",
        ),
        (
            "    check:\n      - users: [user:a, 'user:*', group:g#member]\n        objects: [doc:1, doc:2]\n        context: {n: 1, at: 2023-05-03T21:25:23+00:00}\n        assertions:\n          viewer: true\n",
            "9 doc:1#viewer@user:a true {\"n\":1,\"at\":\"2023-05-03T21:25:23+00:00\"}\n\
             9 doc:1#viewer@user:* true {\"n\":1,\"at\":\"2023-05-03T21:25:23+00:00\"}\n\
             9 doc:1#viewer@group:g#member true {\"n\":1,\"at\":\"2023-05-03T21:25:23+00:00\"}\n\
             9 doc:2#viewer@user:a true {\"n\":1,\"at\":\"2023-05-03T21:25:23+00:00\"}\n\
             9 doc:2#viewer@user:* true {\"n\":1,\"at\":\"2023-05-03T21:25:23+00:00\"}\n\
             9 doc:2#viewer@group:g#member true {\"n\":1,\"at\":\"2023-05-03T21:25:23+00:00\"}",
        ),
        (
            "    list_objects:\n      - user: user:a\n        type: doc\n        assertions:\n          viewer: [doc:1, doc:2]\n          editor: []\n",
            "8 user:a viewer doc {\"doc:1\", \"doc:2\"} {}\n9 user:a editor doc {} {}",
        ),
        (
            "    list_users:\n      - object: doc:1\n        user_filter: [{type: user}, {type: group, relation: member}]\n        assertions:\n          viewer:\n            users: [user:a, 'user:*']\n",
            "8 doc:1 viewer userNone groupSome(\"member\") {\"user:*\", \"user:a\"} {}",
        ),
        ("    check:\n    list_users: []\n", ""),
    ] {
        assert_eq!(questions(test), expected, "{test}");
    }
}

#[test]
fn models_tuples_and_tests_are_taken_from_anywhere() {
    let text = "name: n\nmodel: |\n  model\n    schema 1.1\ntuples:\n  - {user: user:a, relation: r, object: d:1}\n  - user: user:b\n    relation: r\n    object: d:1\n    condition: {name: c, context: {x: 1}}\ntuple_file: a.csv\ntuple_files: [b.json, c.yaml]\ntests:\n  - tuple_file: t.yaml\n  - {name: two, description: why}\n";
    let store = read(text, "x.fga.yaml").unwrap();
    let ModelText::Inline { place, text, block } = &store.model else { panic!("{store:?}") };
    assert_eq!((place.line, text.as_str(), *block), (3, "model\n  schema 1.1\n", true));
    let tuples: Vec<_> =
        store.tuples.inline.iter().map(|(place, tuple)| format!("{} {}", place.line, tuple.key)).collect();
    assert_eq!(tuples, ["6 d:1#r@user:a", "7 d:1#r@user:b"]);
    assert_eq!(store.tuples.inline[1].1.condition.as_ref().unwrap().name, "c");
    let files: Vec<_> = store.tuples.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["a.csv", "b.json", "c.yaml"]);
    let tests: Vec<_> = store.tests.iter().map(|t| (t.name.as_str(), t.description.as_deref(), t.place.line)).collect();
    assert_eq!(tests, [("test 1", None, 14), ("two", Some("why"), 15)]);
    assert_eq!(store.tests[0].tuples.files[0].path, "t.yaml");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let check = |fields: &str| format!("{HEAD}tests:\n  - name: t\n    check:\n      - {{{fields}}}\n");
    let list = |kind: &str, fields: &str| format!("{HEAD}tests:\n  - name: t\n    {kind}:\n      - {{{fields}}}\n");
    for (text, expected) in [
        (String::new(), "1:1 a store file is nothing, expected a map"),
        ("name: x\n".to_owned(), "1:1 the file has no model: expected `model` or `model_file`"),
        ("model: x\nmodel_file: y\n".to_owned(), "2:13 the file has `model` and `model_file`, expected one of them"),
        ("model_file: m.fga\ntest: []\n".to_owned(), "2:1 a store file has no field `test`; did you mean `tests`?"),
        ("model_file: 7\n".to_owned(), "1:13 `model_file` is the number `7`, expected a text; put it into quotes"),
        (
            check("user: user:a, object: d:1, assertion: {v: true}"),
            "5:9 `assertions` is missing|5:37 a check has no field `assertion`; did you mean `assertions`?",
        ),
        (check("user: user:a, assertions: {v: true}"), "5:9 `object` is missing"),
        (check("object: d:1, assertions: {v: true}"), "5:9 `user` is missing"),
        (
            check("user: user:a, users: [user:b], object: d:1, assertions: {v: true}"),
            "5:31 the check has `user` and `users`, expected one of them",
        ),
        (check("users: [], object: d:1, assertions: {v: true}"), "5:17 `users` is empty, so nothing is checked"),
        (
            check("user: ann, object: d:1, assertions: {v: true}"),
            "5:16 `ann` is no subject: write `type:id`, `type:*` or `type:id#relation`",
        ),
        (check("user: user:a, object: d, assertions: {v: true}"), "5:32 `d` is no object: write `type:id`"),
        (
            check("user: user:a, object: d:1, assertions: {v: yes}"),
            "5:53 `v` is the text `yes`, expected `true` or `false`",
        ),
        (
            check("user: user:a, object: d:1, context: 1, assertions: {v: true}"),
            "5:46 `context` is the number `1`, expected a map",
        ),
        (
            list("list_objects", "user: user:a, type: d, assertions: {v: [e:1]}"),
            "5:50 `e:1` is no `d`, which is what is listed",
        ),
        (list("list_objects", "user: user:a, assertions: {v: [d:1]}"), "5:9 `type` is missing"),
        (
            list("list_users", "object: d:1, user_filter: [], assertions: {v: {users: []}}"),
            "5:36 `user_filter` is empty, expected a type at least",
        ),
        (list("list_users", "object: d:1, assertions: {v: {users: []}}"), "5:9 `user_filter` is missing"),
        (
            list("list_users", "object: d:1, user_filter: [{type: u}], assertions: {v: [u:1]}"),
            "5:65 `v` is a list, expected a map",
        ),
        (list("list_users", "object: d:1, user_filter: [{type: u}], assertions: {v: {}}"), "5:65 `users` is missing"),
        (
            list("check_all", "a: 1"),
            "4:5 a test has no field `check_all`; expected `name`, `description`, `tuples`, `tuple_file`, `tuple_files`, `check`, `list_objects` or `list_users`",
        ),
        (format!("{HEAD}tuples:\n  - {{user: user:a, relation: r}}\n"), "3:5 `object` is missing"),
        (
            format!("{HEAD}tuples:\n  - {{user: user:a, relation: r, object: d:1, conditoin: {{name: c}}}}\n"),
            "3:46 a tuple has no field `conditoin`; did you mean `condition`?",
        ),
        (format!("{HEAD}tests: [\n"), "3:1 while parsing a node, did not find expected node content"),
    ] {
        let problems = read(&text, "x.fga.yaml").unwrap_err();
        let told = |problem: &Problem| {
            assert_eq!(problem.file.as_deref(), Some("x.fga.yaml"));
            let hint = problem.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("{}:{} {}{hint}", problem.line.unwrap(), problem.column.unwrap(), problem.message)
        };
        let told: Vec<String> = problems.iter().map(told).collect();
        assert_eq!(told.join("|"), expected, "{text}");
    }
}
