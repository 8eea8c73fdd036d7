//! See `authx_fuzz::policy_text`.
#![no_main]

mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::watch(|| authx_fuzz::policy_text::hold(data)));
