//! What Prometheus reads while the service works.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::{Service, target};
use crate::company::Company;
use crate::support::{ScimKind, ScimServer};

const NOON: &str = "2026-11-22T12:00:00Z";

fn company(people: usize) -> Company {
    let mut company = Company::new(people);
    company.service = "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"0s\"\n\
                       [metrics]\nlisten = \"127.0.0.1:0\""
        .to_owned();
    company
}

/// The page, as a scraper gets it.
fn page(status: &Value) -> String {
    let url = status["service"]["metrics"].as_str().unwrap();
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

fn holds(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[test]
fn prometheus_reads_figures_that_move() {
    let mut company = company(6);
    company.person(2).until = Some("20261122180000Z".to_owned());
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    service.clock("2026-11-22T18:00:20Z");
    let status = service.await_rest("2026-11-22T18:00:20Z");
    let page = page(&status);
    holds(
        &page,
        &[
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "provost_source_entries{source=\"company\"}",
            "provost_source_read_seconds_count{source=\"company\",result=\"complete\"} 1",
            "provost_target_managed{target=\"app\"} 6",
            "provost_target_last_outcome{target=\"app\",outcome=\"applied\"} 1",
            "provost_changes_total{target=\"app\",action=\"create\",reason=\"joiner\",result=\"done\"} 6",
            "provost_runs_total{target=\"app\",cause=\"edge\",outcome=\"applied\"} 1",
            "provost_window_lateness_seconds_count{target=\"app\"} 1",
            "provost_suspension_latency_seconds_count{target=\"app\"} 1",
            "provost_config_broken 0",
            "# EOF",
        ],
    );
    assert!(!page.contains("p002"), "{page}");
    assert_eq!(target(&status, "app")["suspended"], 1);
}

#[test]
fn requests_to_an_application_are_timed_by_how_they_end_and_go_on_over_a_reload() {
    let mut server = ScimServer::start(ScimKind::Scim2Server);
    let mut company = company(5);
    std::fs::write(
        company.dir().join("crm.toml"),
        include_str!("../cycle/mapping.toml"),
    )
    .unwrap();
    let application = |budget: u32| {
        format!(
            "\n[[target]]\nname = \"crm\"\ntype = \"scim\"\nsource = \"company\"\nmapping = \"crm.toml\"\npolicy = \"sync\"\n\
             url = \"{}\"\nreview-first-run = false\nrequests-per-second = {budget}\nprotected-accounts = [\"nobody\"]\n\n\
             [target.auth]\ntype = \"bearer\"\ntoken = \"env:CRM_SECRET\"\n",
            server.base_url
        )
    };
    company.tables = application(20);
    company.publish();
    let service = Service::start_with(&company, NOON, |command| {
        command.env("CRM_SECRET", &server.token)
    });
    let status = service.await_rest(NOON);
    assert_eq!(target(&status, "crm")["managed"], 5, "{status:#}");
    let text = page(&status);
    holds(
        &text,
        &[
            "# TYPE provost_http_request_duration_seconds histogram",
            "provost_http_request_duration_seconds_bucket{le=\"+Inf\",target=\"crm\",outcome=\"success\"}",
            "provost_http_throttled_total{target=\"crm\"} 0",
            "provost_http_waited_seconds_total{target=\"crm\"}",
        ],
    );
    let successes = |page: &str| -> u64 {
        let name =
            "provost_http_request_duration_seconds_count{target=\"crm\",outcome=\"success\"} ";
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{page}")).parse().unwrap()
    };
    let before = successes(&text);
    company.tables = application(19);
    company.publish();
    // The token stays in the environment of the service, which reads it again.
    let reload = crate::cli::provost(company.dir(), &["--socket", "state/control.sock", "reload"]);
    assert_eq!(reload.status.code(), Some(0));
    server.process().kill();
    service.clock("2026-11-23T03:00:00Z");
    service.await_status("the failure", |status| {
        page(status).contains("target=\"crm\",outcome=\"unreached\"} ")
    });
    let text = page(&service.status());
    assert!(successes(&text) >= before, "{text}");
}
