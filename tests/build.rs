//! Generates the echo service. `protox` reads the proto file, so no `protoc` is needed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/echo.proto");
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(protox::compile(["echo.proto"], ["proto"])?)?;
    Ok(())
}
