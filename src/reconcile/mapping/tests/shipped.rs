//! The mapping files that ship with the program compile and pass their own tests.

use crate::reconcile::mapping::Mapping;

const SHIPPED: &[(&str, &str)] = &[
    ("sandbox", include_str!("../../../../mappings/sandbox.toml")),
    (
        "scim-active-directory",
        include_str!("../../../../mappings/scim-active-directory.toml"),
    ),
    (
        "scim-openldap",
        include_str!("../../../../mappings/scim-openldap.toml"),
    ),
];
const REFERENCE: &str = include_str!("../../../../mappings/README.md");

fn compiled(name: &str, text: &str) -> Mapping {
    Mapping::compile(text).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"))
}

#[test]
fn shipped_files_compile_and_pass_their_own_tests() {
    for (name, text) in SHIPPED {
        let mapping = compiled(name, text);
        assert_eq!(mapping.run_tests(), [], "{name}");
        assert!(mapping.test_count() > 2, "{name}");
    }
}

#[test]
fn shipped_files_mark_their_accounts_with_the_anchor() {
    for (name, text) in SHIPPED {
        let mapping = compiled(name, text);
        let first = mapping.match_rules().first().unwrap();
        assert!(first.adopt, "{name}");
        let mark = mapping
            .rules()
            .iter()
            .find(|rule| rule.name == first.account);
        assert!(mark.is_some_and(|rule| rule.immutable), "{name}");
    }
}

#[test]
fn the_reference_names_every_filter_function_and_test() {
    use super::super::{convert, facts, filters};
    let lists = [
        filters::NAMES,
        convert::FUNCTIONS,
        convert::TESTS,
        facts::VARIABLES,
    ];
    for name in lists.iter().flat_map(|list| list.iter()) {
        let written = [
            format!("`{name}`"),
            format!("`{name}("),
            format!("| {name}"),
        ];
        let found = written.iter().any(|form| REFERENCE.contains(form));
        assert!(found, "mappings/README.md does not explain \"{name}\"");
    }
}

#[test]
fn the_examples_of_the_reference_compile() {
    let mut examples = 0;
    for block in REFERENCE.split("```toml").skip(1) {
        let (example, _) = block.split_once("```").unwrap();
        // Each example is a piece of a file; the head makes it whole.
        let head = if example.contains("version =") {
            ""
        } else {
            "version = 1\n"
        };
        let matched = if example.contains("[[match]]") {
            ""
        } else {
            "\n[[match]]\naccount = \"id\"\nvalue = \"{{ anchor }}\"\n"
        };
        let attributes = if example.contains("[attributes") {
            ""
        } else {
            "\n[attributes]\nid = \"{{ anchor }}\"\n"
        };
        let text = format!("{head}{example}{matched}{attributes}");
        let mapping = compiled(example, &text);
        assert_eq!(mapping.run_tests(), [], "{example}");
        examples += 1;
    }
    assert!(examples > 6, "{examples}");
}
