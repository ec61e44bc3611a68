//! How much the pool gets through, and how it begins: against hyper-util's client, and against hyper's
//! `SendRequest` spread by hand over as many connections. Fails where a figure misses its target.

mod burst;
mod throughput;

use std::process::ExitCode;

/// The server's program.
const UPSTREAM: &str = env!("CARGO_BIN_EXE_upstream");

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let met = runtime.block_on(async { throughput::compare().await & burst::compare().await });
    if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints whether a target is met, and says so.
fn target(what: &str, figure: f64, least: f64) -> bool {
    let met = figure >= least;
    let verdict = if met { "met" } else { "MISSED" };
    println!("{what}: {figure:.2}, at least {least:.2}: {verdict}");
    met
}
