DROP INDEX call_entry_user;
DROP INDEX esito_unknown;
DROP INDEX esito_accepted;
