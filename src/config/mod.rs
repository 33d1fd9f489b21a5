//! Configuration: raw as written, valid as used; every problem at once, with file, line and column.
