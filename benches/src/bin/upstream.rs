//! The server of the benches that go over sockets, started by them.

fn main() {
    outrigger_benches::upstream::serve();
}
