//! `docs/CONFIG.md` is what the key table says.

use std::path::Path;

#[test]
fn reference_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIG.md");
    let expected = cli::config::reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &expected).expect("docs is a writable folder");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "docs/CONFIG.md is stale: UPDATE_DOCS=1 cargo test -p cli --test config_reference"
    );
}
