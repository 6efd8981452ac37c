-- From here on payload_format may be 2: a program that carries no dictionary must not open the database.
SELECT 1;
