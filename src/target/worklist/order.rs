//! The order of a list: what frees licences first, what waits for another task after that one, and what is not to be done
//! yet behind everything that is.

use std::collections::BTreeSet;

use super::book::{Book, Task};

/// What is to be done, in the order in which it is to be done.
pub(super) fn in_order(book: &Book) -> Vec<&Task> {
    let mut open: Vec<&Task> = book.tasks.iter().filter(|task| task.is_open()).collect();
    open.sort_by_key(|task| {
        let later = task.not_before.is_some();
        (later, task.not_before, task.kind, &task.account, &task.id)
    });
    let mut ordered = Vec::with_capacity(open.len());
    let mut placed = BTreeSet::new();
    for task in &open {
        place(task, &open, &mut placed, &mut ordered);
    }
    ordered
}

/// Places a task behind those that it waits for.
fn place<'a>(
    task: &'a Task,
    open: &[&'a Task],
    placed: &mut BTreeSet<&'a str>,
    ordered: &mut Vec<&'a Task>,
) {
    if !placed.insert(&task.id) {
        return;
    }
    for id in &task.after {
        if let Some(first) = open.iter().find(|other| other.id == *id) {
            place(first, open, placed, ordered);
        }
    }
    ordered.push(task);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::worklist::book::{Kind, Standing};

    fn task(id: &str, kind: Kind, account: &str, after: &[&str]) -> Task {
        Task {
            id: id.to_owned(),
            kind,
            account: account.to_owned(),
            fields: Vec::new(),
            notes: Vec::new(),
            after: after.iter().map(|id| (*id).to_owned()).collect(),
            takes: BTreeSet::new(),
            frees: BTreeSet::new(),
            due: None,
            not_before: None,
            since: None,
            standing: Standing::Open,
        }
    }

    fn order(tasks: Vec<Task>) -> Vec<String> {
        let book = Book {
            tasks,
            ..Book::default()
        };
        let ordered = in_order(&book).into_iter();
        ordered.map(|task| task.id.clone()).collect()
    }

    #[test]
    fn what_is_waited_for_comes_first() {
        let tasks = vec![
            task("create", Kind::Create, "a", &["second"]),
            task("first", Kind::Change, "b", &["second"]),
            task("second", Kind::Change, "c", &[]),
            task("disable", Kind::Disable, "d", &[]),
        ];
        assert_eq!(order(tasks), ["disable", "second", "first", "create"]);
    }

    #[test]
    fn what_is_not_to_be_done_yet_comes_last_by_its_moment() {
        let mut tasks = vec![
            task("tonight", Kind::Disable, "a", &[]),
            task("now", Kind::Renew, "b", &[]),
            task("tomorrow", Kind::Enable, "c", &[]),
        ];
        tasks[0].not_before = jiff::Timestamp::from_second(100).ok();
        tasks[2].not_before = jiff::Timestamp::from_second(50).ok();
        assert_eq!(order(tasks), ["now", "tomorrow", "tonight"]);
    }

    #[test]
    fn tasks_that_wait_for_one_another_are_all_listed() {
        let tasks = vec![
            task("one", Kind::Change, "a", &["two"]),
            task("two", Kind::Change, "b", &["one"]),
        ];
        assert_eq!(order(tasks), ["two", "one"]);
    }
}
