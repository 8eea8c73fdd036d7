//! `authx test`: what must follow from policies, models and data, asserted in files.

mod load;
mod online;
mod policies;
mod report;
mod run;
mod store_file;
mod watch;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;

use self::load::{Origin, Refusal, load};
use self::policies::{How, Stores};
use self::report::coverage::StoreCoverage;
use self::report::{Counts, FileReport, json, junit::junit, tree::tree};
use crate::cli::files::test_file::{TestFile, TestKind, find_tests};
use crate::cli::{Exit, ServerArgs, fail, note, print, show_problems};
use crate::clock::Clock;
use crate::policy_tests::SCHEMA;

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// Tests of policies (`*_test.yaml`, and `*_test.json` as Cedar writes them), OpenFGA's store files (`*.fga.yaml`), or
    /// folders that are searched for them
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Only tests whose names contain this, and questions of policies whose names do
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Let a file name others outside its own folder
    #[arg(long)]
    allow_external_files: bool,
    /// Tell which policies, and which conjuncts of their conditions, no test made true or no test made false
    #[arg(long)]
    coverage: bool,
    /// Fail when fewer conjuncts of a store were made true and false, in percent; implies --coverage
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    /// Run again whenever a file of tests, policies or data changes
    #[arg(long, conflicts_with = "output")]
    watch: bool,
    /// Print the JSON schema of `*_test.yaml`, with which editors complete it
    #[arg(long)]
    schema: bool,
    /// Run tests of policies on a store of a server, on its data where they ask for the store's own
    #[arg(long)]
    online: bool,
    /// Another release of that store than the active one, such as a draft
    #[arg(long, value_name = "RELEASE", requires = "online")]
    release: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: TestOutput,
}

/// What came of the files of tests.
struct Ran {
    reports: Vec<FileReport>,
    coverage: Vec<StoreCoverage>,
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
    if args.schema {
        return print(SCHEMA);
    }
    if args.watch {
        return watch::follow(args).await;
    }
    run_once(&Arc::new(args)).await
}

async fn run_once(args: &Arc<Args>) -> Exit {
    let ran = async {
        let files = files(&args.paths)?;
        if args.online {
            return online::run(args, files).await;
        }
        let args = Arc::clone(args);
        // Models may be large: read and compiled where the stack is.
        let work = tokio::task::spawn_blocking(move || offline(&args, files));
        work.await.map_err(|_| fail(Exit::Error, "the tests did not finish"))
    };
    ran.await.map_or_else(|exit| exit, |ran| tell(args, &ran))
}

fn files(paths: &[PathBuf]) -> Result<Vec<TestFile>, Exit> {
    let files = find_tests(paths).map_err(|error| fail(Exit::Error, &error.to_string()))?;
    if files.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        let message = format!(
            "no tests found in {}: expected files that end in `_test.yaml`, `_test.json` or `.fga.yaml`",
            paths.join(", ")
        );
        return Err(fail(Exit::Error, &message));
    }
    Ok(files)
}

fn offline(args: &Args, files: Vec<TestFile>) -> Ran {
    let mut stores = Stores::default();
    let reports = files.into_iter().map(|file| run_file(file, args, &mut stores)).collect();
    Ran { reports, coverage: stores.coverage() }
}

fn tell(args: &Args, Ran { reports, coverage }: &Ran) -> Exit {
    for report in reports {
        let problems = report.tests.as_ref().err().map_or(report.warnings.as_slice(), Refusal::problems);
        show_problems(problems, &report.texts);
    }
    match args.output {
        TestOutput::Tree => {
            print(&tree(reports, stdout_color()));
            print(&coverage.iter().map(StoreCoverage::text).collect::<String>())
        }
        TestOutput::Json => print(&format!("{:#}\n", json(reports, coverage))),
        TestOutput::Junit => print(&junit(reports)),
    };
    let counts = Counts::of(reports);
    note(&counts.text());
    let exit = ended(reports, counts, &args.filter);
    if exit == Exit::Done { covered(args.min_coverage, coverage) } else { exit }
}

/// Whether enough was tried.
fn covered(wanted: Option<u8>, coverage: &[StoreCoverage]) -> Exit {
    let Some(wanted) = wanted else { return Exit::Done };
    let below = coverage.iter().filter(|store| store.permille() < usize::from(wanted) * 10);
    below.fold(Exit::Done, |_, store| {
        fail(Exit::Failed, &format!("the coverage of {} is below {wanted} %", store.store))
    })
}

impl Args {
    fn with_coverage(&self) -> bool {
        self.coverage || self.min_coverage.is_some()
    }
}

fn run_file(file: TestFile, args: &Args, stores: &mut Stores) -> FileReport {
    let TestFile { kind, name, path, text } = file;
    let (text, mut report) = match FileReport::begun(name, text) {
        Ok(begun) => begun,
        Err(unread) => return unread,
    };
    let now = Clock.now().as_millis();
    let name = report.name.clone();
    let origin = Origin::new(&name, &path, args.allow_external_files);
    let tests = match kind {
        TestKind::Store => {
            load(&text, origin, &mut report.texts).map(|loaded| (run::run(&loaded, &args.filter, now), loaded.warnings))
        }
        TestKind::Policies => {
            let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
            let how = How { filter: &args.filter, now, coverage: args.with_coverage(), threads };
            stores.run(&text, origin, how, &mut report.texts)
        }
    };
    report.tests = tests.map(|(tests, warnings)| {
        report.warnings = warnings;
        tests
    });
    report
}

/// A file that was not read weighs more than a model that is invalid, and that more than a test that failed.
fn ended(reports: &[FileReport], counts: Counts, filter: &str) -> Exit {
    let refused = |wanted: fn(&Refusal) -> bool| reports.iter().any(|file| file.tests.as_ref().is_err_and(wanted));
    if refused(|refusal| matches!(refusal, Refusal::Unreadable(_))) {
        Exit::Error
    } else if refused(|refusal| matches!(refusal, Refusal::Invalid(_))) {
        Exit::Invalid
    } else if counts.failed + counts.refused > 0 {
        Exit::Failed
    } else if counts.tests == 0 && !filter.is_empty() {
        fail(Exit::Error, &format!("no test's name contains `{filter}`"))
    } else if counts.checks + counts.lists == 0 {
        fail(Exit::Error, "nothing was asked")
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
