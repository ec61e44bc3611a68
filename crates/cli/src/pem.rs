//! Certificates and keys from PEM files.

use std::fmt;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::usage::Usage;

/// All certificates of a file, of which there must be one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Usage> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unfit(path, &error))?;
    if certificates.is_empty() {
        return Err(unfit(path, &"it holds no certificate"));
    }
    Ok(certificates)
}

/// The first private key of a file.
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Usage> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unfit(path, &error))
}

fn unfit(path: &Path, why: &dyn fmt::Display) -> Usage {
    Usage::new(format!("cannot use {}: {why}", path.display()))
}
