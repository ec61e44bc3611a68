//! Outbound HTTP that stays upright: resilient tower layers around a hyper HTTP/2 connector.
