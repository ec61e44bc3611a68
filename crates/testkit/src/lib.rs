//! Scripted, in-memory and misbehaving upstreams, a mock service and a tower contract probe.
