//! The mapping files that ship with the program compile and pass their own tests.

use crate::reconcile::mapping::Mapping;

const SHIPPED: &[(&str, &str)] = &[("sandbox", include_str!("../../../../mappings/sandbox.toml"))];

#[test]
fn shipped_files_compile_and_pass_their_own_tests() {
    for (name, text) in SHIPPED {
        let mapping =
            Mapping::compile(text).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        assert_eq!(mapping.run_tests(), [], "{name}");
        assert!(mapping.test_count() > 2, "{name}");
    }
}
