//! `authx fmt`: policies and relation models in their usual layout. It changes no decision.

mod model;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use authx_engine::{FORMAT_WIDTH, Problem, format_policies};

use crate::cli::files::model::read_model;
use crate::cli::files::{Kind, read_text, written};
use crate::cli::lines::changes;
use crate::cli::written::replace;
use crate::cli::{Exit, fail, note, print, show_problems};

/// What lists the files of a model.
const MOD_FILE: &str = "fga.mod";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A root with `policies` and `schemas`, a `policies` folder, a store's folder, a folder with a model, or a file; `-` is standard
    /// input, written to standard output
    ///
    /// Policies (`.cedar`) and relation models (`.fga`) are laid out; schemas stay as they are, because Cedar has no
    /// layout of schemas that keeps comments. A file that cannot be read, or that would lose a comment, stays as it is.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Change nothing; show what would change and exit with 1 when anything would
    #[arg(long)]
    check: bool,
    /// The columns that a line of a policy has at most, where it can be broken
    #[arg(long, default_value_t = FORMAT_WIDTH, value_name = "COLUMNS", value_parser = width)]
    width: usize,
}

/// As narrow as a policy can be read, and as wide as anybody's window.
fn width(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (40..=400).contains(number));
    number.ok_or_else(|| "expected a number of columns from 40 to 400".to_owned())
}

pub(crate) async fn run(args: Args) -> Exit {
    let work = tokio::task::spawn_blocking(move || fmt(&args));
    match work.await {
        Ok(Ok(exit) | Err(exit)) => exit,
        Err(_) => fail(Exit::Error, "the formatter did not finish; the files that it did not name are as they were"),
    }
}

/// What became of a text.
enum Laid {
    Same,
    Changed(String),
    /// It is no policies or no model.
    Invalid(Vec<Problem>),
    /// It stays as it is, because it would lose something.
    Kept(Vec<Problem>),
}

fn fmt(args: &Args) -> Result<Exit, Exit> {
    if args.path == Path::new("-") {
        return standard_input(args);
    }
    let mut worst = Exit::Done;
    let mut changed = 0;
    for (name, path, kind) in files_of(&args.path)? {
        let text = read_text(&path, &name).map_err(|error| error.tell())?;
        match laid_out(&text, &name, kind == Kind::Model, args.width) {
            Laid::Same => {}
            Laid::Changed(laid) => {
                changed += 1;
                if args.check {
                    print(&format!("{name}\n{}", changes(&text, &laid)));
                    worst = worse(worst, Exit::Error);
                } else {
                    let failed = |error| fail(Exit::Error, &format!("cannot write `{name}`: {error}"));
                    replace(&path, &laid).map_err(failed)?;
                    print(&format!("{name}: changed\n"));
                }
            }
            left @ (Laid::Invalid(_) | Laid::Kept(_)) => worst = worse(worst, told(left, &name, text)),
        }
    }
    if changed == 0 && worst == Exit::Done {
        note("nothing to change");
    }
    Ok(worst)
}

/// What is invalid outweighs what would only change.
fn worse(one: Exit, other: Exit) -> Exit {
    if one == Exit::Invalid || other == Exit::Done { one } else { other }
}

fn standard_input(args: &Args) -> Result<Exit, Exit> {
    let mut text = String::new();
    let read = std::io::stdin().lock().read_to_string(&mut text);
    read.map_err(|error| fail(Exit::Error, &format!("cannot read standard input: {error}")))?;
    let name = "<standard input>";
    match laid_out(&text, name, model::is_model(&text), args.width) {
        Laid::Changed(laid) if args.check => {
            print(&format!("{name}\n{}", changes(&text, &laid)));
            Ok(Exit::Error)
        }
        Laid::Changed(laid) => Ok(print(&laid)),
        Laid::Same if args.check => Ok(Exit::Done),
        Laid::Same => Ok(print(&text)),
        left @ (Laid::Invalid(_) | Laid::Kept(_)) => Ok(told(left, name, text)),
    }
}

/// Tells why a text was left as it is.
fn told(laid: Laid, name: &str, text: String) -> Exit {
    let (problems, exit) = match laid {
        Laid::Same | Laid::Changed(_) => return Exit::Done,
        Laid::Invalid(problems) => (problems, Exit::Invalid),
        Laid::Kept(problems) => (problems, Exit::Error),
    };
    show_problems(&problems, &BTreeMap::from([(name.to_owned(), text)]));
    exit
}

fn laid_out(text: &str, name: &str, is_model: bool, width: usize) -> Laid {
    let laid = if is_model { model::printed(text, name) } else { format_policies(Some(name), text, width) };
    let laid = match laid {
        Ok(laid) => laid,
        Err(problems) if problems.iter().all(is_left) => return Laid::Kept(problems),
        Err(problems) => return Laid::Invalid(problems),
    };
    if is_model {
        let lost = model::lost_comments(text, &laid);
        if !lost.is_empty() {
            return Laid::Kept(lost.into_iter().map(|line| without_a_place(name, line)).collect());
        }
    }
    if laid == text { Laid::Same } else { Laid::Changed(laid) }
}

/// Whether the text is right, and only its layout cannot be made.
fn is_left(problem: &Problem) -> bool {
    ["cannot_format", "compiler_failed"].contains(&&*problem.code)
}

fn without_a_place(name: &str, line: usize) -> Problem {
    let problem = Problem::error("cannot_format", "the file is left as it is: this comment would be lost");
    let line = u32::try_from(line).ok();
    let hint = "put it on a line of its own, above what it is about";
    Problem { file: Some(name.to_owned()), line, ..problem }.with_hint(hint)
}

/// The files of a path that have a layout.
fn files_of(path: &Path) -> Result<Vec<(String, PathBuf, Kind)>, Exit> {
    let mod_file = if path.ends_with(MOD_FILE) { path.to_path_buf() } else { path.join(MOD_FILE) };
    if mod_file.is_file() {
        let read = read_model(&mod_file).map_err(|error| fail(Exit::Error, &error.to_string()))?;
        if let (true, Err(problems)) = (read.files.is_empty(), &read.model) {
            show_problems(problems, &read.texts);
            return Err(Exit::Invalid);
        }
        return Ok(read.files.into_iter().map(|(name, path)| (name, path, Kind::Model)).collect());
    }
    let mut files = written(path).map_err(|error| error.tell())?;
    files.retain(|(_, _, kind)| matches!(kind, Kind::Policies | Kind::Model));
    if files.is_empty() {
        let message = format!("`{}` has nothing to lay out: expected `*.cedar` or `*.fga` files", path.display());
        return Err(fail(Exit::Error, &message));
    }
    Ok(files)
}
