//! `authx test`: what must follow from models and tuples, asserted in files.

mod load;
mod report;
mod run;
mod store_file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use self::load::{Origin, Refusal, load};
use self::report::{Counts, FileReport, json, junit::junit, tree::tree};
use crate::cli::files::test_file::{TestFile, TestKind, find_tests};
use crate::cli::report::render;
use crate::cli::{Exit, color, fail, note, print};
use crate::clock::Clock;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Store files (`*.fga.yaml`), or folders that are searched for them
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Only tests whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Let a store file name models and tuples outside its own folder
    #[arg(long)]
    allow_external_files: bool,
    #[arg(short, long, value_enum, default_value_t)]
    output: TestOutput,
}

/// How reports are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum TestOutput {
    #[default]
    Tree,
    Json,
    /// XML as CI systems read it
    Junit,
}

pub(crate) async fn run(args: Args) -> Exit {
    // Models may be large: read and compiled where the stack is.
    let work = tokio::task::spawn_blocking(move || run_all(&args));
    work.await.unwrap_or_else(|_| fail(Exit::Error, "the tests did not finish"))
}

fn run_all(args: &Args) -> Exit {
    let files = match find_tests(&args.paths) {
        Ok(files) => files,
        Err(error) => return fail(Exit::Error, &error.to_string()),
    };
    if files.is_empty() {
        let paths: Vec<String> = args.paths.iter().map(|path| format!("`{}`", path.display())).collect();
        let message = format!("no tests found in {}: expected files that end in `.fga.yaml`", paths.join(", "));
        return fail(Exit::Error, &message);
    }
    let now = Clock.now().as_millis();
    let reports: Vec<FileReport> = files.into_iter().map(|file| run_file(file, args, now)).collect();
    for report in &reports {
        let problems = report.tests.as_ref().err().map_or(report.warnings.as_slice(), Refusal::problems);
        if !problems.is_empty() {
            note(render(problems, &report.texts, color()).trim_end());
        }
    }
    match args.output {
        TestOutput::Tree => print(&tree(&reports, stdout_color())),
        TestOutput::Json => print(&format!("{:#}\n", json(&reports))),
        TestOutput::Junit => print(&junit(&reports)),
    };
    let counts = Counts::of(&reports);
    note(&counts.text());
    ended(&reports, counts, &args.filter)
}

fn run_file(file: TestFile, args: &Args, now: i64) -> FileReport {
    let TestFile { kind, name, path, text } = file;
    let mut report = FileReport { name, texts: BTreeMap::new(), warnings: Vec::new(), tests: Ok(Vec::new()) };
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            let problem = authx_engine::Problem::error(store_file::CODE, error.to_string());
            report.tests = Err(Refusal::Unreadable(vec![problem]));
            return report;
        }
    };
    report.texts.insert(report.name.clone(), text.clone());
    match kind {
        TestKind::Store => {
            let folder = path.parent().unwrap_or_else(|| Path::new("."));
            let name = report.name.clone();
            let origin = Origin { name: &name, folder, external: args.allow_external_files };
            match load(&text, origin, &mut report.texts) {
                Ok(loaded) => {
                    report.tests = Ok(run::run(&loaded, &args.filter, now));
                    report.warnings = loaded.warnings;
                }
                Err(refusal) => report.tests = Err(refusal),
            }
        }
    }
    report
}

/// A file that was not read weighs more than a model that is invalid, and that more than a test that failed.
fn ended(reports: &[FileReport], counts: Counts, filter: &str) -> Exit {
    let refused = |wanted: fn(&Refusal) -> bool| reports.iter().any(|file| file.tests.as_ref().is_err_and(wanted));
    if refused(|refusal| matches!(refusal, Refusal::Unreadable(_))) {
        Exit::Error
    } else if refused(|refusal| matches!(refusal, Refusal::InvalidModel(_))) {
        Exit::Invalid
    } else if counts.failed + counts.refused > 0 {
        Exit::Failed
    } else if counts.tests == 0 && !filter.is_empty() {
        fail(Exit::Error, &format!("no test's name contains `{filter}`"))
    } else {
        Exit::Done
    }
}

/// Whether stdout is a terminal that wants colour.
fn stdout_color() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests;
