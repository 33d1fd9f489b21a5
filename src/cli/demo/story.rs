//! What happens at the company, step by step. Each step edits the LDIF file and runs real commands.

use crate::model::Outcome;
use crate::report::safe;

use super::super::args::{Apply, Explain, Files, Targets};
use super::super::{Stop, apply, explain, plan, sync};
use super::company::{Person, SIZE, company, login};
use super::{Out, Stage};

/// The target of the demo.
const TARGET: &str = "practice";
/// How many changes of each action are shown in full.
const SHOWN: usize = 2;
/// Who changes name and department.
const MOVER: usize = 61;
/// Who leaves and comes back.
const LEAVER: usize = 123;

pub(super) fn tell(stage: &Stage, out: &mut Out) -> Result<Outcome, Stop> {
    out.look.changes_per_action = Some(SHOWN);
    let mut people = company();
    first_day(stage, &people, out)?;
    joiner(stage, &mut people, out)?;
    mover(stage, &mut people, out)?;
    let gone = leaver(stage, &mut people, out)?;
    people.push(gone);
    rehire(stage, &people, out)?;
    scene(
        out,
        "And again: nothing is left to do",
        &["The same question once more: the plan is empty."],
    )?;
    command(stage, out, "plan")?;
    let outcome = plan::show(&targets(), &stage.global, out)?.outcome;
    closing(stage, out)?;
    Ok(outcome)
}

fn first_day(stage: &Stage, people: &[Person], out: &mut Out) -> Result<(), Stop> {
    stage.publish(people)?;
    scene(
        out,
        "The first plan",
        &[
            "300 people in a directory (company.ldif), an empty application (practice.json).",
            "Nothing is changed yet: a first run waits until somebody has looked at it.",
        ],
    )?;
    command(stage, out, "plan")?;
    let digest = plan::show(&targets(), &stage.global, out)?.digest;
    let digest = digest.ok_or_else(|| Stop::failed("the demo's first plan is missing"))?;
    scene(
        out,
        "Applying exactly that plan",
        &["Naming the digest approves these changes and no others."],
    )?;
    let approve = Apply {
        targets: vec![TARGET.to_owned()],
        plan: Some(digest.clone()),
        yes: false,
        live: false,
    };
    command(stage, out, &format!("apply {TARGET} --plan {digest}"))?;
    apply::run(&approve, &stage.global, out)?;
    Ok(())
}

fn joiner(stage: &Stage, people: &mut Vec<Person>, out: &mut Out) -> Result<(), Stop> {
    let (given, family) = ("Noor", "el-Amin");
    people.push(Person {
        number: SIZE,
        given: given.to_owned(),
        family: family.to_owned(),
        login: login(given, family),
        title: "Engineer".to_owned(),
        department: 2,
        external: false,
        manager: Some(2),
    });
    stage.publish(people)?;
    scene(out, "A joiner: Noor el-Amin starts in engineering", &[])?;
    run_sync(stage, out)
}

fn mover(stage: &Stage, people: &mut [Person], out: &mut Out) -> Result<(), Stop> {
    let mover = find(people, MOVER)?;
    let before = name(mover);
    "Lindström-Okafor".clone_into(&mut mover.family);
    mover.login = login(&mover.given, &mover.family);
    mover.department = 4;
    mover.manager = Some(4);
    "Controller".clone_into(&mut mover.title);
    let title = format!("A mover: {before} marries and goes to finance");
    let anchor = mover.anchor().to_string();
    stage.publish(people)?;
    scene(
        out,
        &title,
        &["The DN changes as well. The account stays the same, because the anchor does."],
    )?;
    run_sync(stage, out)?;
    scene(out, "Why? Everything about one person", &[])?;
    command(stage, out, &format!("explain {anchor}"))?;
    let person = Explain {
        person: anchor,
        target: Some(TARGET.to_owned()),
    };
    explain::run(&person, &stage.global, out)?;
    Ok(())
}

fn leaver(stage: &Stage, people: &mut Vec<Person>, out: &mut Out) -> Result<Person, Stop> {
    let at = people.iter().position(|p| p.number == LEAVER);
    let at = at.ok_or_else(|| Stop::failed("the demo's leaver is missing"))?;
    let gone = people.remove(at);
    stage.publish(people)?;
    let title = format!("A leaver: {} is gone from the directory", name(&gone));
    scene(
        out,
        &title,
        &["Absence needs proof: after one complete read the person is only held."],
    )?;
    run_sync(stage, out)?;
    scene(out, "The second complete read confirms it", &[])?;
    run_sync(stage, out)?;
    Ok(gone)
}

fn rehire(stage: &Stage, people: &[Person], out: &mut Out) -> Result<(), Stop> {
    stage.publish(people)?;
    let back = people.last().map(name).unwrap_or_default();
    let title = format!("A rehire: {back} is back");
    scene(
        out,
        &title,
        &["The same anchor, so the same account, usable again because it was us who suspended it."],
    )?;
    run_sync(stage, out)
}

fn closing(stage: &Stage, out: &mut Out) -> Result<(), Stop> {
    let dir = stage.dir.display();
    let config = format!("provost --config {dir}/provost.toml");
    out.report(&format!(
        "\n\
         Everything is in {dir}: company.ldif, practice.json, provost.toml, sandbox.toml, state.\n\
         Edit company.ldif or sandbox.toml and play on:\n\
         \n\
         \x20 {config} plan\n\
         \x20 {config} sync\n\
         \x20 {config} plan --live --json\n\
         \x20 {config} explain zo.obrien\n\
         \x20 {config} status\n\
         \x20 {config} state show {TARGET}\n"
    ))?;
    Ok(())
}

/// A heading with what there is to know before looking.
fn scene(out: &mut Out, title: &str, remarks: &[&str]) -> Result<(), Stop> {
    let line = "=".repeat(title.chars().count());
    let mut text = format!("\n{}\n{line}\n", safe::text(title));
    for remark in remarks {
        text.push_str(remark);
        text.push('\n');
    }
    Ok(out.report(&text)?)
}

/// The command that a person would type for what follows.
fn command(stage: &Stage, out: &mut Out, line: &str) -> Result<(), Stop> {
    let config = stage.global.config.display();
    Ok(out.report(&format!("\n$ provost --config {config} {line}\n"))?)
}

fn run_sync(stage: &Stage, out: &mut Out) -> Result<(), Stop> {
    command(stage, out, "sync")?;
    sync::run(&targets(), &stage.global, out)?;
    Ok(())
}

fn targets() -> Targets {
    Targets {
        targets: Vec::new(),
        live: false,
        files: Files::default(),
    }
}

fn find(people: &mut [Person], number: usize) -> Result<&mut Person, Stop> {
    let found = people.iter_mut().find(|p| p.number == number);
    found.ok_or_else(|| Stop::failed("a person of the demo is missing"))
}

fn name(person: &Person) -> String {
    format!("{} {}", person.given, person.family)
}
