//! Reads configuration, mapping and certificate files and secrets, and hands their content to the pure half.
//!
//! The only reader of the environment and of these files. Files that others could have written are refused,
//! and so are secret files that others could have read.

mod files;
mod zones;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::diagnostic::{Problems, Severity};
use super::raw::{self, Findings};
use super::secret::{self, Prints, Reference};
use super::valid::{self, Config, Outside, Secrets};
use crate::model::Problem;
use crate::reconcile::access::Zones;
use crate::reconcile::mapping::Mapping;
use crate::target::profile::Profile;

/// The largest configuration, mapping or certificate file that is read, in bytes.
const LARGEST: u64 = 4 << 20;
/// The largest secret, in bytes.
const LARGEST_SECRET: u64 = 64 << 10;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What an administrator should know about it.
    pub warnings: Problems,
    /// Every file it was made from, the main one first.
    pub files: Vec<PathBuf>,
}

/// Reads a configuration file and everything it refers to.
///
/// # Errors
/// All problems of all files. `Display` shows each with its line.
pub fn load(path: &Path, secrets: Secrets) -> Result<Loaded, Problems> {
    let shown = path.display().to_string();
    let alone = |why: String| Problems::single(&shown, Problem::new(None, "", why));
    let text = files::read_trusted(path, LARGEST, secrets).map_err(alone)?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let shell = Shell {
        folder,
        secrets,
        mappings: RefCell::default(),
        profiles: RefCell::default(),
        texts: RefCell::default(),
        prints: RefCell::default(),
    };
    let findings = Findings::default();
    let table = raw::parse(&text, &findings);
    let config = table.and_then(|table| valid::read(&table, &findings, &shell));
    let (errors, warnings, hidden) = findings.finish();
    let mut problems = Problems::new(Severity::Error);
    problems.add(&shown, &text, errors, &hidden);
    let mut advice = Problems::new(Severity::Warning);
    advice.add(&shown, &text, warnings, &hidden);
    let prints = shell.prints.take();
    let mut hash = Sha256::new();
    feed(&mut hash, &text);
    let mut files = vec![path.to_owned()];
    for (file, text) in shell.texts.into_inner() {
        feed(&mut hash, &text);
        files.push(file);
    }
    let mappings = shell.mappings.into_inner().into_iter();
    let mappings = mappings.map(|(file, read)| (file, read.text, read.problems));
    let profiles = shell.profiles.into_inner().into_iter();
    let profiles = profiles.map(|(file, read)| (file, read.text, read.problems));
    for (file, text, found) in mappings.chain(profiles) {
        feed(&mut hash, &text);
        problems.add(&file.display().to_string(), &text, found, &[]);
        files.push(file);
    }
    if let Some(config) = &config {
        // Other rules for daylight saving time decide otherwise.
        feed(&mut hash, config.zones.tz_version());
    }
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded {
            config: Config {
                digest: hash
                    .finalize()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
                prints,
                ..config
            },
            warnings: advice,
            files,
        }),
        Some(_) => Err(problems),
        None if problems.is_empty() => {
            // Nothing is refused without a reason; if one was lost, this is a fault of the program.
            Err(alone(
                "the configuration was refused without a reason; please report this".to_owned(),
            ))
        }
        None => Err(problems),
    }
}

/// The time that a rehearsal's clock file shows (RFC 3339); `None` while it cannot be read.
#[must_use]
pub fn rehearsed_time(path: &Path) -> Option<jiff::Timestamp> {
    let text = std::fs::read_to_string(path).ok()?;
    text.trim().parse().ok()
}

