//! The page on modules is what the modules say of themselves.

use std::path::Path;

use relais::ivr::guide;

#[test]
fn the_page_on_modules_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/MODULES.md");
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == guide(), "dialplans/MODULES.md is old: relais modules > dialplans/MODULES.md makes it anew");
}
