//! The web pages are part of the program: it is built anew when they are.

fn main() {
    println!("cargo::rerun-if-changed=src/web/app/dist");
}
