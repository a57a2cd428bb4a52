//! The web pages are part of the program: it is built anew when they are. And the speech workers are told where they find
//! the libraries of their engines, at the build and when they run: deploy/models.sh puts them below models/;
//! `RELAIS_MODELS` names another folder.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/web/app/dist");
    let wanted = |feature: &str| std::env::var_os(feature).is_some();
    if wanted("CARGO_FEATURE_VOSK") {
        find("relais-speech", "lib");
    }
    if wanted("CARGO_FEATURE_WHISPER") {
        find("relais-whisper", "ctranslate2");
    }
}

fn find(worker: &str, folder: &str) {
    println!("cargo:rerun-if-env-changed=RELAIS_MODELS");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let models = std::env::var_os("RELAIS_MODELS").map_or_else(|| root.join("models"), PathBuf::from);
    let folder = models.join(folder);
    let folder = folder.display();
    println!("cargo:rustc-link-search=native={folder}");
    // Beside the worker, in a folder beside it, or where it was built.
    println!("cargo:rustc-link-arg-bin={worker}=-Wl,-rpath,$ORIGIN:$ORIGIN/lib:{folder}");
}
