//! The product from outside: HTTP, command line, database files, on both databases.
mod siuss;
