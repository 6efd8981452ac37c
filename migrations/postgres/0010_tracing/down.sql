DROP TABLE tracing_turn;
DROP TABLE tracing_day;
