//! What is measured when somebody looks. No label names a tenant, a store or anything that a caller sent.

use actix_web::{HttpResponse, web};

use crate::api::Services;

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(services: web::Data<Services>) -> HttpResponse {
    stores(&services);
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
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(services.metrics.render())
}

fn stores(services: &Services) {
    let stores = services.replica.all();
    let (mut entities, mut tuples, mut policies) = (0, 0, 0);
    for store in &stores {
        let current = store.peek();
        entities += current.snapshot.data().entity_count();
        tuples += current.snapshot.tuples().len();
        policies += current.snapshot.release().map_or(0, |release| release.policy_count());
    }
    metrics::gauge!("authx_stores").set(count(stores.len()));
    metrics::gauge!("authx_entities").set(count(entities));
    metrics::gauge!("authx_tuples").set(count(tuples));
    metrics::gauge!("authx_policies").set(count(policies));
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
