//! An HTTP/2 and HTTP/1.1 connector with its own pool, as a tower service over hyper.
