//! Counts the requests of one tenant: how many a second, and how many at once. Everything is an atomic number.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::TenantLimits;

type Limiter = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

/// Requests a second, by the generic cell rate algorithm.
#[derive(Debug)]
struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    limiter: Limiter,
}

impl Rate {
    fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(quota, MonotonicClock);
        Self { per_second, burst, limiter: limiter.with_middleware() }
    }

    /// Takes one request; `Err` is how long there is none.
    fn take(&self) -> Result<Usage, (Usage, Duration)> {
        let seconds = |requests: u32| u64::from(requests.div_ceil(self.per_second.get()));
        let usage = |left, resets_in| Usage {
            limit: self.burst.get(),
            window: Some(seconds(self.burst.get())),
            left,
            resets_in: Some(resets_in),
        };
        match self.limiter.check() {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                Ok(usage(left, seconds(self.burst.get().saturating_sub(left))))
            }
            Err(until) => {
                let wait = until.wait_time_from(MonotonicClock.now());
                Err((usage(0, whole_seconds(wait)), wait))
            }
        }
    }
}

/// Rounded up, and one at least.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// What a tenant is told of one of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub limit: u32,
    /// The seconds in which the limit is there again; `None` when time has no part in it.
    pub window: Option<u64>,
    pub left: u32,
    pub resets_in: Option<u64>,
}

/// Which limit a request is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Rate { per_second: u32, burst: u32, retry_after: u64 },
    Concurrency { limit: u32 },
}

/// What became of a request. It is in work until this is dropped, or its place is given back.
#[derive(Debug)]
pub struct Admission {
    pub refusal: Option<Refusal>,
    pub rate: Option<Usage>,
    pub concurrency: Option<Usage>,
    place: Option<Place>,
}

impl Admission {
    /// The request waits, and is not in work meanwhile.
    pub fn give_place_back(&mut self) {
        self.place = None;
    }
}

/// One of the requests in work.
#[derive(Debug)]
struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts what one tenant asks.
#[derive(Debug)]
pub struct Meter {
    rate: Option<Arc<Rate>>,
    concurrency: Option<NonZeroU32>,
    in_work: Arc<AtomicU32>,
}

impl Meter {
    /// `None` when there is nothing to count. What the meter before has counted goes on where its limit stays.
    pub(super) fn new(limits: &TenantLimits, before: Option<&Self>) -> Option<Self> {
        let rate = limits.requests_per_second.map(|per_second| {
            let burst = limits.burst.unwrap_or(per_second);
            let same = before.and_then(|before| before.rate.as_ref());
            let same = same.filter(|rate| (rate.per_second, rate.burst) == (per_second, burst));
            same.map_or_else(|| Arc::new(Rate::new(per_second, burst)), Arc::clone)
        });
        if rate.is_none() && limits.concurrency.is_none() {
            return None;
        }
        let in_work = before.map_or_else(Arc::default, |before| Arc::clone(&before.in_work));
        Some(Self { rate, concurrency: limits.concurrency, in_work })
    }

    /// Counts a request, or refuses it; what is refused counts for nothing.
    #[must_use]
    pub fn admit(&self) -> Admission {
        let mut admission = Admission { refusal: None, rate: None, concurrency: None, place: None };
        if let Some(limit) = self.concurrency {
            let (limit, place) = (limit.get(), self.enter(limit.get()));
            let left = limit.saturating_sub(self.in_work.load(Ordering::Acquire));
            admission.concurrency = Some(Usage { limit, window: None, left, resets_in: None });
            if place.is_none() {
                admission.refusal = Some(Refusal::Concurrency { limit });
                return admission;
            }
            admission.place = place;
        }
        match self.rate.as_ref().map(|rate| (rate, rate.take())) {
            None => {}
            Some((_, Ok(usage))) => admission.rate = Some(usage),
            Some((rate, Err((usage, wait)))) => {
                admission.give_place_back();
                admission.rate = Some(usage);
                let retry_after = whole_seconds(wait);
                let (per_second, burst) = (rate.per_second.get(), rate.burst.get());
                admission.refusal = Some(Refusal::Rate { per_second, burst, retry_after });
            }
        }
        admission
    }

    fn enter(&self, limit: u32) -> Option<Place> {
        let one_more = |count: u32| (count < limit).then_some(count + 1);
        let entered = self.in_work.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        entered.is_ok().then(|| Place(Arc::clone(&self.in_work)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> TenantLimits {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_request_is_in_work_until_it_is_dropped_or_waits() {
        let meter = Meter::new(&limits(r#"{"concurrency":2}"#), None).unwrap();
        let (first, mut second) = (meter.admit(), meter.admit());
        assert_eq!(second.concurrency.map(|usage| usage.left), Some(0));
        assert_eq!(meter.admit().refusal, Some(Refusal::Concurrency { limit: 2 }));
        drop(first);
        let third = meter.admit();
        assert_eq!(third.refusal, None);
        second.give_place_back();
        assert_eq!(meter.admit().refusal, None);
    }

    #[test]
    fn a_burst_is_spent_and_what_is_refused_holds_no_place() {
        let meter = Meter::new(&limits(r#"{"requests_per_second":1,"burst":3,"concurrency":1}"#), None).unwrap();
        let left: Vec<u32> = (0..3).map(|_| meter.admit().rate.unwrap().left).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = meter.admit();
        assert_eq!(refused.refusal, Some(Refusal::Rate { per_second: 1, burst: 3, retry_after: 1 }));
        assert_eq!(refused.rate, Some(Usage { limit: 3, window: Some(3), left: 0, resets_in: Some(1) }));
        assert_eq!(meter.in_work.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_change_keeps_what_stays() {
        let before = Meter::new(&limits(r#"{"requests_per_second":1,"burst":2,"concurrency":2}"#), None).unwrap();
        let held = [before.admit(), before.admit()];
        for (changed, refusal) in [
            (r#"{"requests_per_second":1,"burst":2}"#, Some(Refusal::Rate { per_second: 1, burst: 2, retry_after: 1 })),
            (r#"{"requests_per_second":1,"burst":3}"#, None),
            (r#"{"concurrency":2}"#, Some(Refusal::Concurrency { limit: 2 })),
            (r#"{"concurrency":3}"#, None),
        ] {
            assert_eq!(Meter::new(&limits(changed), Some(&before)).unwrap().admit().refusal, refusal, "{changed}");
        }
        drop(held);
        assert!(Meter::new(&TenantLimits::default(), Some(&before)).is_none());
    }
}
