//! The composition root: the only place that names concrete adapters.

mod demo;
mod follow;
mod start;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use authx_engine::Limits;
use authx_engine::relation::GraphLimits;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::middleware::TimeLimit;
use crate::api::{Followers, Places, Services, configure, track};
use crate::clock::Clock;
use crate::config::Config;
use crate::decisions::{DecisionLog, Outbox};
use crate::identity::Identity;
use crate::ids::TenantId;
use crate::keys::KeyTable;
use crate::limits::LimitTable;
use crate::pap::{
    Administration, Expiry, Kept, PapError, Purge, Releases, Stores, Writers, read_limits, read_log_settings,
};
use crate::pdp::{Bounds, HistoryLimits, Pdp};
use crate::replica::{LoadError, Replica, load_store};
use crate::scope::StoreScope;
use crate::storage::{Storage, StorageError, sqlite};
use crate::telemetry;
use crate::tokens::Tokens;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("{0}")]
    Storage(#[from] StorageError),
    #[error("a store cannot be loaded: {0}")]
    Load(#[from] LoadError),
    #[error("the first start failed: {0}")]
    Start(#[from] PapError),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("{0}")]
    Other(String),
}

/// The tokens of an installation that was started before, from its data directory.
///
/// # Errors
/// When it has no secret.
pub fn installation_tokens(data_dir: &std::path::Path) -> Result<Tokens, AppError> {
    Tokens::new(start::read_secret(data_dir)?).map_err(|error| AppError::Other(error.to_string()))
}

pub use follow::{Active, Feed, Followed, Refused, Sent, StoreSources};

/// A server that is told to run.
pub struct Options {
    pub config: Config,
    pub dev: bool,
    /// Files that stores follow. What is sent first is applied before the server answers.
    pub files: Option<Feed>,
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days.saturating_mul(86_400))
}

/// How much one question may take.
fn bounds(config: &Config) -> Bounds {
    let limits = &config.limits;
    let graph = GraphLimits { depth: limits.relation_depth, steps: limits.relation_steps, ..GraphLimits::default() };
    Bounds {
        limits: Limits {
            ancestors: limits.ancestors,
            request_entities: limits.request_entities,
            reached_entities: limits.reached_entities,
            graph,
            ..Limits::default()
        },
        freshness_deadline: Duration::from_millis(limits.freshness_deadline_ms),
        history: HistoryLimits { kept: days(config.storage.history_days), rows: limits.history_rows },
    }
}

/// Runs the server until SIGTERM or Ctrl-C.
///
/// # Errors
/// When it cannot start.
pub async fn serve(options: Options) -> Result<(), AppError> {
    let begun = std::time::Instant::now();
    let Options { config, dev, files } = options;
    telemetry::log(&config.log);
    let metrics = telemetry::metrics().map_err(|error| AppError::Other(error.to_string()))?;
    let clock = Clock;
    let data_dir = &config.storage.data_dir;
    let tasks = TaskTracker::new();
    let storage = {
        // The database's threads take their priority from the one that makes them: the runtime's, not this one.
        let data_dir = data_dir.clone();
        let opening = tasks.spawn(async move { sqlite::open(&data_dir).await });
        opening.await.map_err(|error| AppError::Other(error.to_string()))??
    };
    let tokens = Tokens::new(start::secret(data_dir)?).map_err(|error| AppError::Other(error.to_string()))?;
    let log_dir = data_dir.join("decisions");
    let decisions = DecisionLog::start(log_dir, config.decisions.options(), tokens.clone(), clock);
    let decisions = decisions.map_err(|source| AppError::Io { what: "the decision log".to_owned(), source })?;
    let decisions = Arc::new(decisions);
    let replica = Arc::new(Replica::new(tokens));
    load_all(&storage, &replica).await?;

    let loopback = config.server.bind.ip().is_loopback();
    let first = start::prepare(&storage, clock, data_dir, dev).await?;
    let open_tenant = first.dev_tenant.filter(|_| dev && loopback);
    let tenants = start::tenants(&storage).await?;
    for tenant in &tenants {
        decisions.set(tenant.id, read_log_settings(&tenant.decisions)?);
    }
    let limited = tenants.iter().map(|tenant| Ok((tenant.id, read_limits(&tenant.limits)?)));
    let limited = limited.collect::<Result<Vec<_>, PapError>>()?;
    let tenant_limits = Arc::new(LimitTable::new(config.tenants.limits(), limited));
    let tenants = tenants.into_iter().map(|tenant| tenant.id).collect();
    let keys = Arc::new(KeyTable::new(&storage.keys.all_known().await?, tenants));
    let identity = Arc::new(Identity::new(Arc::clone(&keys), open_tenant, clock));
    let runtime = tokio::runtime::Handle::current();
    let writers = Writers::new(
        storage.clone(),
        Arc::clone(&replica),
        Arc::clone(&tenant_limits),
        clock,
        tasks.clone(),
        runtime.clone(),
    );
    let (kept, bounds) = (Kept(days(config.storage.deleted_kept_days)), bounds(&config));
    let outbox = Arc::new(Outbox::new(storage.clone(), Arc::clone(&decisions)));
    let services = web::Data::new(Services {
        pdp: Pdp::new(Arc::clone(&replica), storage.clone(), Arc::clone(&decisions), bounds, clock, runtime),
        stores: Stores::new(writers.clone(), kept),
        releases: Releases::new(writers.clone(), config.limits.compilers),
        administration: Administration::new(writers.clone(), keys, Arc::clone(&decisions), kept),
        identity,
        replica,
        writers,
        decisions: Arc::clone(&decisions),
        outbox: Arc::clone(&outbox),
        storage: storage.clone(),
        followers: Arc::new(Followers::new(config.limits.followers)),
        batches: Arc::new(Places::new(config.limits.batches)),
        transfers: Arc::new(Places::new(config.limits.transfers)),
        verifications: Arc::new(Places::new(1)),
        limits: tenant_limits,
        clock,
        draining: CancellationToken::new(),
        metrics,
    });
    let mut beside = housekeeping(&services, &config, kept);
    let telling = tokio::spawn(Arc::clone(&outbox).run());
    let refusals = Arc::clone(services.identity.refusals());
    let refused = tokio::spawn(Arc::clone(&refusals).run(Arc::clone(&decisions)));
    let administration = services.administration.clone();
    let uses = tokio::spawn(administration.clone().note_uses_for_ever());
    let mut notes = Vec::new();
    if let Some(tenant) = first.dev_tenant.filter(|_| dev) {
        notes = demo::seed(&services, tenant, loopback).await?;
    }
    if let Some(files) = files {
        beside.push(begin_to_follow(&services, first.dev_tenant, files).await?);
    }
    run(&config, services, begun, &notes, first.keys_file.as_deref(), dev && loopback).await?;
    beside.iter().for_each(JoinHandle::abort);
    // Every request is answered: what was changed and decided is recorded to its end.
    telling.abort();
    outbox.drain().await;
    refused.abort();
    refusals.tell(&decisions).await;
    let _ = tokio::task::spawn_blocking(move || decisions.close()).await;
    uses.abort();
    if let Err(error) = administration.note_uses().await {
        tracing::warn!(%error, "the last uses of keys could not be written");
    }
    // Writes that were taken are finished before the database is closed.
    tasks.close();
    tasks.wait().await;
    storage.close().await;
    Ok(())
}

/// Deletes what has expired, and for good what was deleted a while ago, for ever.
fn housekeeping(services: &web::Data<Services>, config: &Config, kept: Kept) -> Vec<JoinHandle<()>> {
    let (writers, storage) = (&services.writers, &config.storage);
    let expiry = Expiry::new(
        writers.clone(),
        Duration::from_secs(storage.expired_tuples_kept_seconds),
        Duration::from_secs(storage.expired_tuples_pause_seconds),
    );
    let pause = Duration::from_secs(storage.deleted_pause_seconds);
    let purge = Purge::new(writers.clone(), kept, days(storage.history_days), pause);
    vec![tokio::spawn(expiry.run()), tokio::spawn(purge.run())]
}

/// Applies the files as they are, and goes on with what changes.
async fn begin_to_follow(
    services: &web::Data<Services>,
    dev: Option<TenantId>,
    mut files: Feed,
) -> Result<JoinHandle<()>, AppError> {
    let tenant = match dev {
        Some(tenant) => tenant,
        None => start::default_tenant(&services.storage).await?,
    };
    if let Some(sent) = files.recv().await {
        follow::apply_all(services, tenant, sent).await;
    }
    Ok(tokio::spawn(follow::follow(services.clone(), tenant, files)))
}

async fn load_all(storage: &Storage, replica: &Replica) -> Result<(), AppError> {
    for record in storage.stores.all_open().await? {
        let scope = StoreScope::new(record.tenant, record.id);
        if let Some(store) = load_store(storage, scope, replica.tokens()).await? {
            replica.open(&Arc::new(store));
        }
    }
    Ok(())
}

async fn run(
    config: &Config,
    services: web::Data<Services>,
    begun: std::time::Instant,
    notes: &[String],
    keys_file: Option<&std::path::Path>,
    open: bool,
) -> Result<(), AppError> {
    let server = &config.server;
    let time_limit = web::Data::new(TimeLimit(Duration::from_secs(server.request_timeout_seconds)));
    let (followers, draining) = (Arc::clone(&services.followers), services.draining.clone());
    let build = move || {
        App::new().app_data(services.clone()).app_data(time_limit.clone()).wrap(from_fn(track)).configure(configure)
    };
    let io = |what: String| move |source| AppError::Io { what, source };
    let workers = if server.workers == 0 {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    } else {
        server.workers
    };
    let http = HttpServer::new(build)
        .workers(workers)
        .client_request_timeout(Duration::from_secs(server.header_timeout_seconds))
        .keep_alive(Duration::from_secs(server.keep_alive_seconds))
        .shutdown_timeout(server.shutdown_timeout_seconds)
        .max_connections(server.max_connections)
        // A client that closes its end has gone: nobody waits for changes, or computes an answer, on its behalf.
        .h1_allow_half_closed(false)
        .disable_signals()
        .bind(server.bind)
        .map_err(io(format!("cannot listen on {}", server.bind)))?;
    let address = http.addrs().first().copied().unwrap_or(server.bind);
    let running = http.run();
    let handle = running.handle();
    let mut out = std::io::stderr().lock();
    let access = if open { "no key needed on loopback" } else { "keys needed" };
    let _ =
        writeln!(out, "ready in {} ms · http://{address} · {access} · API docs at /docs", begun.elapsed().as_millis());
    if let Some(path) = keys_file {
        let _ = writeln!(out, "the first keys are in {}", path.display());
    }
    for note in notes {
        let _ = writeln!(out, "{}", note.replace("{address}", &address.to_string()));
    }
    drop(out);
    let mut running = std::pin::pin!(running);
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = told_to_end() => {
            draining.cancel();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(server.drain_seconds)) => {}
                // Whoever says it twice does not want to wait.
                () = told_to_end() => {}
            }
            // Who waits for changes would hold up the end, which waits for running requests.
            followers.close();
            let (ended, ()) = tokio::join!(running, handle.stop(true));
            ended
        }
    };
    ended.map_err(io("the server stopped".to_owned()))
}

/// Waits for SIGTERM or Ctrl-C.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let told = |kind| async move {
        match signal(kind) {
            Ok(mut told) => drop(told.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = told(SignalKind::terminate()) => {}
        () = told(SignalKind::interrupt()) => {}
    }
}
