DROP INDEX call_entry_pages;
