//! From files to the content of a release, and from there to what a host runs.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::depot::Depot;
use super::digest;
use super::json::damaged;
use super::manifest::{Artifact, Content, Digest};
use super::signature::{self, Keys};
use crate::config::{Config, Role};
use crate::error::{Code, Error, Result};
use crate::pipeline::Identity;

impl Content {
    /// That of a pipeline file and all that it names, which is copied to the depot.
    pub fn take(config: &Config, depot: &Depot) -> Result<Self> {
        let artifact = |(role, path): (Role, PathBuf)| {
            let unreadable = |error: io::Error| {
                let code = if role == Role::Model { Code::ModelUnreadable } else { Code::PluginUnreadable };
                Error::new(code, format!("{role}: {}: {error}", path.display()))
            };
            let (digest, bytes) = depot.take(&path)?.map_err(unreadable)?;
            let name = config.artifact_name(role).unwrap_or_default();
            let file = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Artifact { role, file, digest, bytes, signature: signature::beside(&path)? })
        };
        let artifacts = config.artifacts().into_iter().map(artifact).collect::<Result<Vec<_>>>()?;
        let configuration = toml::to_string(&config.results());
        let configuration =
            configuration.map_err(|error| Error::new(Code::ConfigValue, error.to_string()))?;
        Ok(Self { id: id(config, &artifacts), configuration, artifacts })
    }

    /// A host's own settings with this content, whose files are in the depot.
    pub fn configured(&self, own: &Config, depot: &Depot) -> Result<Config> {
        let wrong = |why: String| Error::new(Code::ReleaseUnreadable, format!("its configuration: {why}"));
        let results = toml::from_str(&self.configuration).map_err(|error| wrong(error.to_string()))?;
        let mut config = own.with_results(results).map_err(|error| wrong(error.message))?;
        let roles: BTreeSet<Role> = config.artifacts().iter().map(|(role, _)| *role).collect();
        if roles != self.artifacts.iter().map(|artifact| artifact.role).collect() {
            return Err(damaged("files and stages are not the same"));
        }
        for artifact in &self.artifacts {
            config.locate(artifact.role, depot.path(artifact.digest));
        }
        if id(&config, &self.artifacts) != self.id {
            let text = "this version of Tailwater understands its configuration differently: all hosts need one version";
            return Err(wrong(text.to_owned()));
        }
        Ok(config)
    }

    /// The same with another file in the place of that of its stage; it is in the depot. None: there is no such stage.
    pub fn with(&self, artifact: Artifact, own: &Config, depot: &Depot) -> Result<Option<Self>> {
        let config = self.configured(own, depot)?;
        let mut artifacts = self.artifacts.clone();
        let Some(place) = artifacts.iter_mut().find(|one| one.role == artifact.role) else { return Ok(None) };
        *place = artifact;
        let configuration = self.configuration.clone();
        Ok(Some(Self { id: id(&config, &artifacts), configuration, artifacts }))
    }

    /// Refuses files that are not signed as they must be. All of them must be in the depot.
    pub fn check_signatures(&self, keys: &Keys, depot: &Depot) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.artifacts.iter().try_for_each(|artifact| {
            let path = depot.path(artifact.digest);
            let bytes = fs::read(&path).map_err(|error| {
                Error::new(Code::ArtifactMissing, format!("{}: {}: {error}", artifact.file, path.display()))
            })?;
            keys.check(artifact, &bytes)
        })
    }

    /// An error about a file of the depot, by the name that its owner knows.
    pub fn in_its_words(&self, depot: &Depot, mut error: Error) -> Error {
        for artifact in &self.artifacts {
            let path = depot.path(artifact.digest).display().to_string();
            error.message = error.message.replace(&path, &artifact.file);
        }
        error
    }
}

/// What to watch of a pipeline: its file, all that it names, and their signatures.
pub fn files(config: &Config) -> Vec<PathBuf> {
    let artifacts = config.artifacts();
    let paths = artifacts.iter().map(|(_, path)| path);
    let signatures = paths.clone().map(|path: &PathBuf| signature::path_of(path));
    config.file.iter().cloned().chain(paths.cloned()).chain(signatures).collect()
}

