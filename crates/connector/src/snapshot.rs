use outrigger_core::Endpoint;

use crate::kernel::OriginCount;

/// What a connector's pool holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The endpoints that have a connection or a waiting call, in no particular order.
    pub endpoints: Vec<EndpointSnapshot>,
}

/// What a connector's pool holds for one endpoint at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointSnapshot {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Connections that take calls.
    pub connections: usize,
    /// Connections that take no new calls and have not closed yet.
    pub draining: usize,
    /// Connections that are being opened; over HTTP/2 until the server's SETTINGS are there.
    pub connecting: usize,
    /// Calls that have a place on a connection, until their answer's body has ended.
    pub streams: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
}

impl Snapshot {
    pub(crate) fn new(origins: Vec<OriginCount>) -> Self {
        let endpoints = origins.into_iter().filter(|origin| !origin.is_empty());
        let endpoints = endpoints.map(|origin| EndpointSnapshot {
            endpoint: origin.endpoint,
            connections: origin.open,
            draining: origin.draining,
            connecting: origin.connecting,
            streams: origin.streams,
            waiting: origin.waiters,
        });
        Self {
            endpoints: endpoints.collect(),
        }
    }

    /// Connections that take calls, in all.
    pub fn connections(&self) -> usize {
        self.sum(|endpoint| endpoint.connections)
    }

    /// Connections that take no new calls and have not closed yet, in all.
    pub fn draining(&self) -> usize {
        self.sum(|endpoint| endpoint.draining)
    }

    /// Connections that are being opened, in all.
    pub fn connecting(&self) -> usize {
        self.sum(|endpoint| endpoint.connecting)
    }

    /// Calls that have a place on a connection, in all.
    pub fn streams(&self) -> usize {
        self.sum(|endpoint| endpoint.streams)
    }

    /// Calls that wait for a place, in all.
    pub fn waiting(&self) -> usize {
        self.sum(|endpoint| endpoint.waiting)
    }

    fn sum(&self, of: impl Fn(&EndpointSnapshot) -> usize) -> usize {
        self.endpoints.iter().map(of).sum()
    }
}
