//! `authx audit verify`: proof from the files alone, while the server runs or after it was killed.

use std::path::PathBuf;

use serde_json::json;

use crate::app::installation_tokens;
use crate::cli::{Exit, Output, fail, note, print_as};
use crate::decisions::{Finding, Report, verify};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Verify every chain of a data directory: 0 when they are whole, 1 when something was altered
    Verify {
        /// The server's data directory
        #[arg(long, env = "AUTHX_DATA_DIR", value_name = "DIR", default_value = "./authx-data")]
        data_dir: PathBuf,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

pub(crate) async fn run(args: Args) -> Exit {
    let What::Verify { data_dir, output } = args.what;
    let verified = tokio::task::spawn_blocking(move || {
        let tokens = installation_tokens(&data_dir).map_err(|error| error.to_string())?;
        let dir = data_dir.join("decisions");
        verify(&dir, &tokens).map_err(|error| format!("`{}` cannot be read: {error}", dir.display()))
    });
    match verified.await {
        Ok(Ok(report)) => tell(&report, output),
        Ok(Err(message)) => fail(Exit::Error, &message),
        Err(_) => fail(Exit::Error, "the verification failed"),
    }
}

fn tell(report: &Report, output: Output) -> Exit {
    let mut table = String::new();
    let mut show = |tenant: &str, finding: &Finding| {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        table.push_str(&format!("{tenant}/{}{line}  {}\n", finding.file, finding.message));
    };
    let (mut records, mut decisions, mut lost) = (0, 0, 0);
    for tenant in &report.tenants {
        tenant.problems.iter().chain(&tenant.torn).for_each(|finding| show(&tenant.tenant, finding));
        (records, decisions, lost) = (records + tenant.records, decisions + tenant.decisions, lost + tenant.lost);
    }
    print_as(output, &json!({"whole": report.is_whole(), "tenants": report.tenants}), &table);
    let verdict = if report.is_whole() { "whole" } else { "ALTERED" };
    let chains = report.tenants.len();
    note(&format!("{verdict}: {chains} chains, {records} records, {decisions} decisions, {lost} told as lost"));
    if report.is_whole() { Exit::Done } else { Exit::Error }
}
