//! Deadlines for calls and timeouts for attempts and bodies, as tower layers.
