//! `provost delivery`: what became of letters, trying again, and a test letter. Shows addresses, never passwords.

use comfy_table::{Table, presets};
use secrecy::SecretString;

use crate::config::Config;
use crate::deliver::{Message, Post};
use crate::engine::{Clock, Posted, Standing};
use crate::model::Outcome;
use crate::reconcile::letters::judge_address;
use crate::report::safe;

use super::args::{self, DeliveryCommand, Global};
use super::out::Out;
use super::{Stop, engine, load};

pub(super) fn run(args: &args::Delivery, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    match &args.command {
        DeliveryCommand::List => list(global, out),
        DeliveryCommand::Retry => retry(global, out),
        DeliveryCommand::Test { to } => test(to, global, out),
    }
}

fn list(global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let letters = engine::session(global)?.letters()?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["target", "letter", "for", "to", "written", "state"]);
    for letter in &letters {
        table.add_row([
            safe::text(&letter.target),
            letter.kind.to_string(),
            safe::text(&letter.person),
            safe::text(if letter.to.is_empty() {
                "-"
            } else {
                &letter.to
            }),
            letter.written.to_string(),
            state(letter),
        ]);
    }
    out.report(&format!("{}\n{} letters", table.trim_fmt(), letters.len()))?;
    Ok(Outcome::NothingToDo)
}

fn state(letter: &Posted) -> String {
    match &letter.standing {
        Standing::Waiting { tries: 0, .. } => "waits".to_owned(),
        Standing::Waiting { tries, next, why } => {
            format!(
                "waits until {next} after {tries} tries: {}",
                safe::text(why)
            )
        }
        Standing::Handed { at } => format!("handed over {at}"),
        Standing::GivenUp { at, why } => format!("given up {at}: {}", safe::text(why)),
    }
}

fn retry(global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let count = engine::session(global)?.retry_letters()?;
    out.report(&format!(
        "{count} letters are tried again by the next `provost sync`."
    ))?;
    Ok(Outcome::Applied)
}

fn test(to: &str, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    judge_address(to).map_err(|_why| Stop::failed("--to must be one plain mail address"))?;
    let config = load::config(global)?;
    let (post, place) = post(&config)?;
    let id: [u8; 16] = crate::random::array().map_err(Stop::failed)?;
    let id: String = id.iter().map(|b| format!("{b:02x}")).collect();
    let body = SecretString::from(
        "This is a test letter of Provost.\nIt carries no password, and nothing else was done.\n",
    );
    let message = Message {
        id: &id,
        at: Clock::System.now(),
        kind: "test",
        target: "test",
        to,
        person: "",
        login: "",
        subject: "A test letter of Provost",
        body: &body,
        password: None,
        tasks: None,
    };
    let sent = engine::block_on(async { Ok(post.send(&message).await) })?;
    sent.map_err(|error| Stop::failed(format!("{place}: {error}")))?;
    out.report(&format!(
        "The test letter was handed over to {place} for {to}, under the id {id}."
    ))?;
    Ok(Outcome::Applied)
}

/// The way letters go, and its name.
pub(super) fn post(config: &Config) -> Result<(Post, String), Stop> {
    let Some(delivery) = &config.delivery else {
        return Err(Stop::Said(
            Outcome::ConfigInvalid,
            "provost: there is no [delivery] in the configuration".to_owned(),
        ));
    };
    let post = Post::open(&delivery.settings).map_err(Stop::failed)?;
    Ok((post, delivery.settings.place()))
}
