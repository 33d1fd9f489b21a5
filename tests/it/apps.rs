//! The applications that Provost exists for: shipped mappings and profiles through the real binary, against simulators.

mod collisions;
mod company;
mod contract;
mod emdecs;
mod emdecs_crash;
mod emdecs_dates;
mod facts;
mod heirs;
mod hr;
mod ldap;
mod leaver_crash;
mod leavers;
mod leaving;
mod licences;
mod others;
mod servicetrade;
mod story;
mod three;
mod worklist;
mod worklist_more;
mod worklist_sent;

/// The number of guesses may only go down by evidence, so it stands where everybody sees it.
#[test]
fn the_assumed_facts_are_counted_in_the_readme() {
    let pages =
        ["README.md", "docs/applications.md"].map(|page| std::fs::read_to_string(page).unwrap());
    for (name, shown) in [
        ("servicetrade", "ServiceTrade"),
        ("securitytrax", "SecurityTrax"),
        ("smartertrack", "SmarterTrack"),
        ("salestrekker", "Salestrekker"),
    ] {
        let path = format!("config/examples/{name}.toml");
        let loaded = provost::config::load(
            std::path::Path::new(&path),
            provost::config::Secrets::CheckFormOnly,
        );
        let config = loaded
            .unwrap_or_else(|problems| panic!("{path}:\n{problems}"))
            .config;
        let assumed = config.targets[0].connector.assumed().len();
        for page in &pages {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| {shown} |")))
                .unwrap();
            assert!(
                row.contains(&format!("| {assumed} |")),
                "{shown} rests on {assumed} assumed facts: {row}"
            );
        }
    }
}
