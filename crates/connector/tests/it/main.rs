//! The connector against real sockets and in-memory ones.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod addresses;
#[cfg(test)]
mod basics;
#[cfg(test)]
mod boxed;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod dropped;
#[cfg(test)]
mod error_table;
#[cfg(test)]
mod leave_taking;
#[cfg(test)]
mod lifetime;
#[cfg(test)]
mod places;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod retirement;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
#[cfg(unix)]
mod unix;
