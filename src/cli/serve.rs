//! `authx serve` and `authx migrate`.

mod follow;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::app::{self, Options};
use crate::cli::{Exit, fail, note};
use crate::config::Config;
use crate::storage::sqlite;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address and port [default: 127.0.0.1:8181]
    #[arg(long, env = "AUTHX_BIND", value_name = "ADDRESS")]
    bind: Option<SocketAddr>,
    /// The directory that holds everything [default: ./authx-data]
    #[arg(long, env = "AUTHX_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A TOML file; docs/configuration.md lists its keys
    #[arg(long, env = "AUTHX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Threads that answer requests; 0 is one for each core
    #[arg(long, env = "AUTHX_WORKERS", value_name = "N")]
    workers: Option<usize>,
    /// Apply the stores of a folder at start, and follow its files: a root, a `policies` folder or a store's folder. What is
    /// invalid is reported, and the last good release stays
    #[arg(long, env = "AUTHX_POLICIES", value_name = "DIR")]
    policies: Option<PathBuf>,
    /// No key on a loopback address, and a demo store to try
    #[arg(long, env = "AUTHX_DEV", value_parser = clap::builder::BoolishValueParser::new())]
    dev: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// The directory that holds everything
    #[arg(long, env = "AUTHX_DATA_DIR", value_name = "DIR", default_value = "./authx-data")]
    data_dir: PathBuf,
}

pub(crate) async fn serve(args: Args) -> Exit {
    let mut config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(Exit::Error, &error.to_string()),
    };
    if let Some(bind) = args.bind {
        config.server.bind = bind;
    }
    if let Some(data_dir) = args.data_dir {
        config.storage.data_dir = data_dir;
    }
    if let Some(workers) = args.workers {
        config.server.workers = workers;
    }
    let files = match args.policies.map(follow::follow).transpose() {
        Ok(files) => files,
        Err(error) => return fail(Exit::Error, &error),
    };
    match app::serve(Options { config, dev: args.dev, files }).await {
        Ok(()) => Exit::Done,
        Err(error) => fail(Exit::Error, &error.to_string()),
    }
}

pub(crate) async fn migrate(args: MigrateArgs) -> Exit {
    match sqlite::open(&args.data_dir).await {
        Ok(storage) => {
            storage.close().await;
            note("the database is at this version's schema");
            Exit::Done
        }
        Err(error) => fail(Exit::Error, &error.to_string()),
    }
}