/// Adds a text to a digest so that texts cannot run into one another.
fn feed(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

/// Writes files (names relative to `folder`, such as `mappings/crm.toml`) readable by their owner only, and loads the first.
///
/// Existing files are kept as they are: they may have been edited since.
///
/// # Errors
/// When a file cannot be written, or the configuration has problems.
pub fn load_embedded(folder: &Path, files: &[(&str, &str)]) -> Result<Loaded, Problems> {
    for (name, content) in files {
        let path = folder.join(name);
        files::write_private(&path, content).map_err(|why| {
            let shown = path.display().to_string();
            Problems::single(&shown, Problem::new(None, "", why))
        })?;
    }
    let main = files.first().map_or("provost.toml", |(name, _)| name);
    load(&folder.join(main), Secrets::Load)
}

/// Writes a new key into a file that must not be there yet, readable by its owner only, and makes it durable.
///
/// # Errors
/// When the file is there, or cannot be written.
pub fn write_key(path: &Path, key: &str) -> Result<(), String> {
    files::write_new(path, key).map_err(|why| format!("{}: {why}", path.display()))
}

/// A mapping or profile file that was read.
struct ReadFile<T> {
    text: String,
    problems: Vec<Problem>,
    made: Option<Arc<T>>,
}

/// Files that were read, by their paths.
type ReadFiles<T> = RefCell<BTreeMap<PathBuf, ReadFile<T>>>;

/// The outside as the files of one configuration see it.
struct Shell {
    folder: PathBuf,
    secrets: Secrets,
    mappings: ReadFiles<Mapping>,
    profiles: ReadFiles<Profile>,
    texts: RefCell<BTreeMap<PathBuf, String>>,
    prints: RefCell<Prints>,
}

impl Outside for Shell {
    fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    fn secrets(&self) -> Secrets {
        self.secrets
    }

    fn secret(&self, reference: &Reference) -> Result<SecretString, String> {
        let bytes = self.key(reference)?;
        let text = std::str::from_utf8(&bytes).map_err(|_why| "the secret is not UTF-8")?;
        let secret = secret::trimmed(text).map_err(str::to_owned)?;
        Ok(SecretString::from(secret))
    }

    fn key(&self, reference: &Reference) -> Result<Zeroizing<Vec<u8>>, String> {
        let bytes = read_reference(reference)?;
        self.prints.borrow_mut().note(reference, &bytes);
        Ok(bytes)
    }

    fn certificates(&self, path: &Path) -> Result<Vec<u8>, String> {
        let text = files::read_trusted(path, LARGEST, self.secrets)?;
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            certificate
                .map_err(|why| format!("{}: not a PEM certificate: {why}", path.display()))?;
            count += 1;
        }
        if count == 0 {
            return Err(format!(
                "{}: there is no PEM certificate in it",
                path.display()
            ));
        }
        Ok(text.into_bytes())
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        if let Some(text) = self.texts.borrow().get(path) {
            return Ok(text.clone());
        }
        let text = files::read_trusted(path, LARGEST, self.secrets)?;
        self.texts
            .borrow_mut()
            .insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn system_zones(&self) -> Result<Zones, String> {
        zones::system()
    }

    fn mapping(&self, path: &Path) -> Result<Option<Arc<Mapping>>, String> {
        self.once(&self.mappings, path, |text| match Mapping::compile(text) {
            Ok(mapping) => {
                let problems = mapping.run_tests();
                (problems.is_empty().then_some(mapping), problems)
            }
            Err(problems) => (None, problems),
        })
    }

    fn profile(&self, path: &Path) -> Result<Option<Arc<Profile>>, String> {
        self.once(&self.profiles, path, |text| match Profile::compile(text) {
            Ok(profile) => (Some(profile), Vec::new()),
            Err(problems) => (None, problems),
        })
    }
}

impl Shell {
    /// Reads and compiles a file the first time it is asked for.
    fn once<T>(
        &self,
        files: &ReadFiles<T>,
        path: &Path,
        compile: impl Fn(&str) -> (Option<T>, Vec<Problem>),
    ) -> Result<Option<Arc<T>>, String> {
        if let Some(read) = files.borrow().get(path) {
            return Ok(read.made.clone());
        }
        let text = files::read_trusted(path, LARGEST, self.secrets)?;
        let (made, problems) = compile(&text);
        let made = made.map(Arc::new);
        let read = ReadFile {
            text,
            problems,
            made: made.clone(),
        };
        files.borrow_mut().insert(path.to_owned(), read);
        Ok(made)
    }
}

/// The bytes behind a reference.
fn read_reference(reference: &Reference) -> Result<Zeroizing<Vec<u8>>, String> {
    match reference {
        Reference::Credential(name) => {
            let folder = environment("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                "there are no credentials: CREDENTIALS_DIRECTORY is not set; systemd sets it for units with LoadCredential=".to_owned()
            })?;
            // Systemd guards its credentials with access lists, which show as group permissions.
            files::read_secret(
                &Path::new(&*folder).join(name),
                LARGEST_SECRET,
                files::Guard::Systemd,
            )
        }
        Reference::File(path) => files::read_secret(path, LARGEST_SECRET, files::Guard::Mode),
        Reference::Environment(name) => {
            let text =
                environment(name).ok_or("the environment variable is not set, or is not UTF-8")?;
            Ok(Zeroizing::new(text.as_bytes().to_vec()))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
fn environment(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name).ok().map(Zeroizing::new)
}

/// The zone of this machine's clock on the wall, or UTC where it cannot be told.
#[must_use]
pub fn system_zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::try_system().unwrap_or(jiff::tz::TimeZone::UTC)
}
