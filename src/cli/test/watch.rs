//! `authx test --watch`: runs the tests again whenever a file changes.

use std::sync::Arc;

use super::{Args, run_once};
use crate::cli::watch::Watch;
use crate::cli::{Exit, fail, note};

/// Runs until it is interrupted.
pub(super) async fn follow(args: Args) -> Exit {
    let mut watch = match Watch::new(&args.paths) {
        Ok(watch) => watch,
        Err(error) => return fail(Exit::Error, &error),
    };
    let args = Arc::new(args);
    loop {
        run_once(&args).await;
        note("waiting for changes; Ctrl-C ends");
        tokio::select! {
            () = watch.changed() => note(""),
            interrupted = tokio::signal::ctrl_c() => {
                return if interrupted.is_ok() { Exit::Done } else { Exit::Error };
            }
        }
    }
}
