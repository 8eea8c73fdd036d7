//! See `authx_fuzz::model_json`.
#![no_main]

mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::watch(|| authx_fuzz::model_json::hold(data)));
