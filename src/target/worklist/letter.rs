//! The list as a letter to the application's administrator: what is to be done, as text and as data for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::book::{self, Field, Task};
use super::{order::in_order, render};
use crate::target::ConnectorError;
use crate::target::settings::WorkListSettings;

/// The open tasks of a list, for whoever works through it.
#[derive(Clone, PartialEq, Debug)]
pub struct Bulletin {
    /// The ids of its tasks.
    pub tasks: BTreeSet<String>,
    /// One line.
    pub subject: String,
    /// The list as text.
    pub body: String,
    /// The list as data: an array of tasks in their order.
    pub data: Json,
}

/// What a list asks for now.
///
/// # Errors
/// When its book cannot be read.
pub fn bulletin(settings: &WorkListSettings) -> Result<Bulletin, ConnectorError> {
    let book = book::read(&settings.path)?;
    let open = in_order(&book);
    let title = render::line(&settings.title);
    let subject = format!("{title}: {} to do", open.len());
    let mut body =
        format!("{subject}. Work from the top: what stands first frees what later tasks need.\n");
    let mut data = Vec::new();
    for (n, task) in open.iter().enumerate() {
        let steps = settings
            .steps
            .get(&task.kind)
            .map_or(&[][..], Vec::as_slice);
        one(&mut body, n + 1, task, steps);
        data.push(machine(task, steps));
    }
    Ok(Bulletin {
        tasks: open.iter().map(|task| task.id.clone()).collect(),
        subject,
        body,
        data: Json::Array(data),
    })
}

fn one(body: &mut String, n: usize, task: &Task, steps: &[String]) {
    _ = writeln!(
        body,
        "\n{n}. {} {}",
        task.kind.as_str(),
        render::line(&task.account)
    );
    if let Some(due) = &task.due {
        _ = writeln!(body, "   {} {}", render::by(task), render::line(due));
    }
    if !task.after.is_empty() {
        _ = writeln!(body, "   after task {}", task.after.join(", "));
    }
    for field in &task.fields {
        _ = writeln!(body, "   {}", field_line(field));
    }
    for step in steps {
        _ = writeln!(body, "   - {}", render::line(step));
    }
    for note in &task.notes {
        _ = writeln!(body, "   ! {}", render::line(note));
    }
    _ = writeln!(
        body,
        "   When it is done: provost worklist done {}",
        task.id
    );
}

fn field_line(field: &Field) -> String {
    let shown = |value: &Option<crate::model::Value>, none: &str| match value {
        Some(value) => format!("\"{}\"", render::line(&value.to_string())),
        None => none.to_owned(),
    };
    let now = match &field.before {
        Some(_) => format!(" (now {})", shown(&field.before, "")),
        None => String::new(),
    };
    let after = shown(&field.after, "leave empty");
    format!("{}: {after}{now}", render::line(&field.name))
}

fn machine(task: &Task, steps: &[String]) -> Json {
    let fields = task.fields.iter().map(|field| {
        let text = |value: &Option<crate::model::Value>| value.as_ref().map(ToString::to_string);
        json!({"field": field.name, "from": text(&field.before), "to": text(&field.after)})
    });
    json!({
        "task": task.id,
        "do": task.kind.as_str(),
        "account": task.account,
        "fields": fields.collect::<Json>(),
        "after": task.after,
        "due": task.due,
        "not_before": task.not_before.map(|at| at.to_string()),
        "notes": task.notes,
        "steps": steps,
    })
}
