//! The few words that Outrigger's layers exchange.
