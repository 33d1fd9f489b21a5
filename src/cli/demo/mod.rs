//! `provost demo`: a company of 300 people, a practice application, and the whole life cycle for real.

mod company;
mod ldif;
