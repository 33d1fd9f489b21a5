//! The work list as people get it: one HTML page without anything from elsewhere, and CSV that no spreadsheet executes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::book::{Field, Kind, Task};
use crate::model::Value;
use crate::target::ConnectorError;

/// The columns of the CSV file.
const HEADER: [&str; 11] = [
    "order",
    "task",
    "do",
    "account",
    "field",
    "from",
    "to",
    "after",
    "due",
    "notes",
    "not_before",
];

/// What is to be done, as CSV: one line per field, and one for a task without fields.
pub(super) fn csv(tasks: &[&Task]) -> Result<Vec<u8>, ConnectorError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let unwritable =
        |e: csv::Error| ConnectorError::Transient(format!("the list cannot be written: {e}"));
    writer.write_record(HEADER).map_err(unwritable)?;
    for (n, task) in tasks.iter().enumerate() {
        let none = Field {
            name: String::new(),
            before: None,
            after: None,
        };
        let fields = if task.fields.is_empty() {
            std::slice::from_ref(&none)
        } else {
            &task.fields
        };
        for field in fields {
            let cells = [
                (n + 1).to_string(),
                task.id.clone(),
                task.kind.as_str().to_owned(),
                task.account.clone(),
                field.name.clone(),
                shown(field.before.as_ref()),
                shown(field.after.as_ref()),
                task.after.join(" "),
                task.due.clone().unwrap_or_default(),
                task.notes.join(" "),
                task.not_before.map(|at| at.to_string()).unwrap_or_default(),
            ];
            writer
                .write_record(cells.map(harmless))
                .map_err(unwritable)?;
        }
    }
    writer
        .into_inner()
        .map_err(|e| ConnectorError::Transient(format!("the list cannot be written: {e}")))
}

/// A spreadsheet takes a cell that begins so for a formula: an apostrophe in front makes it text.
fn harmless(cell: String) -> String {
    let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
    if risky { format!("'{cell}") } else { cell }
}

fn shown(value: Option<&Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// What is to be done, as one page. Nothing is loaded and no script runs.
pub(super) fn html(
    title: &str,
    tasks: &[&Task],
    steps: &BTreeMap<Kind, Vec<String>>,
    now: Timestamp,
) -> String {
    let mut page = String::from(HEAD);
    _ = writeln!(
        page,
        "<h1>{}</h1><p>{} to do, as of {}. Work from the top: what stands first frees what later tasks need.</p>",
        text(title),
        if tasks.len() == 1 {
            "1 task".to_owned()
        } else {
            format!("{} tasks", tasks.len())
        },
        text(&now.strftime("%Y-%m-%d %H:%M UTC").to_string()),
    );
    for (n, task) in tasks.iter().enumerate() {
        one(&mut page, n + 1, task, steps.get(&task.kind));
    }
    if tasks.is_empty() {
        page.push_str("<p>Nothing is to be done.</p>\n");
    }
    page.push_str("</body></html>\n");
    page
}

fn one(page: &mut String, n: usize, task: &Task, steps: Option<&Vec<String>>) {
    _ = write!(
        page,
        "<section><h2>&#9744; {n}. {} <code>{}</code></h2><p>Task <code>{}</code>",
        text(task.kind.as_str()),
        text(&task.account),
        text(&task.id)
    );
    if let Some(due) = &task.due {
        _ = write!(page, ", {} <b>{}</b>", by(task), text(due));
    }
    if !task.after.is_empty() {
        _ = write!(
            page,
            ", after task <code>{}</code>",
            text(&task.after.join(", "))
        );
    }
    page.push_str(".</p>\n");
    if !task.fields.is_empty() {
        page.push_str("<table><tr><th>Field</th><th>Now</th><th>Enter</th></tr>");
        for field in &task.fields {
            _ = write!(
                page,
                "<tr><td>{}</td><td>{}</td><td><b>{}</b></td></tr>",
                text(&field.name),
                text(&shown(field.before.as_ref())),
                field.after.as_ref().map_or_else(
                    || "<i>leave empty</i>".to_owned(),
                    |after| text(&after.to_string())
                ),
            );
        }
        page.push_str("</table>\n");
    }
    if let Some(steps) = steps.filter(|steps| !steps.is_empty()) {
        page.push_str("<ol>");
        for step in steps {
            _ = write!(page, "<li>{}</li>", text(step));
        }
        page.push_str("</ol>\n");
    }
    for note in &task.notes {
        _ = writeln!(page, "<p class=\"note\">{}</p>", text(note));
    }
    _ = writeln!(
        page,
        "<p class=\"tick\">When it is done: <code>provost worklist done {}</code></p></section>",
        text(&task.id)
    );
}

/// What stands before the deadline of a task.
pub(super) fn by(task: &Task) -> &'static str {
    match task.not_before {
        Some(_) => "not before, and at once at",
        None => "by",
    }
}

/// Text that stays text: escaped, and without characters that change how what follows is read.
fn text(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                _ = write!(safe, "[U+{:04X}]", u32::from(c));
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Text in one line of plain text: nothing in it ends the line or changes how what follows is read.
pub(super) fn line(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                _ = write!(safe, "[U+{:04X}]", u32::from(c));
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

const HEAD: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Work list</title><style>\
body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#222}\
section{border-top:1px solid #bbb;padding:.5em 0;break-inside:avoid}h2{font-size:1.1em;margin:.3em 0}\
table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left;vertical-align:top}\
.note{color:#a00}.tick{color:#666;font-size:.85em}</style></head><body>\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::worklist::book::Standing;

    fn task(account: &str, after: &str) -> Task {
        Task {
            id: "0a1b2c3d".to_owned(),
            kind: Kind::Create,
            account: account.to_owned(),
            fields: vec![Field {
                name: "name".to_owned(),
                before: None,
                after: Value::text(after),
            }],
            notes: Vec::new(),
            after: Vec::new(),
            takes: Default::default(),
            frees: Default::default(),
            due: None,
            not_before: None,
            since: None,
            standing: Standing::Open,
        }
    }

    #[test]
    fn hostile_text_stays_text_in_html() {
        let task = task("<script>alert(1)</script>", "\u{202e}gnp.exe\" onload='x'");
        let page = html("A & B", &[&task], &BTreeMap::new(), Timestamp::UNIX_EPOCH);
        assert!(!page.contains("<script>"));
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert!(page.contains("[U+202E]gnp.exe&quot; onload=&#39;x&#39;"));
        assert!(page.contains("A &amp; B"));
    }

    #[test]
    fn formulas_stay_text_in_csv() {
        for hostile in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "|x"] {
            let task = task(hostile, hostile);
            let text = String::from_utf8(csv(&[&task]).unwrap()).unwrap();
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(&record[3], format!("'{hostile}"));
            assert_eq!(&record[6], format!("'{hostile}"));
        }
    }
}
