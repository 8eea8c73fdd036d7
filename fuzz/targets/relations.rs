//! See `authx_fuzz::relations`.
#![no_main]

mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::watch(|| authx_fuzz::relations::hold(data)));
