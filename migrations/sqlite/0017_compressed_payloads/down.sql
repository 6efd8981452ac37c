-- The program has written every payload as plain XML before (src/store/payloads.rs): SQL cannot.
SELECT 1;
