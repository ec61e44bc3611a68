//! The house stands on its floors: who may know whom, what a layer costs to compile, and the manners
//! that every crate keeps.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod weight;
#[cfg(test)]
mod workspace;
