//! The commands of the documents are run and their output is compared.
//!
//! A block of the language `sh` or `console` below a line `<!-- tested -->` is run by bash, from top to bottom. In
//! `sh`, `# => text` behind a command says what its output contains; in `console`, commands begin with `$ ` and every
//! other line is output. `…` in an expected text stands for anything. A command ends with 0, or with 2 for a deny.
//!
//! The blocks of one file share a folder with copies of `policies`, `schemas` and `docs/examples`, and a server:
//! `serve --dev`, until a block starts another. `127.0.0.1:8181` stands for its address, `/tmp/` for a folder of the
//! file's own, and `cargo run --release --`, `target/release/authx` and `authx` for the binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Launch, Server, root};

/// Every document that people read.
pub(crate) fn documents() -> Vec<PathBuf> {
    let in_folder =
        |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = ["", "docs", "docs/adr", "benches"]
        .into_iter()
        .flat_map(|folder| in_folder(root().join(folder)))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    files
}

/// A command, the line it stands on, and what its output must contain.
#[derive(Debug, Default, PartialEq)]
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// The marked blocks of a document.
fn blocks(text: &str) -> Vec<Vec<Step>> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |at: &usize| lines[*at].trim() == "<!-- tested -->";
    let block = |at: usize| {
        let language = lines.get(at + 1).and_then(|line| line.strip_prefix("```")).unwrap_or_default().trim();
        assert!(["sh", "console"].contains(&language), "line {}: no block of `sh` or `console` follows", at + 1);
        let body = lines[at + 2..].iter().take_while(|line| !line.starts_with("```"));
        steps(language == "console", body.enumerate().map(|(i, line)| (at + 3 + i, *line)))
    };
    (0..lines.len()).filter(begins).map(block).collect()
}

fn steps<'a>(console: bool, lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
        let (command, expected) = if console {
            (text.strip_prefix("$ ").or(text.strip_prefix("> ")), Some(text))
        } else {
            (Some(text), text.trim_start().strip_prefix("# =>").map(str::trim))
        };
        match (command, expected, steps.last_mut()) {
            (Some(_), Some(expected), Some(last)) if !console => last.expected.push(expected.to_owned()),
            (None, Some(expected), Some(last)) => last.expected.push(expected.to_owned()),
            (Some(more), _, Some(last)) if continues(console, text, last) => {
                last.command.push('\n');
                last.command.push_str(more);
            }
            (Some(command), ..) => steps.push(Step { line, command: command.to_owned(), expected: Vec::new() }),
            (None, ..) => panic!("line {line}: output without a command"),
        }
    }
    steps
}

/// Whether a line goes on with the command before it.
fn continues(console: bool, text: &str, last: &Step) -> bool {
    if console {
        return text.starts_with("> ");
    }
    let open = match last.command.split_once("<<'EOF'") {
        Some((_, here)) => !here.lines().any(|line| line == "EOF"),
        None => last.command.ends_with('\\') || last.command.matches('\'').count() % 2 == 1,
    };
    open && last.expected.is_empty()
}

/// Whether the pieces of `expected` that `…` divides stand in `output` one after the other.
fn holds(output: &str, expected: &str) -> bool {
    let mut rest = output;
    expected.split('…').all(|piece| {
        let found = rest.find(piece.trim());
        if let Some(at) = found {
            rest = &rest[at + piece.trim().len()..];
        }
        found.is_some()
    })
}

/// One document's folder and server.
struct Stage {
    folder: tempfile::TempDir,
    server: Server,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["tmp", "bin", "target/release"] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        for part in ["policies", "schemas", "docs/examples"] {
            let place = folder.path().join(part);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            let copied = Command::new("cp").arg("-r").arg(root().join(part)).arg(place).status().unwrap();
            assert!(copied.success());
        }
        for place in ["bin/authx", "target/release/authx"] {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_authx"), folder.path().join(place)).unwrap();
        }
        let server = Launch::dev().start_in(&folder.path().join("authx-data"));
        Self { folder, server }
    }

    /// What stands for what while the examples run.
    fn here(&self, text: &str) -> String {
        text.replace("cargo run --release --", "authx")
            .replace("127.0.0.1:8181", &self.server.address().to_string())
            .replace("/tmp/", &format!("{}/tmp/", self.folder.path().display()))
    }

    fn run(&mut self, step: &Step) -> Result<(), String> {
        let command = self.here(&step.command);
        if command.starts_with("authx serve") {
            self.serve(&command);
        }
        let output = if command.starts_with("authx serve") { self.server.log() } else { self.bash(&command)? };
        let missing = step.expected.iter().find(|expected| !holds(&output, &self.here(expected)));
        missing.map_or(Ok(()), |expected| Err(format!("the output lacks `{expected}`:\n{output}")))
    }

    /// Another server in the same folder, with the data directory that the command names.
    fn serve(&mut self, command: &str) {
        self.server.kill();
        let mut words = command.split('#').next().unwrap_or_default().split_whitespace().skip(2);
        let (mut launch, mut data_dir) = (Launch::normal(), "authx-data");
        while let Some(word) = words.next() {
            match word {
                "--bind" => drop(words.next()),
                "--data-dir" => data_dir = words.next().unwrap(),
                "&" => {}
                word => launch = launch.arg(word),
            }
        }
        self.server = launch.start_in(&self.folder.path().join(data_dir));
    }

    fn bash(&self, command: &str) -> Result<String, String> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let own = std::iter::once(self.folder.path().join("bin"));
        let path = std::env::join_paths(own.chain(std::env::split_paths(&folders))).unwrap();
        let output = Command::new("timeout")
            .args(["60", "bash", "-c"])
            .arg(format!("exec 2>&1\n{command}"))
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("AUTHX_SERVER", self.server.url())
            .env_remove("AUTHX_STORE")
            .env_remove("AUTHX_KEY")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.code() {
            Some(0 | 2) => Ok(text),
            code => Err(format!("ended with {code:?}:\n{text}")),
        }
    }
}

fn play(file: &Path) -> Vec<String> {
    let blocks = blocks(&std::fs::read_to_string(file).unwrap());
    if blocks.is_empty() {
        return Vec::new();
    }
    let shown = file.strip_prefix(root()).unwrap().display().to_string();
    let mut stage = Stage::new();
    let mut wrong = Vec::new();
    for step in blocks.iter().flatten() {
        if let Err(message) = stage.run(step) {
            wrong.push(format!("{shown}:{}: {}\n{message}", step.line, step.command));
        }
    }
    println!("{shown}: {} commands", blocks.iter().flatten().count());
    wrong
}

#[test]
fn the_examples_of_the_documents_run_as_printed() {
    let wrong: Vec<String> = documents().iter().flat_map(|file| play(file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn blocks_are_read_as_they_are_meant() {
    let text = "<!-- tested -->\n```sh\necho a \\\n  b\n# => a b\necho c\n```\n\n<!-- tested -->\n```console\n$ echo d\nd\n```\n```sh\nnot run\n```\n";
    let step = |line, command: &str, expected: &[&str]| Step {
        line,
        command: command.to_owned(),
        expected: expected.iter().map(ToString::to_string).collect(),
    };
    let wanted = [vec![step(3, "echo a \\\n  b", &["a b"]), step(6, "echo c", &[])], vec![step(11, "echo d", &["d"])]];
    assert_eq!(blocks(text), wanted);
    assert!(holds("ready in 12 ms · here", "ready in … ms · here") && !holds("here ready", "ready … here"));
}
