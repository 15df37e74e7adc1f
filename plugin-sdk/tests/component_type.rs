//! The committed sections are those of the committed WIT.

use std::path::Path;

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

#[test]
fn sections_are_those_of_the_wit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let mut resolve = Resolve::default();
    let package = resolve.push_file(folder.join("tailwater.wit")).unwrap();
    for world in ["preprocessor", "features", "custom-features", "rules"] {
        let id = resolve.select_world(&[package], Some(world)).unwrap();
        let section = metadata::encode(&resolve, id, StringEncoding::UTF8, None).unwrap();
        let file = folder.join(format!("{world}.component-type"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &section).unwrap();
        }
        let committed = std::fs::read(&file).unwrap_or_default();
        assert!(committed == section, "{} is old: run this test with BLESS=1", file.display());
    }
}
