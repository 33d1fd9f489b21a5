//! Tests of the mapping as a whole.

mod shipped;
