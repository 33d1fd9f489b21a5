//! What the page template is given: texts and numbers, each already in words. Nothing here is escaped; the template does that.

use serde::Serialize;

/// How something is meant: it picks a colour, and no meaning is carried by colour alone.
pub(super) type Tone = &'static str;

#[derive(Debug, Serialize)]
pub(super) struct Page {
    pub title: String,
    pub outcome: String,
    pub tone: Tone,
    pub made: String,
    pub targets: Vec<Target>,
    pub footer: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Target {
    pub name: String,
    pub outcome: String,
    pub tone: Tone,
    pub error: Option<String>,
    pub alerts: Vec<String>,
    pub tiles: Vec<Tile>,
    pub facts: Vec<Fact>,
    pub bars: Vec<Bar>,
    pub limits: Vec<Limit>,
    pub breaches: Vec<String>,
    pub release: Option<String>,
    pub weeks: Vec<super::Week>,
    pub groups: Vec<Group>,
    pub lists: Vec<List>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tile {
    pub count: usize,
    pub name: String,
    pub tone: Tone,
}

#[derive(Debug, Serialize)]
pub(super) struct Fact {
    pub name: &'static str,
    pub text: String,
}

/// One action: a bar as wide as its share of the longest, divided by reason.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    pub name: &'static str,
    pub count: usize,
    pub width: usize,
    pub parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
pub(super) struct Part {
    pub name: &'static str,
    pub count: usize,
    pub shade: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Limit {
    pub name: String,
    pub count: usize,
    pub allowed: usize,
    pub left: usize,
    pub width: usize,
    pub over: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub name: &'static str,
    pub count: usize,
    pub open: bool,
    pub changes: Vec<Change>,
    pub more: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub label: String,
    pub reason: &'static str,
    pub tone: Tone,
    pub waits: bool,
    pub result: Option<&'static str>,
    pub result_tone: Tone,
    pub who: String,
    pub lines: Vec<String>,
    pub attributes: Vec<Attribute>,
}

#[derive(Debug, Serialize)]
pub(super) struct Attribute {
    pub name: String,
    pub before: String,
    pub after: String,
    pub identifier: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct List {
    pub name: &'static str,
    pub about: &'static str,
    pub count: usize,
    pub open: bool,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
    pub more: usize,
}
