//! The command line. Results go to stdout, notes for people to stderr.

mod account;
mod apply;
mod audit;
mod bench;
mod check;
mod client;
mod decisions;
mod diff;
mod explanation;
mod export;
mod files;
mod fmt;
mod grant;
mod import;
mod keys;
mod lines;
mod model;
mod progress;
mod pull;
mod release;
mod replay;
mod report;
mod rollback;
mod serve;
mod tenants;
mod test;
mod tuples;
mod validate;
mod values;
mod watch;
mod why;
mod written;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand, ValueEnum};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Allow, or done.
    Done,
    Error,
    Deny,
    /// Invalid policy, schema or model.
    Invalid,
    /// Tests failed.
    Failed,
    /// The server does not answer.
    Unreachable,
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Deny => 2,
            Exit::Invalid => 3,
            Exit::Failed => 4,
            Exit::Unreachable => 5,
            Exit::Usage => 64,
        })
    }
}

/// AuthX: may this principal do this action on this resource?
#[derive(Debug, Parser)]
#[command(
    name = "authx",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 allow or done, 1 error, 2 deny, 3 invalid policy, schema or model, 4 tests failed, 5 unreachable, 64 usage"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Args),
    /// Ask for a decision, of a server or of files
    Check(check::Args),
    /// Why a past decision was made, as of its own time
    Why(why::Args),
    /// Apply policies and schema to a store
    Apply(apply::Args),
    /// Write a release of a store into files, as they were applied
    Pull(pull::Args),
    /// Tell what differs between files, releases and what is active, in meaning or only in text
    Diff(diff::Args),
    /// Make the release active again that was so before, or a named one
    Rollback(rollback::Args),
    /// Validate policies and schema
    Validate(validate::Args),
    /// Lay out policies and relation models; changes no decision
    Fmt(fmt::Args),
    /// Give a subject a relation to an object
    Grant(grant::GrantArgs),
    /// Take a subject's relation to an object away
    Revoke(grant::RevokeArgs),
    /// Write the tuples of files, or the whole data of a store, however much
    Import(import::Args),
    /// Write a store's entities, tuples and links into a file
    Export(export::Args),
    /// Validate and show relation models
    Model(model::Args),
    /// Test policies, models and data by what must follow from them
    Test(test::Args),
    /// Make recorded decisions again with other policies, and tell which come out otherwise
    Replay(replay::Args),
    /// Look at what was decided
    Decisions(decisions::Args),
    /// Prove that the decision log was not altered
    Audit(audit::Args),
    /// Administer tenants, with a platform key
    Tenants(tenants::Args),
    /// Administer keys
    Keys(keys::Args),
    /// Tell who the key is and what it may do
    Whoami(keys::WhoAmIArgs),
    /// Print openapi.yaml
    Openapi,
    /// Print a page of the documentation that is made from the code
    #[command(hide = true)]
    Reference { page: ReferencePage },
    /// Bring the database to this version's schema
    Migrate(serve::MigrateArgs),
    /// Measure
    Bench(bench::Args),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReferencePage {
    Errors,
    Config,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Table,
    Json,
    Yaml,
}

/// Where the server is and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// The server's address
    #[arg(long, env = "AUTHX_SERVER", default_value = "http://127.0.0.1:8181", value_name = "URL")]
    pub(crate) server: String,
    /// The API key
    #[arg(long, env = "AUTHX_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// The store's id or alias; the tenant's only store when absent
    #[arg(long, env = "AUTHX_STORE", value_name = "STORE")]
    pub(crate) store: Option<String>,
}

/// Where the server is and who asks, for commands that name the store otherwise.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConnectArgs {
    /// The server's address
    #[arg(long, env = "AUTHX_SERVER", default_value = "http://127.0.0.1:8181", value_name = "URL")]
    server: String,
    /// The API key
    #[arg(long, env = "AUTHX_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
}

