//! Where things lie in the checkout.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::failure::{Doing, Failure, Result};

/// The checkout that the tool works on.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout around the current directory.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::current_dir().doing("the current directory")?;
        here.ancestors()
            .find(|folder| folder.join("template.yaml").is_file())
            .map(|root| Self { root: root.to_owned() })
            .ok_or_else(|| {
                Failure::new("there is no template.yaml here or above")
                    .next("Run belfry inside a checkout of the project.")
            })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A file in the folder that git ignores.
    pub(crate) fn local(&self, name: &str) -> PathBuf {
        self.root.join(".local").join(name)
    }

    /// A program of the pinned tools.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.local("tools").join("bin").join(name)
    }

    /// What was kept under this name; nothing when it was not, or by an older version.
    pub(crate) fn recall<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.local(name)).ok()?).ok()
    }

    /// Keeps a value, readable by its owner only, whole or not at all.
    pub(crate) fn keep<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let (path, draft) = (self.local(name), self.local(&format!("{name}.new")));
        let text = serde_json::to_vec_pretty(value).doing(name)?;
        let mut open = fs::OpenOptions::new();
        open.write(true).create(true).truncate(true).mode(0o600);
        let mut file = open.open(&draft).doing(draft.display())?;
        std::io::Write::write_all(&mut file, &text).doing(draft.display())?;
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).doing(draft.display())?;
        fs::rename(&draft, &path).doing(path.display())
    }

    /// Forgets what was kept under this name.
    pub(crate) fn forget(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.local(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).doing(name),
            _ => Ok(()),
        }
    }

    /// SHA-256 over the names and contents of some files.
    pub(crate) fn digest(&self, files: &[PathBuf]) -> Result<String> {
        let mut digest = Sha256::new();
        for file in files {
            let bytes = fs::read(file).doing(file.display())?;
            digest.update(
                file.strip_prefix(&self.root).unwrap_or(file).as_os_str().as_encoded_bytes(),
            );
            digest.update(bytes.len().to_le_bytes());
            digest.update(&bytes);
        }
        Ok(hex::encode(digest.finalize()))
    }
}
