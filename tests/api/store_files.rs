//! Models and their tests on disk, with the real command line.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::store;
use crate::support::Launch;

const MODEL: &str = "model\n  schema 1.1\n\ntype user\n\ntype document\n  relations\n    define viewer: [user]\n";
const GOOD: &str = "model_file: m.fga\ntuples:\n  - {user: user:ann, relation: viewer, object: document:1}\ntests:\n  \
    - name: first\n    check:\n      - {user: user:ann, object: document:1, assertions: {viewer: true}}\n";

/// The exit code, stdout and stderr of a command in a folder.
pub(crate) fn authx(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authx"));
    command.args(arguments).current_dir(folder);
    for name in ["AUTHX_SERVER", "AUTHX_STORE", "AUTHX_KEY"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn tests_end_with_what_they_found() {
    let failing = GOOD.replace("true", "false");
    let misspelt = GOOD.replace("assertions", "assertion");
    let broken = MODEL.replace("[user]", "[usr]");
    for (files, arguments, code, out, err) in [
        (
            &[("a/x.fga.yaml", GOOD), ("a/m.fga", MODEL)][..],
            &["test"][..],
            0,
            "✓ a/x.fga.yaml\n  ✓ first\n",
            "1 check: 1 passed\n",
        ),
        (&[("a/x.fga.yaml", GOOD), ("a/m.fga", MODEL)], &["test", "a", "--filter", "fir"], 0, "✓ first", "1 passed"),
        (
            &[("a/x.fga.yaml", GOOD), ("a/m.fga", MODEL)],
            &["test", "--filter", "second"],
            1,
            "✓ a/x.fga.yaml\n",
            "no test's name contains `second`",
        ),
        (
            &[("x.fga.yml", &failing), ("m.fga", MODEL)],
            &["test"],
            4,
            "    ✗ x.fga.yml:7  check user:ann viewer document:1  expected false, got true\n        document:1#viewer@user:ann\n",
            "1 check: 0 passed, 1 failed\n",
        ),
        (
            &[("x.fga.yaml", GOOD), ("m.fga", &broken)],
            &["test"],
            3,
            "✗ x.fga.yaml: what is tested is invalid\n",
            "[m.fga:8:12]",
        ),
        (
            &[("x.fga.yaml", &misspelt), ("m.fga", MODEL)],
            &["test"],
            1,
            "✗ x.fga.yaml: cannot be read\n",
            "did you mean `assertions`?",
        ),
        (&[("x.fga.yaml", GOOD)], &["test"], 1, "✗ x.fga.yaml: cannot be read\n", "there is no file or folder"),
        (
            &[("m.fga", MODEL)],
            &["test"],
            1,
            "",
            "no tests found in `.`: expected files that end in `_test.yaml`, `_test.json` or `.fga.yaml`",
        ),
        (
            &[("x.fga.yaml", &failing), ("m.fga", MODEL)],
            &["test", "-o", "junit"],
            4,
            "<failure message=\"expected false, got true\">",
            "1 failed",
        ),
    ] {
        let folder = folder(files);
        let (ended, stdout, stderr) = authx(folder.path(), arguments);
        assert_eq!(ended, code, "{arguments:?} {files:?}\n{stdout}\n{stderr}");
        assert!(stdout.contains(out) && !stdout.contains('\u{1b}'), "{arguments:?}: {stdout}");
        assert!(stderr.contains(err), "{arguments:?}: {stderr}");
    }
    let folder = folder(&[("x.fga.yaml", &failing), ("m.fga", MODEL)]);
    let report: Value = serde_json::from_str(&authx(folder.path(), &["test", "-o", "json"]).1).unwrap();
    assert_eq!(report["files"][0]["tests"][0]["assertions"][0]["path"], json!(["document:1#viewer@user:ann"]));
}

#[test]
fn models_are_validated() {
    let fga_mod = "schema: '1.2'\ncontents: [core.fga, docs.fga]\n";
    let docs = "module docs\n\ntype document\n  relations\n    define viewer: [usr]\n    define viewer: [user]\n";
    for (files, path, code, out, err) in [
        (&[("m.fga", MODEL)][..], "m.fga", 0, "m.fga: valid · 2 types, 1 relation, 0 conditions\n", ""),
        (
            &[("fga.mod", fga_mod), ("core.fga", "module core\n\ntype user\n"), ("docs.fga", docs)],
            ".",
            3,
            "fga.mod: invalid\n",
            "[docs.fga:6:12]",
        ),
        (&[("m.fga", &MODEL.replace("define", "defin"))], ".", 3, "m.fga: invalid\n", "8 |     defin viewer: [user]"),
        (&[("m.json", "{")], "m.json", 3, "m.json: invalid\n", "m.json:1:1"),
        (&[("m.fga", MODEL)], "nothing.fga", 1, "", "there is no file or folder `nothing.fga`"),
    ] {
        let folder = folder(files);
        let (ended, stdout, stderr) = authx(folder.path(), &["model", "validate", path]);
        assert_eq!((ended, stdout.as_str()), (code, out), "{files:?}\n{stderr}");
        assert!(stderr.contains(err), "{stderr}");
    }
}

#[test]
fn models_are_shown_in_either_syntax() {
    let folder = folder(&[("m.fga", MODEL)]);
    let (code, json, _) = authx(folder.path(), &["model", "show", "m.fga"]);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &value["type_definitions"][1]["type"]), (0, &json!("document")));
    fs::write(folder.path().join("m.json"), &json).unwrap();
    assert_eq!(authx(folder.path(), &["model", "show", "m.json"]).1, MODEL);
    assert_eq!(authx(folder.path(), &["model", "show", "m.fga", "-o", "dsl"]).1, MODEL);

    let server = Launch::dev().start();
    let path = store(&server.anyone(), "shown", &json!({}));
    let show = |arguments: &[&str]| {
        let url = server.url();
        let always = ["model", "show", "--server", &url, "--store", "shown"];
        authx(folder.path(), &[&always[..], arguments].concat())
    };
    assert_eq!(show(&[]).0, 1);
    server.anyone().put(&format!("{path}/model"), &json!({"dsl": MODEL})).expect(200);
    assert_eq!(show(&[]).1, MODEL);
    assert_eq!(serde_json::from_str::<Value>(&show(&["-o", "json"]).1).unwrap(), value);
}
