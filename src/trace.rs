//! The request that a task works on, for the logs: its id, and its trace by W3C Trace Context (level 1).
//!
//! Nothing else of a request is known here, so nothing else of it gets into a log by this way.

use std::sync::{Arc, OnceLock};

use crate::clock::Clock;

tokio::task_local! {
    static CURRENT: Arc<RequestTrace>;
}

/// What tells one request's lines from another's.
#[derive(Debug)]
pub struct RequestTrace {
    request_id: String,
    /// 32 digits; made when a line is written, unless the caller sent it.
    trace_id: OnceLock<String>,
}

impl RequestTrace {
    /// `traceparent` is the caller's header; one that is malformed is none, and begins a new trace.
    #[must_use]
    pub fn new(request_id: String, traceparent: Option<&str>) -> Self {
        let sent = traceparent.and_then(trace_id);
        Self { request_id, trace_id: sent.map_or_else(OnceLock::new, |id| OnceLock::from(id.to_owned())) }
    }

    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.trace_id.get_or_init(|| format!("{:032x}", Clock.ulid().0))
    }
}

/// Does work for a request.
pub async fn of<F: Future>(trace: RequestTrace, work: F) -> F::Output {
    CURRENT.scope(Arc::new(trace), work).await
}

/// Takes the current request along to another task.
pub fn taken_along<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let current = current();
    async move {
        match current {
            Some(current) => CURRENT.scope(current, work).await,
            None => work.await,
        }
    }
}

/// The request that this task works on.
#[must_use]
pub fn current() -> Option<Arc<RequestTrace>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// The trace of a `traceparent`: version, trace, parent and flags. A later version may say more behind them.
fn trace_id(text: &str) -> Option<&str> {
    let (head, rest) = text.split_at_checked(55)?;
    let mut parts = head.split('-');
    let [version, trace, parent, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let whole = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && parts.next().is_none();
    let end = if version == "00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    (whole && end && version != "ff" && !zero(trace) && !zero(parent)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_read_as_the_recommendation_says() {
        for (text, good) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), true),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01-what the future will be like"), true),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01.what"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-01-more"), false),
            (format!("ff-{TRACE}-00f067aa0ba902b7-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false),
            (format!("00-{TRACE}-0000000000000000-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-0"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7"), false),
            (format!("00-{TRACE}-00f067aa0ba902b-071"), false),
            (format!("0x-{TRACE}-00f067aa0ba902b7-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", "ä".repeat(16)), false),
            (String::new(), false),
        ] {
            assert_eq!(trace_id(&text), good.then_some(TRACE), "{text}");
            let trace = RequestTrace::new("r".to_owned(), Some(&text));
            assert_eq!(trace.trace_id() == TRACE, good, "{text}");
            assert_eq!(trace.trace_id(), trace.trace_id());
            assert_eq!(trace.trace_id().len(), 32);
        }
    }

    #[tokio::test]
    async fn other_tasks_work_for_the_request_that_is_taken_along() {
        let id = || current().map(|trace| trace.request_id().to_owned());
        assert_eq!(id(), None);
        let both = of(RequestTrace::new("r".to_owned(), None), async move {
            (
                id(),
                tokio::spawn(taken_along(async move { id() })).await.unwrap(),
                tokio::spawn(async move { id() }).await.unwrap(),
            )
        });
        assert_eq!(both.await, (Some("r".to_owned()), Some("r".to_owned()), None));
        assert_eq!(taken_along(async move { id() }).await, None);
    }
}
