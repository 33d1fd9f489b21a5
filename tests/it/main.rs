//! The one integration-test binary. Each module is an area; support code is in `support`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing test says why by panicking"
)]

mod access;
mod apps;
mod boot;
mod canary;
mod cli;
mod clock;
mod company;
mod config;
mod contract;
mod cycle;
mod daemon;
mod demo;
mod documents;
mod engine;
mod guard;
mod http;
mod http_app;
mod ldap;
mod letters;
mod network;
mod orders;
mod page;
mod paste;
mod profiles;
mod properties;
mod recovery;
mod sandbox;
mod scenarios;
mod scim;
mod servers;
mod sims;
mod store;
mod support;
mod suspension;
mod systemd;
mod terminal;
mod tidy;
mod vault;
mod windows;