impl ConnectArgs {
    pub(crate) fn of_store(self, store: Option<String>) -> ServerArgs {
        ServerArgs { server: self.server, key: self.key, store }
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let shown = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if shown { Exit::Done.into() } else { Exit::Usage.into() };
        }
    };
    // Work that blocks is mostly compiling: on a thread with its stack it needs no other thread.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(authx_engine::COMPILE_STACK_BYTES)
        .on_thread_start(yield_to_checks)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Error, &error.to_string()).into(),
    };
    runtime.block_on(run(cli.command)).into()
}

/// The runtime's threads write, compile and load; the server's own threads, which answer checks, go first where both
/// want one core. Only a wish: a system that refuses it runs all threads alike.
fn yield_to_checks() {
    let _ = rustix::process::nice(10);
}

async fn run(command: Command) -> Exit {
    match command {
        Command::Serve(args) => serve::serve(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Why(args) => why::run(args).await,
        Command::Apply(args) => apply::run(args).await,
        Command::Pull(args) => pull::run(args).await,
        Command::Diff(args) => diff::run(args).await,
        Command::Rollback(args) => rollback::run(args).await,
        Command::Validate(args) => validate::run(args).await,
        Command::Fmt(args) => fmt::run(args).await,
        Command::Grant(args) => grant::grant(args).await,
        Command::Revoke(args) => grant::revoke(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Model(args) => model::run(args).await,
        Command::Test(args) => test::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Decisions(args) => decisions::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Tenants(args) => tenants::run(args).await,
        Command::Keys(args) => keys::run(args).await,
        Command::Whoami(args) => keys::whoami(args).await,
        Command::Openapi => print(&crate::api::document()),
        Command::Reference { page } => print(&match page {
            ReferencePage::Errors => crate::api::error::reference(),
            ReferencePage::Config => reference_config(),
        }),
        Command::Migrate(args) => serve::migrate(args).await,
        Command::Bench(args) => bench::run(args).await,
    }
}

/// docs/configuration.md.
fn reference_config() -> String {
    format!(
        "# Configuration\n\n`authx serve --config FILE` takes a TOML file with any of these keys; `authx serve --help` lists the flags and their\n`AUTHX_…` variables, which win over the file. This page is made from `src/config/default.toml`.\n\n```toml\n{}```\n",
        crate::config::DEFAULTS
    )
}

/// Prints a result.
#[expect(clippy::print_stdout, reason = "the command line's results")]
pub(crate) fn print(text: &str) -> Exit {
    print!("{text}");
    Exit::Done
}

/// Prints a value in the form that was asked for; `table` is its form for people.
pub(crate) fn print_as(output: Output, value: &serde_json::Value, table: &str) {
    let text = match output {
        Output::Table => report::printable(table).into_owned(),
        Output::Json => format!("{value:#}\n"),
        Output::Yaml => serde_yaml_ng::to_string(value).unwrap_or_default(),
    };
    print(&text);
}

/// Tells a person what went wrong.
pub(crate) fn fail(exit: Exit, message: &str) -> Exit {
    note(&format!("error: {message}"));
    exit
}

/// A note for people. It may repeat what a server or a file says, which moves no terminal.
pub(crate) fn note(text: &str) {
    tell(&report::printable(text));
}

fn tell(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Shows a person what was found; nothing when nothing was.
pub(crate) fn show_problems(problems: &[authx_engine::Problem], texts: &BTreeMap<String, String>) {
    let text = report::render(problems, texts, color());
    if !text.is_empty() {
        // In colours, where they are wanted; what it repeats is made printable there.
        tell(text.trim_end());
    }
}

/// Whether stderr is a terminal that wants colour.
pub(crate) fn color() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The help of the program and of each command, for the golden test.
#[must_use]
pub fn help() -> String {
    use clap::CommandFactory as _;
    let mut command = Cli::command();
    let mut text = command.render_long_help().to_string();
    help_below(&mut command, "authx", &mut text);
    text
}

fn help_below(command: &mut clap::Command, above: &str, text: &mut String) {
    for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set()) {
        let name = format!("{above} {}", sub.get_name());
        text.push_str(&format!("\n---- {name} ----\n\n{}", sub.render_long_help()));
        help_below(sub, &name, text);
    }
}
