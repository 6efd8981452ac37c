DROP TABLE esito_riepilogo;
DROP TABLE scadenza;
DROP TABLE riepilogo;
DROP TABLE feed_mark;
DROP TABLE staff_session;
DROP TABLE staff_scope;
DROP TABLE staff_account;
