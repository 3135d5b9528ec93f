//! Where things are: the workspace's root, the cargo that runs us, the folder that cargo builds into.
//!
//! Nothing here depends on the current directory.

use std::path::{Path, PathBuf};

/// The workspace's root: the folder above this package.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_path_buf)
}

/// The cargo that runs us, or the one on the search path.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The folder that holds the folders of the build profiles.
///
/// Our own executable lies in `<target>/<profile>/`, however the target folder was chosen
/// (default, environment variable or cargo configuration).
pub fn target() -> Result<PathBuf, String> {
    let executable =
        std::env::current_exe().map_err(|error| format!("no path of our own executable: {error}"))?;
    let folder = executable.ancestors().nth(2).map(Path::to_path_buf);
    folder.ok_or_else(|| format!("{} lies in no target folder", executable.display()))
}
