//! See `authx_fuzz::tuple_text`.
#![no_main]

mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::watch(|| authx_fuzz::tuple_text::hold(data)));
