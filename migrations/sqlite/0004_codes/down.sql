DROP TABLE codes_table;
