/// What a [`ContractProbe`](super::ContractProbe) has counted, over all services it was put under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Instances that are ready now and were not called yet: what they hold nobody else can have.
    pub reserved: usize,
    /// Instances that were dropped, or became unready, between `Ready` and `call`.
    pub abandoned: usize,
    /// Calls made.
    pub calls: usize,
    /// Response futures that are alive and have not answered.
    pub in_flight: usize,
    /// Response futures that have answered, with a response or an error.
    pub completed: usize,
    /// Response futures that were dropped before they answered.
    pub dropped: usize,
}
