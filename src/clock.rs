//! The clock and the source of randomness, passed to whoever needs one. Nothing else reads either.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ids::{KeyId, ModelId, ReleaseId, StoreId, TenantId, Timestamp};

/// Tells the time and makes ids.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// Milliseconds since 1970.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[must_use]
    pub fn tenant_id(self) -> TenantId {
        TenantId::from_parts(self.millis(), random_u128())
    }

    #[must_use]
    pub fn store_id(self) -> StoreId {
        StoreId::from_parts(self.millis(), random_u128())
    }

    #[must_use]
    pub fn model_id(self) -> ModelId {
        ModelId::from_parts(self.millis(), random_u128())
    }

    #[must_use]
    pub fn release_id(self) -> ReleaseId {
        ReleaseId::from_parts(self.millis(), random_u128())
    }

    #[must_use]
    pub fn key_id(self) -> KeyId {
        KeyId::from_parts(self.millis(), random_u128())
    }

    /// The id of a decision or a request: unique, not secret, so it costs no system call.
    #[must_use]
    pub fn ulid(self) -> ulid::Ulid {
        ulid::Ulid::from_parts(self.millis(), quick_u128())
    }

    fn millis(self) -> u64 {
        u64::try_from(self.now().as_millis()).unwrap_or(0)
    }
}

/// Fills `bytes` with secret randomness.
///
/// # Errors
/// When the operating system has none; nothing secret is then made.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(bytes)
}

fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    // Ids are not secret: uniqueness then rests on the thread's own sequence.
    if getrandom::fill(&mut bytes).is_err() {
        return quick_u128();
    }
    u128::from_le_bytes(bytes)
}

/// A sequence for each thread (splitmix64 twice), seeded by the operating system once.
fn quick_u128() -> u128 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let next = |state: &Cell<u64>| {
        if state.get() == 0 {
            let mut seed = [0; 8];
            let _ = getrandom::fill(&mut seed);
            let here = std::ptr::from_ref(state).addr() as u64;
            state.set(u64::from_le_bytes(seed) ^ here | 1);
        }
        state.set(state.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut z = state.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    STATE.with(|state| (u128::from(next(state)) << 64) | u128::from(next(state)))
}
