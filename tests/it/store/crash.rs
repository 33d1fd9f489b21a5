//! A process killed while it commits: what it had acknowledged is there, and nothing is half there.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use provost::model::Value;
use provost::store::OpId;

use super::{all, anchor, dir, hold, intent, put, shadow};

const CHILD: &str = "PROVOST_TEST_COMMITS_IN";
/// How many processes are killed.
const KILLS: usize = 24;
/// People whose accounts are changed; each round changes some.
const PEOPLE: usize = 40;
const PER_ROUND: usize = 8;

/// Whose accounts a round changes.
fn round(n: usize) -> impl Iterator<Item = usize> {
    (0..PER_ROUND).map(move |i| (n * PER_ROUND + i) % PEOPLE)
}

/// Does nothing unless it is the child: then it commits and says so until it is killed.
#[test]
fn commits_until_it_is_killed() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment is how this test tells its child what to do"
    )]
    let told = std::env::var_os(CHILD);
    let Some(path) = told else {
        assert_eq!(PEOPLE % PER_ROUND, 0, "a round never meets itself");
        return;
    };
    let state = hold(Path::new(&path)).unwrap();
    let started = usize::try_from(state.next_run().unwrap()).unwrap();
    for n in started * 1000.. {
        let intents: Vec<_> = round(n).map(intent).collect();
        let ops = state.intend("crm", 1, &intents).unwrap();
        println!("begun {n} {}", ops[0].0);
        let text = format!("{n:08}");
        let done = ops
            .iter()
            .zip(round(n))
            .map(|(&op, who)| put(Some(op), who, &text));
        state.conclude("crm", done.collect()).unwrap();
        println!("done {n}");
        if n % 5 == 0 {
            state.compact().unwrap();
        }
    }
}

fn child(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::crash::commits_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let (_root, path) = dir();
    let mut acknowledged: BTreeMap<usize, usize> = BTreeMap::new();
    for kill in 0..KILLS {
        let mut child = child(&path);
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut begun: Option<(usize, OpId)> = None;
        let mut lines = 0;
        for line in output.lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["begun", n, op] => begun = Some((n.parse().unwrap(), OpId(op.parse().unwrap()))),
                ["done", n] => {
                    let n: usize = n.parse().unwrap();
                    begun = None;
                    acknowledged.extend(round(n).map(|who| (who, n)));
                }
                _ => continue,
            }
            lines += 1;
            if lines == kill + 1 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let state = hold(&path).unwrap();
        let shadows = all(&state, "crm").unwrap();
        for (&who, &n) in &acknowledged {
            let found = shadows.get(&anchor(who)).unwrap();
            let Some(Value::Text(text)) = found.attributes.get("userName") else {
                panic!("a torn shadow: {found:?}");
            };
            assert_eq!(found, &shadow(who, text), "a torn shadow");
            assert!(
                text.parse::<usize>().unwrap() >= n,
                "an acknowledged conclusion was lost"
            );
        }
        if let Some((n, first)) = begun {
            let open = state.open_intents("crm").unwrap();
            let concluded = round(n).all(|who| {
                let text = shadows
                    .get(&anchor(who))
                    .and_then(|s| s.attributes.get("userName"));
                text == Some(&Value::Text(format!("{n:08}")))
            });
            let kept = open.iter().any(|(op, _)| *op == first);
            assert_ne!(
                concluded, kept,
                "an intent is open exactly if it was not concluded"
            );
        }
        let verified = state.verify().unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
    assert!(!acknowledged.is_empty());
}
