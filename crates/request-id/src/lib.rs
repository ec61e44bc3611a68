//! One request id per logical call, as tower layers for clients and servers.
