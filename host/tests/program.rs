//! The program itself. That this test needs it makes `cargo test` build it, for the tests that start it.

use std::process::Command;

#[test]
fn it_says_what_it_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_tailwater")).arg("--version").output().expect("it starts");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("tailwater ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
