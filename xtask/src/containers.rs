//! Container engines: podman, with a store of its own in `target/containers`, or a Docker that answers.

mod base;

use crate::home::{Home, in_path, remove, variable};
use crate::process::Job;
use anyhow::{Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const ADVICE: &str = "Install podman (Debian, Ubuntu: apt-get install podman runc) or Docker; as root on Debian this is \
                      done for you. Tests that need no container: cargo xtask test -- --skip container";

/// The label of a test's container: the number of the test's process. Its volume has its name.
const OWNER: &str = "tailwater-tests";

/// What may be open at once, and how many processes there may be, in a container that is told nothing else. Podman's own
/// numbers may be beyond what this process may give away.
const LIMITS: [(&str, libc::__rlimit_resource_t, u64); 2] =
    [("nofile", libc::RLIMIT_NOFILE, 16_384), ("nproc", libc::RLIMIT_NPROC, 32_768)];

#[derive(Debug)]
pub(crate) struct Engine {
    /// Takes podman's or Docker's command line, as far as both have it.
    pub(crate) program: PathBuf,
    /// It is a podman with a store that nobody else uses.
    has_own_store: bool,
}

impl Engine {
    /// One that is there, or that can be installed.
    pub(crate) fn find(home: &Home) -> Result<Self> {
        if in_path("podman") {
            return Self::podman(home);
        }
        // A client alone is of no use.
        if Job::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output().is_ok() {
            return Ok(Self { program: "docker".into(), has_own_store: false });
        }
        install(home, &["podman", "runc"])?;
        Self::podman(home)
    }

    fn podman(home: &Home) -> Result<Self> {
        let folder = home.target.join("containers");
        let (settings, program) = (folder.join("containers.conf"), folder.join("podman"));
        let script = script(&settings, &folder);
        // A store knows its place: one that came here with a copy of `target` is of no use.
        if fs::read_to_string(&program).is_ok_and(|found| found != script) {
            remove(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        fs::write(&settings, configuration(in_path("runc")))?;
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Self { program, has_own_store: true })
    }

    fn job(&self, verb: &str) -> Job {
        let mut job = Job::new(&self.program);
        job.arg(verb);
        job
    }

    fn has(&self, image: &str) -> bool {
        self.size(image).is_ok()
    }

    /// Bytes of an image.
    pub(crate) fn size(&self, image: &str) -> Result<u64> {
        let said = self.job("inspect").args(["--type", "image", "--format", "{{.Size}}", image]).output()?;
        Ok(said.trim().parse()?)
    }

    /// Removes containers of tests that are gone, with what they kept.
    pub(crate) fn sweep(&self) -> Result<()> {
        let filter = format!("label={OWNER}");
        let names = self.job("ps").args(["--all", "--filter", &filter, "--format", "{{.Names}}"]).output()?;
        for name in names.lines() {
            let owner = format!("{{{{index .Config.Labels \"{OWNER}\"}}}}");
            let owner =
                self.job("inspect").args(["--type", "container", "--format", &owner, name]).output()?;
            if !Path::new("/proc").join(owner.trim()).exists() {
                self.job("rm").args(["--force", name]).run()?;
                self.job("volume").args(["rm", "--force", name]).run()?;
            }
        }
        Ok(())
    }

    /// The image that shared libraries are taken from, for a program of this machine.
    pub(crate) fn base(&self, home: &Home) -> Result<String> {
        base::image(home, self)
    }

    /// Builds the image `tag` of the folder `context`, which has its Dockerfile in `deploy`.
    pub(crate) fn build(&self, context: &Path, tag: &str, arguments: &[(&str, &str)]) -> Result<()> {
        let build = |tag: &str, more: &[&str]| {
            let mut job = self.job("build");
            job.args(["--tag", tag]).args(more);
            for (name, value) in arguments {
                job.args(["--build-arg", &format!("{name}={value}")]);
            }
            job.arg("--file").arg(context.join("deploy/Dockerfile")).arg(context);
            job.advise(&format!("{} names another image as base.", base::GIVEN)).run()
        };
        if !self.has_own_store {
            return build(tag, &[]);
        }
        // Podman keeps each step as an image. What has a name stays when those are cleared away, of which each program
        // would leave its own. The network is the machine's: one that podman makes asks for more of the system.
        build("localhost/tailwater-libraries", &["--network", "host", "--target", "libraries"])?;
        build(tag, &["--network", "host"])?;
        self.job("image").args(["prune", "--force"]).run()
    }
}

fn script(settings: &Path, folder: &Path) -> String {
    let quoted = |path: &Path| format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"));
    let [settings, store, run] =
        [settings.to_owned(), folder.join("store"), folder.join("run")].map(|path| quoted(&path));
    format!("#!/bin/sh\nCONTAINERS_CONF={settings} exec podman --root {store} --runroot {run} \"$@\"\n")
}

fn configuration(has_runc: bool) -> String {
    let limits = LIMITS.map(|(name, resource, most)| {
        let most = most.min(allowed(resource));
        format!("\"{name}={most}:{most}\"")
    });
    // Without one named, podman takes what it finds first.
    let runtime = if has_runc { "runtime = \"runc\"\n" } else { "" };
    format!("[containers]\ndefault_ulimits = [{}]\n[engine]\n{runtime}", limits.join(", "))
}

/// What this process may allow itself at most.
fn allowed(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to `limit` alone.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } == 0 { limit.rlim_max } else { u64::MAX }
}

/// Installs packages of Debian's, where that is possible.
fn install(home: &Home, packages: &[&str]) -> Result<()> {
    // SAFETY: a system call without arguments.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root || !in_path("apt-get") {
        bail!("{} is needed, and not there\n  to do  {ADVICE}", packages[0]);
    }
    home.steps.quiet("install", &packages.join(", "), || {
        let apt = |arguments: &[&str]| {
            Job::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).advise(ADVICE).run()
        };
        apt(&["update", "-qq"])?;
        apt(&[&["install", "--yes", "-qq", "--no-install-recommends"], packages].concat())
    })
}

/// Whether only package registries can be reached.
fn registries_only() -> bool {
    variable("TAILWATER_REGISTRIES_ONLY").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podman_gets_a_store_of_its_own_wherever_that_lies() {
        let text = script(Path::new("/a b/containers.conf"), Path::new("/it's"));
        let want = "#!/bin/sh\nCONTAINERS_CONF='/a b/containers.conf' exec podman --root '/it'\\''s/store' \
                    --runroot '/it'\\''s/run' \"$@\"\n";
        assert_eq!(text, want);
    }

    #[test]
    fn limits_are_within_what_this_process_has() {
        let files = allowed(libc::RLIMIT_NOFILE).min(16_384);
        let text = configuration(true);
        assert!(text.contains(&format!("\"nofile={files}:{files}\"")), "{text}");
        assert!(
            text.ends_with("[engine]\nruntime = \"runc\"\n") && !configuration(false).contains("runtime")
        );
    }
}
