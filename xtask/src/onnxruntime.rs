//! ONNX Runtime's shared library: the user's, an installed one, or the one in the wheel on the package index.

use crate::home::{Home, check_sha256, variable};
use crate::process::Job;
use crate::python;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const VERSION: &str = "1.31.1";
/// Older ones lack the API that the host is built for (API 24).
const OLDEST: (u32, u32) = (1, 24);
const GIVEN: [&str; 2] = ["TAILWATER_ONNXRUNTIME", "ORT_DYLIB_PATH"];

/// The path of libonnxruntime.
pub(crate) fn library(home: &Home) -> Result<PathBuf> {
    for name in GIVEN {
        if let Some(path) = variable(name) {
            let path = PathBuf::from(path);
            if !path.is_file() {
                bail!("{name} is {}, and there is no such file", path.display());
            }
            // Tests run in other folders.
            return Ok(path.canonicalize()?);
        }
    }
    match installed() {
        Some(path) => Ok(path),
        None => fetched(home),
    }
}

fn installed() -> Option<PathBuf> {
    let known = ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .find_map(|program| Job::new(program).arg("-p").output().ok())?;
    candidates(&known, std::env::consts::ARCH).iter().find_map(|link| {
        let ignore = |why: &String| eprintln!("{:<8} the installed {}: {why}", "ignore", link.display());
        fitting(link).inspect_err(ignore).ok()
    })
}

/// The file behind a link that `ldconfig` lists: its name carries the version. Or why it won't do.
fn fitting(link: &Path) -> Result<PathBuf, String> {
    let file = link.canonicalize().map_err(|error| error.to_string())?;
    match version(&file) {
        Some(version) if version >= OLDEST => Ok(file),
        Some((major, minor)) => {
            Err(format!("it is {major}.{minor}; {}.{} or newer is needed", OLDEST.0, OLDEST.1))
        }
        None => Err(format!("the name of {} tells no version", file.display())),
    }
}

/// The paths that `ldconfig -p` has for libonnxruntime on this architecture.
fn candidates(known: &str, arch: &str) -> Vec<PathBuf> {
    let tag = match arch {
        "x86_64" => "x86-64",
        "aarch64" => "AArch64",
        other => other,
    };
    known
        .lines()
        .filter_map(|line| line.trim().split_once(" => "))
        .filter(|(name, _)| name.starts_with("libonnxruntime.so") && name.contains(tag))
        .map(|(_, path)| PathBuf::from(path))
        .collect()
}

/// Of `libonnxruntime.so.1.31.1`: 1 and 31.
fn version(file: &Path) -> Option<(u32, u32)> {
    let (_, digits) = file.file_name()?.to_str()?.split_once(".so.")?;
    let mut parts = digits.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn fetched(home: &Home) -> Result<PathBuf> {
    let arch = std::env::consts::ARCH;
    let sum = match arch {
        "x86_64" => "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
        "aarch64" => "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
        _ => bail!(
            "no ONNX Runtime {VERSION} is known for {arch}: set {} to a libonnxruntime.so of yours",
            GIVEN[0]
        ),
    };
    let name = format!("libonnxruntime.so.{VERSION}");
    let folder = home.tool(&format!("onnxruntime-{VERSION}"), |part| {
        // Asked first: it may print a step of its own.
        let pip = python::pip(home, "download")?;
        home.steps
            .quiet("fetch", &format!("ONNX Runtime {VERSION}"), || fetch(home, pip, part, arch, &name, sum))
    })?;
    Ok(folder.join(name))
}

fn fetch(home: &Home, mut pip: Job, part: &Path, arch: &str, name: &str, sum: &str) -> Result<()> {
    // The library is the same whatever Python the wheel is for, so the machine's does not matter.
    pip.args(["--no-deps", "--implementation", "cp", "--python-version", "3.12", "--abi", "cp312"]);
    pip.args([format!("--platform=manylinux_2_28_{arch}"), format!("--platform=manylinux_2_27_{arch}")]);
    pip.arg("--dest").arg(part).arg(format!("onnxruntime=={VERSION}")).run()?;
    let wheel = fs::read_dir(part)?.next().context("pip downloaded nothing")??.path();
    let unpack =
        "import sys, zipfile; open(sys.argv[3], 'wb').write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
    let library = part.join(name);
    let member = format!("onnxruntime/capi/{name}");
    Job::new(python::python(home)?).args(["-c", unpack]).arg(&wheel).arg(member).arg(&library).run()?;
    fs::remove_file(wheel)?;
    check_sha256(&library, sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::remove;

    const KNOWN: &str = "2 libs found in cache `/etc/ld.so.cache'
\tlibonnxruntime.so.1.21 (libc6,AArch64) => /usr/lib/aarch64-linux-gnu/libonnxruntime.so.1.21
\tlibonnxruntime.so (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libonnxruntime.so
\tlibonnxruntime_providers_shared.so (libc6,x86-64) => /usr/lib/libonnxruntime_providers_shared.so
\tlibz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1
Cache generated by: ldconfig (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36
";

    #[test]
    fn ldconfig_answers_for_this_architecture_and_this_library_only() {
        assert_eq!(
            candidates(KNOWN, "x86_64"),
            [PathBuf::from("/usr/lib/x86_64-linux-gnu/libonnxruntime.so")]
        );
        assert_eq!(
            candidates(KNOWN, "aarch64"),
            [PathBuf::from("/usr/lib/aarch64-linux-gnu/libonnxruntime.so.1.21")]
        );
        assert!(candidates("", "x86_64").is_empty());
    }

    #[test]
    fn all_that_is_installed_is_looked_at_and_what_does_not_fit_says_why() {
        let folder = std::env::temp_dir().join(format!("xtask-onnxruntime-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let files = ["libonnxruntime.so.1.21.0", "libonnxruntime.so.1.31.1", "libonnxruntime.so"];
        let [old, new, nameless] = files.map(|name| folder.join(name));
        for file in [&old, &new, &nameless] {
            fs::write(file, "").unwrap();
        }
        let link = folder.join("libonnxruntime.so.1");
        std::os::unix::fs::symlink(&new, &link).unwrap();
        assert_eq!(fitting(&link), Ok(new.canonicalize().unwrap()));
        assert_eq!(fitting(&old), Err("it is 1.21; 1.24 or newer is needed".into()));
        assert!(fitting(&nameless).unwrap_err().ends_with("tells no version"));
        assert!(fitting(&folder.join("gone")).unwrap_err().contains("No such file"));
        remove(&folder).unwrap();
    }

    #[test]
    fn the_file_name_tells_whether_the_api_fits() {
        let fits = |name: &str| version(Path::new(name)).is_some_and(|version| version >= OLDEST);
        assert!(
            fits("/x/libonnxruntime.so.1.31.1")
                && fits("libonnxruntime.so.1.24")
                && fits("libonnxruntime.so.2.0.0")
        );
        assert!(
            !fits("libonnxruntime.so.1.9.0") && !fits("libonnxruntime.so.1") && !fits("libonnxruntime.so")
        );
    }
}
