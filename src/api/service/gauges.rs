//! What is measured when somebody looks. No label names a tenant or anything that a caller sent; of a store there is its
//! random id, and never more of them than a few.

use std::cmp::Reverse;
use std::fmt::Write as _;

use actix_web::{HttpResponse, web};

use crate::api::Services;
use crate::ids::StoreId;

/// Stores that have a series of their own.
const LARGEST: usize = 20;

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(services: web::Data<Services>) -> HttpResponse {
    let sizes = stores(&services);
    let queues = services.writers.queues();
    metrics::gauge!("authx_write_queue_writes").set(count(queues.writes));
    metrics::gauge!("authx_write_queue_longest").set(count(queues.longest));
    metrics::gauge!("authx_write_queue_oldest_seconds").set(queues.oldest.as_secs_f64());
    let backlog = services.decisions.backlog();
    metrics::gauge!("authx_decision_log_queue_records").set(count(backlog.records));
    metrics::gauge!("authx_decision_log_queue_bytes").set(count(backlog.bytes));
    metrics::gauge!("authx_decision_log_failing").set(count(backlog.failing));
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!("process_resident_memory_bytes").set(count(bytes));
    }
    services.metrics.run_upkeep();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(services.metrics.render() + &largest(sizes))
}

/// Tells how much there is, and how many bytes each store has.
fn stores(services: &Services) -> Vec<(StoreId, usize)> {
    let stores = services.replica.all();
    let (mut entities, mut tuples, mut policies) = (0, 0, 0);
    let mut sizes = Vec::with_capacity(stores.len());
    for store in &stores {
        let current = store.peek();
        entities += current.snapshot.data().entity_count();
        tuples += current.snapshot.tuples().len();
        policies += current.snapshot.release().map_or(0, |release| release.policy_count());
        sizes.push((*store.scope().store(), current.snapshot.bytes()));
    }
    metrics::gauge!("authx_stores").set(count(stores.len()));
    metrics::gauge!("authx_entities").set(count(entities));
    metrics::gauge!("authx_tuples").set(count(tuples));
    metrics::gauge!("authx_policies").set(count(policies));
    sizes
}

/// The bytes of the largest stores, and of all others together, as Prometheus reads them. The recorder would go on telling of
/// a store that is no longer among them.
fn largest(mut sizes: Vec<(StoreId, usize)>) -> String {
    sizes.sort_unstable_by_key(|(store, bytes)| (Reverse(*bytes), *store));
    let others: usize = sizes.iter().skip(LARGEST).map(|(_, bytes)| bytes).sum();
    let mut text = String::from(
        "# HELP authx_store_bytes bytes of the data of the largest stores\n# TYPE authx_store_bytes gauge\n",
    );
    for (store, bytes) in sizes.iter().take(LARGEST) {
        let _ = writeln!(text, "authx_store_bytes{{store=\"{store}\"}} {bytes}");
    }
    let _ = writeln!(text, "authx_store_bytes{{store=\"other\"}} {others}");
    text
}

/// What the kernel says; `None` where it has no `/proc`.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok()?.checked_mul(1024)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_have_a_series_and_the_others_one() {
        let store = |n: usize| StoreId::from_parts(1, n as u128);
        let lines = |sizes: &[usize]| {
            let sizes = sizes.iter().enumerate().map(|(n, bytes)| (store(n), *bytes)).collect();
            let text = largest(sizes);
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| line.strip_prefix("authx_store_bytes").unwrap().to_owned()).collect::<Vec<_>>()
        };
        let line = |n, bytes| format!("{{store=\"{}\"}} {bytes}", store(n));
        let other = |bytes| format!("{{store=\"other\"}} {bytes}");
        assert_eq!(lines(&[]), [other(0)]);
        assert_eq!(lines(&[3, 7, 3]), [line(1, 7), line(0, 3), line(2, 3), other(0)]);
        let sizes: Vec<usize> = (0..LARGEST + 3).collect();
        let told = lines(&sizes);
        assert_eq!((told.len(), told.first(), told.last()), (LARGEST + 1, Some(&line(22, 22)), Some(&other(3))));
    }
}
