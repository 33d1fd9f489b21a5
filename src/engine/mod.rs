//! The flow of one run, and applying an approved plan. The only room that sees both the core and the outside.
