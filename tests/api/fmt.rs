//! Files in their usual layout, with the real command line.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command_line::authx;
use crate::store_files::{authx as authx_in, folder};

const MODEL: &str = "model\n  schema 1.1\n\ntype user\n\ntype document\n  relations\n    define viewer: [user]\n";
const UNTIDY: &str = "// head\n\n@id(\"a\")permit(principal,action,resource)when{principal.a};// why\n";
const TIDY: &str = "// head\n\n@id(\"a\")\npermit (principal, action, resource)\nwhen { principal.a }; // why\n";

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn shipped_files_are_laid_out() {
    for path in [".", "docs/examples/wiki"] {
        let output = authx(None, &["fmt", "--check", path]);
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stdout).unwrap()),
            (Some(0), String::new()),
            "{path}"
        );
    }
}

#[test]
fn files_are_laid_out_and_what_is_wrong_is_left() {
    let broken = "permit(;\n";
    let files = folder(&[
        ("policies/s/a.cedar", UNTIDY),
        ("policies/s/b.cedar", TIDY),
        ("policies/s/c.cedar", broken),
        ("schemas/s.cedarschema", "entity   User;"),
        ("schemas/s.fga", &MODEL.replace("\n\n", "\n")),
    ]);
    let at = files.path();
    let (code, out, err) = authx_in(at, &["fmt", "--check"]);
    assert!(code == 3 && err.contains("[policies/s/c.cedar:1:8]"), "{err}");
    assert!(
        out.starts_with("policies/s/a.cedar\n@@ -1,3 +1,5 @@\n // head\n") && out.contains("\nschemas/s.fga\n@@ "),
        "{out}"
    );
    assert_eq!((read(at, "policies/s/a.cedar"), read(at, "policies/s/c.cedar").as_str()), (UNTIDY.to_owned(), broken));
    let (code, out, _) = authx_in(at, &["fmt"]);
    assert_eq!((code, out.as_str()), (3, "policies/s/a.cedar: changed\nschemas/s.fga: changed\n"));
    assert_eq!((read(at, "policies/s/a.cedar"), read(at, "schemas/s.fga")), (TIDY.to_owned(), MODEL.to_owned()));
    assert_eq!(
        (read(at, "policies/s/c.cedar").as_str(), read(at, "schemas/s.cedarschema").as_str()),
        (broken, "entity   User;")
    );
    let (code, out, err) = authx_in(at, &["fmt", "--check", "policies/s/a.cedar"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", "nothing to change\n"));
    for arguments in [&["fmt", "nowhere"][..], &["fmt", "schemas/s.cedarschema"]] {
        assert_eq!(authx_in(at, arguments).0, 1, "{arguments:?}");
    }
    assert_eq!(authx_in(at, &["fmt", "--width", "7"]).0, 64);
    let narrow = authx_in(at, &["fmt", "--check", "--width", "40", "policies/s/a.cedar"]);
    assert_eq!(narrow.0, 0, "{}", narrow.1);
}

#[test]
fn standard_input_is_laid_out() {
    for (text, arguments, code, expected) in [
        (UNTIDY, &[][..], 0, TIDY.to_owned()),
        (TIDY, &[], 0, TIDY.to_owned()),
        (TIDY, &["--check"], 0, String::new()),
        ("permit(;", &[], 3, String::new()),
        (MODEL, &[], 0, MODEL.to_owned()),
        (&MODEL.replace("\n\n", "\n"), &[], 0, MODEL.to_owned()),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authx"));
        command.args(["fmt", "-"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(code), expected), "{text}");
    }
}

#[test]
fn models_are_laid_out_each_in_its_file() {
    let untidy = "# head\nmodel\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer:   [user]\n";
    let trailing = untidy.replace("type user\n", "type user # people\n");
    let files = folder(&[("m.fga", untidy), ("lost/m.fga", &trailing)]);
    let at = files.path();
    let (code, out, _) = authx_in(at, &["fmt", "m.fga"]);
    assert_eq!((code, out.as_str(), read(at, "m.fga")), (0, "m.fga: changed\n", format!("# head\n{MODEL}")));
    let (code, _, err) = authx_in(at, &["fmt", "lost"]);
    assert!(code == 1 && err.contains("this comment would be lost") && err.contains("[lost/m.fga:4"), "{err}");
    assert_eq!(read(at, "lost/m.fga"), trailing);

    let users = "module core\ntype user\nextend type document\n  relations\n    define owner: [user]\n";
    let docs = "module docs\n\ntype document\n";
    let files = folder(&[
        ("fga.mod", "schema: '1.2'\ncontents: [core.fga, deep/docs.fga]\n"),
        ("core.fga", users),
        ("deep/docs.fga", docs),
    ]);
    let (code, out, _) = authx_in(files.path(), &["fmt"]);
    assert_eq!((code, out.as_str()), (0, "core.fga: changed\n"));
    assert_eq!(read(files.path(), "deep/docs.fga"), docs);
}
