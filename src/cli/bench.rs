//! `authx bench`: measures, and judges nothing.

mod decide;
mod load;
mod relations;

use std::time::Duration;

use crate::cli::{Exit, fail, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// One decision in process with ever more policies of which the same few match, beside Cedar's own authorizer
    Decide {
        /// Seconds for each row
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// Sizes of the policy set
        #[arg(long, value_delimiter = ',', default_value = "10,1000,10000,100000")]
        policies: Vec<usize>,
    },
    /// Relations in process: the document world, and the shapes that hurt others
    Relations {
        /// 100 has 946,000 tuples
        #[arg(long, default_value_t = 100)]
        scale: usize,
    },
    /// Requests to a server at a fixed rate (open loop): latency counts from when a request was due
    Load(load::Args),
}

pub(crate) async fn run(args: Args) -> Exit {
    let table = match args.what {
        What::Decide { seconds, policies } => {
            decide::table(Duration::from_secs_f64(seconds.clamp(0.01, 60.0)), &policies)
        }
        What::Relations { scale } => relations::table(scale.clamp(1, 10_000)),
        What::Load(args) => load::run(args).await,
    };
    match table {
        Ok(text) => print(&text),
        Err(error) => fail(Exit::Error, &error),
    }
}
