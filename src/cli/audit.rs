//! `authx audit`: proof from the files alone, while the server runs or after it was killed; and what is to be forgotten taken
//! out of them.

use std::path::PathBuf;

use serde_json::json;

use crate::app::installation_tokens;
use crate::cli::{Exit, Output, fail, note, print_as};
use crate::decisions::{Erasure, Finding, Report, erase, verify};
use crate::ids::TenantId;
use crate::pap::Author;
use crate::storage::sqlite;

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
    /// Take the content of decisions out of the files of a server that does not run, for good; the chain still verifies
    Erase {
        /// The server's data directory
        #[arg(long, env = "AUTHX_DATA_DIR", value_name = "DIR", default_value = "./authx-data")]
        data_dir: PathBuf,
        /// The tenant whose decisions they are, by its id
        #[arg(long, env = "AUTHX_TENANT", value_name = "TENANT")]
        tenant: String,
        /// A decision, by its id
        #[arg(long, value_name = "DECISION", required_unless_present = "principal", conflicts_with = "principal")]
        id: Vec<String>,
        /// Every decision about a principal, such as `User:alice`
        #[arg(long, value_name = "ENTITY")]
        principal: Option<String>,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

pub(crate) async fn run(args: Args) -> Exit {
    let ended = match args.what {
        What::Verify { data_dir, output } => return verify_all(data_dir, output).await,
        What::Erase { data_dir, tenant, id, principal, output } => match which(&tenant, &id, principal.as_deref()) {
            Ok((tenant, which)) => erase_from(data_dir, tenant, which, output).await,
            Err(message) => return fail(Exit::Usage, &message),
        },
    };
    match ended {
        Ok(exit) => exit,
        Err(message) => fail(Exit::Error, &message),
    }
}

/// What is to be taken out, and of whose log.
fn which(tenant: &str, ids: &[String], principal: Option<&str>) -> Result<(TenantId, Erasure), String> {
    let tenant = TenantId::parse(tenant).map_err(|error| error.to_string())?;
    if let Some(principal) = principal {
        return Ok((tenant, Erasure::of_principal(principal)));
    }
    Ok((tenant, Erasure::of_ids(ids).map_err(|error| error.to_string())?))
}

async fn erase_from(data_dir: PathBuf, tenant: TenantId, which: Erasure, output: Output) -> Result<Exit, String> {
    let work = move || {
        let tokens = installation_tokens(&data_dir).map_err(|error| error.to_string())?;
        let _held = sqlite::hold(&data_dir).map_err(|error| format!("{error}: stop the server first"))?;
        let dir = data_dir.join("decisions").join(tenant.as_str());
        let note = |records| Author::process("shell").of_erasure(&tenant, records);
        erase(&dir, tenant, &which, &tokens, note).map_err(|error| error.to_string())
    };
    let erased = tokio::task::spawn_blocking(work).await.map_err(|_| "the work was interrupted".to_owned())??;
    if erased == 0 {
        return Err("the log of the tenant has no such decision".to_owned());
    }
    print_as(output, &json!({"erased": erased}), &format!("erased {erased}\n"));
    Ok(Exit::Done)
}

async fn verify_all(data_dir: PathBuf, output: Output) -> Exit {
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
    let (mut records, mut decisions, mut lost, mut erased) = (0, 0, 0, 0);
    for tenant in &report.tenants {
        tenant.problems.iter().chain(&tenant.torn).for_each(|finding| show(&tenant.tenant, finding));
        (records, decisions, lost) = (records + tenant.records, decisions + tenant.decisions, lost + tenant.lost);
        erased += tenant.erased;
    }
    print_as(output, &json!({"whole": report.is_whole(), "tenants": report.tenants}), &table);
    let verdict = if report.is_whole() { "whole" } else { "ALTERED" };
    let chains = report.tenants.len();
    note(&format!(
        "{verdict}: {chains} chains, {records} records, {decisions} decisions, {lost} told as lost, {erased} erased"
    ));
    if report.is_whole() { Exit::Done } else { Exit::Error }
}
