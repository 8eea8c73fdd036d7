//! Logs and metrics. Logs hold no attributes, tokens or bodies.

use std::any::Any;
use std::fmt;
use std::io::IsTerminal as _;
use std::panic::{Location, PanicHookInfo};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogConfig, LogFormat};
use crate::trace;

/// Seconds.
const BUCKETS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.1, 1.0, 10.0];

/// Sends logs to stderr from now on, panics among them.
pub fn log(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second server in one process (a test) keeps the first one's log.
    let _ = match config.format {
        LogFormat::Text => builder.map_event_format(|lines| OfRequest { lines, format: LogFormat::Text }).try_init(),
        LogFormat::Json => {
            builder.json().map_event_format(|lines| OfRequest { lines, format: LogFormat::Json }).try_init()
        }
    };
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        metrics::counter!("authx_panics_total").increment(1);
        let (message, at) = (message(info.payload()), info.location().map(Location::to_string));
        tracing::error!(at, "a fault of the program, please report it: {message}");
    }));
}

/// What a panic says, if that was written by who made the program: what it was made of at run time may be somebody's data.
fn message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().unwrap_or(&"its message may hold data and is not told")
}

/// Lines that say which request they are of. A span for each request would say it too, at a price that every check pays.
struct OfRequest<L> {
    lines: L,
    format: LogFormat,
}

impl<S, N, L> FormatEvent<S, N> for OfRequest<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    L: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(request) = trace::current() else { return self.lines.format_event(context, writer, event) };
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        let (line, request_id, trace_id) = (line.trim_end(), request.request_id(), request.trace_id());
        match self.format {
            LogFormat::Text => writeln!(writer, "{line} request_id={request_id} trace_id={trace_id}"),
            LogFormat::Json => {
                let line = line.strip_suffix('}').unwrap_or(line);
                let id = serde_json::Value::from(request_id);
                writeln!(writer, "{line},\"request_id\":{id},\"trace_id\":\"{trace_id}\"}}")
            }
        }
    }
}

/// Collects metrics from now on.
///
/// # Errors
/// When the buckets are of no use.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    let suffix = Matcher::Suffix("_seconds".to_owned());
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(suffix, &BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        describe();
    }
    Ok(handle)
}

/// What each metric is, for `# HELP`. What counts is there from the start on, so that its first increase is seen.
fn describe() {
    for (name, is) in [
        ("authx_limited_requests_total", "requests that a limit of their tenant refused"),
        ("authx_decision_log_records_total", "records written"),
        ("authx_decision_log_full_total", "times that a queue had no room"),
        ("authx_decision_log_gaps_total", "decisions that were answered and not recorded"),
        ("authx_decision_log_errors_total", "writes of the log that failed and were tried again"),
        ("authx_panics_total", "faults of the program, each a line of the log"),
    ] {
        metrics::describe_counter!(name, is);
        if name != "authx_limited_requests_total" {
            metrics::counter!(name).increment(0);
        }
    }
    for limit in ["rate", "concurrency"] {
        metrics::counter!("authx_limited_requests_total", "limit" => limit).increment(0);
    }
    for (name, is) in [
        ("authx_stores", "open stores"),
        ("authx_entities", "entities of open stores"),
        ("authx_tuples", "tuples of open stores"),
        ("authx_policies", "policies and templates of active releases"),
        ("authx_write_queue_writes", "writes that are not answered yet"),
        ("authx_write_queue_longest", "of them those of the store that has most"),
        ("authx_write_queue_oldest_seconds", "how long the oldest of them is there"),
        ("authx_decision_log_queue_records", "decisions that are not in a file yet"),
        ("authx_decision_log_queue_bytes", "their bytes"),
        ("authx_decision_log_failing", "tenants whose decisions could not be written at the last try"),
        ("process_resident_memory_bytes", "memory that the process holds"),
    ] {
        metrics::describe_gauge!(name, is);
    }
    metrics::describe_histogram!("authx_http_request_seconds", "requests by method, route and class of status");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_nothing_that_was_read() {
        type Panic = fn(&str);
        let secret = "canary".to_owned();
        let panics: [(Panic, &str); 2] = [
            (|_| panic!("no such state"), "no such state"),
            (|read| panic!("no such state: {read}"), "its message may hold data and is not told"),
        ];
        for (panics, told) in panics {
            let payload = std::panic::catch_unwind(|| panics(&secret)).unwrap_err();
            assert_eq!(message(payload.as_ref()), told);
        }
    }
}