fn id(config: &Config, artifacts: &[Artifact]) -> String {
    let of = |role: Role| digest_of(artifacts, role);
    let identity = Identity {
        preprocess: of(Role::Preprocess),
        features: (0..config.features.len()).filter_map(|index| of(Role::Features(index))).collect(),
        model: of(Role::Model),
        rules: of(Role::Rules),
        ..Identity::default()
    };
    digest::of(config, &identity)
}

fn digest_of(artifacts: &[Artifact], role: Role) -> Option<String> {
    let found = artifacts.iter().find(|artifact| artifact.role == role);
    found.map(|Artifact { digest, .. }: &Artifact| Digest::to_string(digest))
}

/// Whether the bytes that were read are those that were seen.
pub fn is_as_seen(config: &Config, content: &Content, has: impl Fn(&Path, u64) -> bool) -> bool {
    let artifacts = config.artifacts();
    let found = |role: Role| artifacts.iter().find(|(own, _)| *own == role);
    content.artifacts.iter().all(|one| found(one.role).is_some_and(|(_, path)| has(path, one.bytes)))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::codec::base64;

    const FILE: &str = r#"
        name = "p"
        routes.out.topic = "out"
        dead_letters.topic = "dead"
        [kafka]
        brokers = "BROKERS"
        [[source]]
        topic = "in"
        columns.card = "text"
        [[features]]
        plugin = "plugins/folds.wasm"
        settings = { most = inf }
        key = "card"
        [model]
        file = "m.onnx"
    "#;

    fn host(brokers: &str) -> (tempfile::TempDir, Config, Depot) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("plugins")).expect("writable");
        fs::write(folder.path().join("plugins/folds.wasm"), "folds").expect("writable");
        fs::write(folder.path().join("m.onnx"), "model").expect("writable");
        let config = read(&folder, &FILE.replace("BROKERS", brokers));
        let depot = Depot::of(&config).expect("writable");
        (folder, config, depot)
    }

    fn read(folder: &tempfile::TempDir, text: &str) -> Config {
        fs::write(folder.path().join("p.toml"), text).expect("writable");
        Config::read(&folder.path().join("p.toml")).expect("valid")
    }

    #[test]
    fn a_content_goes_from_one_host_to_another() {
        let (_one, own, depot) = host("one:9092");
        let content = Content::take(&own, &depot).expect("readable");
        let (_two, other, away) = host("two:9092");
        for artifact in &content.artifacts {
            let bytes = depot.chunks(artifact).expect("there").map(|chunk| chunk.map(|(_, bytes)| bytes));
            away.put(artifact, bytes).expect("whole");
        }
        let config = content.configured(&other, &away).expect("as it was taken");
        assert_eq!(config.kafka.brokers, "two:9092");
        assert_eq!(config.stage_name(0), "folds");
        assert_eq!(fs::read(config.model_path().expect("a model")).expect("there"), b"model");
        assert_eq!(Content::take(&config, &away).expect("there"), content, "as if it had been written there");
        let mut error = Error::new(Code::PluginInvalid, format!("{}: no", config.artifacts()[0].1.display()));
        error = content.in_its_words(&away, error);
        assert_eq!(error.message, "folds.wasm: no");
    }

    #[test]
    fn equal_contents_have_one_id_and_others_another() {
        let (folder, own, depot) = host("one:9092");
        let first = Content::take(&own, &depot).expect("readable").id;
        let text = FILE.replace("BROKERS", "two:9092");
        let id = |text: &str| Content::take(&read(&folder, text), &depot).expect("readable").id;
        assert_eq!(id(&format!("# The same.\n{text}")), first);
        for (from, to) in
            [("most = inf", "most = 1.0"), ("key = \"card\"", "key = \"card\"\ntime_limit = \"1s\"")]
        {
            assert_ne!(id(&text.replace(from, to)), first, "{to}");
        }
        fs::write(folder.path().join("m.onnx"), "other").expect("writable");
        assert_ne!(id(&text), first);
    }

    #[test]
    fn another_file_of_a_stage_makes_what_the_host_would_make_of_it() {
        let (folder, own, depot) = host("one:9092");
        let content = Content::take(&own, &depot).expect("readable");
        let (digest, bytes) = depot.receive(&b"other"[..]).expect("usable").expect("readable");
        let artifact = Artifact { digest, bytes, ..content.artifacts[1].clone() };
        let other = content.with(artifact.clone(), &own, &depot).expect("sound").expect("there is a model");
        fs::write(folder.path().join("m.onnx"), "other").expect("writable");
        assert_eq!(other, Content::take(&own, &depot).expect("readable"));
        other.configured(&own, &depot).expect("its id is right");
        let nowhere = Artifact { role: Role::Rules, ..artifact };
        assert_eq!(content.with(nowhere, &own, &depot).expect("sound"), None);
    }

    /// A public key as openssl writes it.
    fn pem(key: &SigningKey) -> String {
        let mut text = b"-----BEGIN PUBLIC KEY-----\n".to_vec();
        let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        base64::encode(&[&prefix[..], key.verifying_key().as_bytes()].concat(), &mut text);
        text.extend(b"\n-----END PUBLIC KEY-----\n");
        String::from_utf8(text).expect("letters")
    }

    #[test]
    fn with_keys_every_file_is_signed_or_refused() {
        let (folder, _, depot) = host("one:9092");
        let key = SigningKey::from_bytes(&[7; 32]);
        fs::write(folder.path().join("key.pem"), pem(&key)).expect("writable");
        let own = read(&folder, &format!("{FILE}\n[releases]\nkeys = [\"key.pem\"]"));
        let keys = Keys::of(&own).expect("a key");
        let check =
            || Content::take(&own, &depot).and_then(|content| content.check_signatures(&keys, &depot));
        let sign = |file: &str| {
            let file = folder.path().join(file);
            let signature = key.sign(&fs::read(&file).expect("there"));
            fs::write(signature::path_of(&file), signature.to_bytes()).expect("writable");
        };
        sign("plugins/folds.wasm");
        assert!(check().expect_err("the model is not").message.starts_with("m.onnx: has no signature"));
        sign("m.onnx");
        check().expect("both are");
        fs::write(folder.path().join("plugins/folds.wasm"), "others").expect("writable");
        let error = check().expect_err("it has changed since");
        assert_eq!((error.code, error.message.starts_with("folds.wasm: ")), (Code::Unsigned, true));
        let own = read(&folder, &format!("{FILE}\n[releases]\nkeys = [\"m.onnx\"]"));
        assert_eq!(Keys::of(&own).expect_err("no key").code, Code::Unsigned);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let (folder, own, depot) = host("one:9092");
        let content = Content::take(&own, &depot).expect("readable");
        let (file, model) = (folder.path().join("plugins/folds.wasm"), content.artifacts[1].bytes);
        assert!(is_as_seen(&own, &content, |path, bytes| path != file || bytes == 5));
        assert!(!is_as_seen(&own, &content, |_, bytes| bytes == model + 1));
        let broken: [fn(&mut Content); 5] = [
            |content| content.id = "0".repeat(16),
            |content| drop(content.artifacts.pop()),
            |content| content.artifacts[0].role = Role::Rules,
            |content| content.configuration.push_str("[colours]\n"),
            |content| content.configuration = content.configuration.replace("\"p\"", "\"q\""),
        ];
        for (index, change) in broken.into_iter().enumerate() {
            let mut content = content.clone();
            change(&mut content);
            let error = content.configured(&own, &depot).expect_err("broken");
            assert_eq!(error.code, Code::ReleaseUnreadable, "{index}: {error}");
        }
        fs::remove_file(&file).expect("there");
        let error = Content::take(&own, &depot).expect_err("gone");
        assert_eq!(error.code, Code::PluginUnreadable);
        assert!(error.message.contains("features/0: ") && error.message.contains("folds.wasm"), "{error}");
        assert_eq!(files(&own).len(), 5);
    }
}
