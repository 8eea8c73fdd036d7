//! `authx why`: a past decision explained, or as a test.

use crate::cli::check::tell;
use crate::cli::client::{Client, encode};
use crate::cli::report::printable;
use crate::cli::values::word;
use crate::cli::{Exit, Output, ServerArgs, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The decision's id, as its answer told it
    decision: String,
    /// Print it as a file of tests, with only the facts that it read
    #[arg(long)]
    as_test: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) async fn run(args: Args) -> Exit {
    why(&args).await.unwrap_or_else(|exit| exit)
}

async fn why(args: &Args) -> Result<Exit, Exit> {
    let client = Client::new(&args.server)?;
    let path = format!("/v1/decisions/{}/explain?as_test={}", encode(&args.decision), args.as_test);
    let reply = client.call(reqwest::Method::GET, &path, None).await?;
    if reply.status != 200 {
        return Err(client.refused(&reply));
    }
    if args.as_test {
        return Ok(print(&printable(word(&reply.body, "test"))));
    }
    Ok(tell(args.output, &reply.body))
}
