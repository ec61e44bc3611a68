//! Generates the echo service, and takes the recipe's layer out of CONTRIBUTING.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

const CONTRIBUTING: &str = "../CONTRIBUTING.md";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/echo.proto");
    println!("cargo::rerun-if-changed={CONTRIBUTING}");

    // `protox` reads the proto file, so no `protoc` is needed.
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(protox::compile(["echo.proto"], ["proto"])?)?;

    let page = fs::read_to_string(CONTRIBUTING)?;
    let block = page.split("\n```rust\n").nth(1);
    let recipe = block.and_then(|block| block.split("\n```\n").next());
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("recipe.rs"), recipe.ok_or("no recipe")?)?;
    Ok(())
}
