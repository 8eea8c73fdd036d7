//! Each format, read from a text at hand.

use std::io::Cursor;

use super::*;

/// What reading gives, a line for each row: the row, then the tuple, or `!` and why it is none.
fn check(format: Format, text: &str, wanted: &[&str]) {
    let rows = rows_of(Cursor::new(text.as_bytes().to_vec()), "f", format);
    let shown = rows.map(|row| match row {
        Ok(Row { row, tuple: Tuple { key, condition, expires_at } }) => {
            let condition = condition.map(|c| format!(" {} {}", c.name, Value::Object(c.context)));
            let expiry = expires_at.map(|at| format!(" until {at}"));
            format!("{row} {key}{}{}", condition.unwrap_or_default(), expiry.unwrap_or_default())
        }
        Err(ReadError::Row { file, row, reason }) => format!("{file}:{row} ! {reason}"),
        Err(ReadError::File { file, reason }) => format!("{file} ! {reason}"),
    });
    let shown: Vec<String> = shown.collect();
    let alike = shown.len() == wanted.len()
        && shown.iter().zip(wanted).all(|(shown, wanted)| match wanted.strip_suffix('…') {
            Some(start) => shown.starts_with(start),
            None => shown == wanted,
        });
    assert!(alike, "{shown:#?}\n{wanted:#?}");
}

#[test]
fn text_has_one_tuple_a_line() {
    check(Format::Text, "", &[]);
    check(
        Format::Text,
        "\u{feff}# people\ndocument:a#viewer@user:ann\r\n\n#\n  document:b#viewer@group:eng#member  \n#c\ndocument:c#v@user:*",
        &[
            "2 document:a#viewer@user:ann",
            "5 document:b#viewer@group:eng#member",
            "f:6 ! `#c` is no tuple: write `type:id#relation@subject`",
            "7 document:c#v@user:*",
        ],
    );
    check(Format::Text, "document:a", &["f:1 ! `document:a` is no tuple: write `type:id#relation@subject`"]);
    check(Format::Text, &"x".repeat(2 << 20), &["f ! line 1 is longer than 1 MiB"]);
}

#[test]
fn ndjson_has_one_value_a_line() {
    check(
        Format::Ndjson,
        "\"document:a#viewer@user:ann\"\n\n{\"user\":\"user:bob\",\"relation\":\"viewer\",\"object\":\"document:a\",\"condition\":{\"name\":\"c\",\"context\":{\"x\":1}}}\n{\n7\n",
        &[
            "1 document:a#viewer@user:ann",
            "3 document:a#viewer@user:bob c {\"x\":1}",
            "f:4 ! malformed JSON: …",
            "f:5 ! invalid type: integer `7`, expected a tuple…",
        ],
    );
}

#[test]
fn lists_are_native_or_openfgas() {
    let json = r#"["document:a#viewer@user:ann",
        {"object":"document:a","relation":"viewer","subject":"user:bob","expires_at":"1970-01-01T00:00:01Z"},
        {"user":"group:eng#member","relation":"viewer","object":"document:a","condition":{"name":"c"}},
        {"user":"user:x","relation":"viewer","object":"document:a","conditoin":{"name":"c"}},
        {"user":"user:x","subject":"user:x","relation":"viewer","object":"document:a"},
        {"user":"x","relation":"viewer","object":"document:a"}]"#;
    let wanted = [
        "1 document:a#viewer@user:ann",
        "2 document:a#viewer@user:bob until 1000",
        "3 document:a#viewer@group:eng#member c {}",
        "f:4 ! unknown field `conditoin`…",
        "f:5 ! unknown field `user`…",
        "f:6 ! `x` is no subject…",
    ];
    check(Format::Json, json, &wanted);
    check(Format::Yaml, json, &wanted);
    check(
        Format::Yaml,
        "# people\n- user: user:ann\n  relation: viewer\n  object: document:a\n- document:b#viewer@user:ann\n",
        &["1 document:a#viewer@user:ann", "2 document:b#viewer@user:ann"],
    );
    check(Format::Yaml, "# nobody\n", &[]);
    check(Format::Json, "{}", &["f ! malformed JSON: invalid type: map, expected a list of tuples…"]);
    check(Format::Json, "[\"document:a#viewer@user:ann\"", &["f ! malformed JSON: EOF…"]);
    check(Format::Json, "[{\"user\":\"user:a\",\"user\":\"user:b\"}]", &["f ! malformed JSON: duplicate…"]);
    check(Format::Yaml, "- [", &["f ! malformed YAML: …"]);
}

#[test]
fn tables_have_openfgas_columns() {
    check(
        Format::Csv,
        "user_type,user_id,user_relation,relation,object_type,object_id,condition_name,condition_context\n\
         user,ann,,viewer,document,a,,\n\
         group,eng,member,viewer,document,a,c,\"{\"\"x\"\": \"\"1\n2\"\"}\"\n\
         user,bob,,viewer,document,\"a, b\",,\n\
         user,*,,viewer,document,c,in_office,\"{\"\"x\"\":1}\"\n\
         user,ann,,viewer,document,d,,{}\n\
         user,ann,,viewer,document,e,,\"{\"\"x\"\":1}\"\n\
         user,ann\n",
        &[
            "2 document:a#viewer@user:ann",
            "f:3 ! condition_context…",
            "f:5 ! `document:a, b` is no object: write `type:id`",
            "6 document:c#viewer@user:* in_office {\"x\":1}",
            "7 document:d#viewer@user:ann",
            "f:8 ! condition_context without a condition_name",
            "f:9 ! expected 8 columns, found 2",
        ],
    );
    check(
        Format::Csv,
        "object_type,object_id,relation,user_type,user_id,expires_at\ndocument,a,viewer,user,ann,1970-01-01T00:00:02Z\n",
        &["2 document:a#viewer@user:ann until 2000"],
    );
    check(Format::Csv, "user_type,user_id\nuser,ann\n", &["f ! the first line names no column `relation`…"]);
    let unknown = "user_type,user_id,relation,object_type,object_id,condition\nuser,ann,viewer,document,a,c\n";
    check(Format::Csv, unknown, &["f ! unknown column `condition`…"]);
}

#[test]
fn names_tell_the_format() {
    let cases = [("a.tuples", Some(Format::Text)), ("a.csv", Some(Format::Csv)), ("a.yml", Some(Format::Yaml))];
    for (name, wanted) in cases.into_iter().chain([("a.jsonl", Some(Format::Ndjson)), ("a", None), ("a.xls", None)]) {
        assert_eq!(Format::of(Path::new(name)), wanted, "{name}");
    }
    let told = |path: &str, format| read_tuples(Path::new(path), format).err().map(|error| error.to_string());
    assert!(told("tuples.xls", None).unwrap().starts_with("tuples.xls: its name tells no format"));
    assert!(told("not/there.tuples", None).unwrap().starts_with("not/there.tuples: "));
}
