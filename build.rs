//! Where the worker `relais-speech` finds libvosk.so, at the build and when it runs. Nothing else needs a build script.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RELAIS_VOSK");
    if std::env::var_os("CARGO_FEATURE_VOSK").is_none() {
        return;
    }
    // deploy/lib.sh puts it there.
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = std::env::var_os("RELAIS_VOSK").map_or_else(|| root.join("models/lib"), PathBuf::from);
    let folder = folder.display();
    println!("cargo:rustc-link-search=native={folder}");
    // Beside the worker, in a folder beside it, or where it was built.
    println!("cargo:rustc-link-arg-bin=relais-speech=-Wl,-rpath,$ORIGIN:$ORIGIN/lib:{folder}");
}
