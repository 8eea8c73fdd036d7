//! See `authx_fuzz::request_json`.
#![no_main]

mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::watch(|| authx_fuzz::request_json::hold(data)));
