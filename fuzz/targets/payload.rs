#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| waas_comuni_fuzz::payload(input));
