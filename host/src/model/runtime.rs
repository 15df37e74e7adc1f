//! The library of ONNX Runtime: found, loaded once, never unloaded.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::error::{Code, Error, Result};
use crate::model::prepared::{Prepared, prepare};
use crate::model::{Wanted, words};

/// Says where the library is. The second is what the `ort` crate reads.
const VARIABLES: [&str; 2] = ["TAILWATER_ONNXRUNTIME", "ORT_DYLIB_PATH"];

const ADVICE: &str = "ONNX Runtime 1.24 or newer is needed. It is in the PyPI package `onnxruntime` \
    (onnxruntime/capi/libonnxruntime.so.*) and among its releases on GitHub. Put the library beside the \
    executable, or name it in TAILWATER_ONNXRUNTIME";

/// A process has one ONNX Runtime: the library's and the `ort` crate's law.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// ONNX Runtime, loaded. A handle: clones are the same.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub(super) environment: Environment,
    library: PathBuf,
}

impl Runtime {
    /// Loads the library: the given one, else the one that `TAILWATER_ONNXRUNTIME` or `ORT_DYLIB_PATH`
    /// names, else the one beside the executable, else the one that the system's loader finds. One that
    /// is named but can't be loaded is an error, whatever else is there.
    ///
    /// The first library that was loaded stays for the life of the process.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return runtime.again(path);
        }
        let candidates = candidates(path, |name| std::env::var_os(name), beside_executable());
        let runtime = first_of(candidates)?;
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// What was loaded: a path, or a name that the system's loader found.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Reads a model, checks it against what the pipeline wants and has, and tries it.
    pub fn open(&self, path: &Path, wanted: &Wanted<'_>) -> Result<Prepared> {
        prepare(self, path, wanted).map_err(|error| error.at(path.display()))
    }

    fn again(&self, path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) if absolute(path) != self.library => Err(Error::new(
                Code::ModelRuntime,
                format!(
                    "{} is loaded already, and a process can't load {} besides: name the same one everywhere",
                    self.library.display(),
                    path.display()
                ),
            )),
            _ => Ok(self.clone()),
        }
    }
}

/// A place to try.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub path: PathBuf,
    /// Who named it.
    pub by: &'static str,
}

/// Places in the order in which they are tried.
pub(super) fn candidates(
    given: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
    beside: Option<PathBuf>,
) -> Vec<Candidate> {
    if let Some(path) = given {
        return vec![Candidate { path: absolute(path), by: "the pipeline's setting" }];
    }
    let named = |by| variable(by).filter(|path| !path.is_empty()).map(|path| (by, path));
    if let Some((by, path)) = VARIABLES.into_iter().find_map(named) {
        return vec![Candidate { path: absolute(Path::new(&path)), by }];
    }
    let beside = beside.map(|path| Candidate { path, by: "beside the executable" });
    let system = Candidate { path: file_name().into(), by: "the system's loader" };
    beside.into_iter().chain([system]).collect()
}

fn first_of(candidates: Vec<Candidate>) -> Result<Runtime> {
    let mut tried = Vec::new();
    for Candidate { path, by } in candidates {
        match start(&path) {
            Ok(environment) => return Ok(Runtime { environment, library: path }),
            Err(why) => tried.push(format!("tried {} ({by}): {why}", path.display())),
        }
    }
    tried.push(ADVICE.into());
    Err(Error::new(Code::ModelRuntime, tried.join("\n")))
}

fn start(path: &Path) -> Result<Environment, String> {
    let builder = ort::init_from(path).map_err(|error| match &error {
        // The loader's own words are the source.
        LoadDynamicError::Dlopen { error: outer, .. } => {
            outer.source().map_or_else(|| error.to_string(), ToString::to_string)
        }
        _ => error.to_string(),
    })?;
    // What ONNX Runtime logs as errors comes back as errors too; left alone it would write a line to
    // stderr for each bad record.
    let log = |_: LogLevel, _: &str, _: &str, place: &str, message: &str| {
        tracing::debug!(target: "onnxruntime", place, "{message}");
    };
    let builder = builder.with_name("tailwater").with_telemetry(false).with_logger(Arc::new(log));
    let environment = builder.build().map_err(|error| words::said(&error))?;
    environment.set_log_level(LogLevel::Error);
    Ok(environment)
}

fn file_name() -> String {
    format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}")
}

fn beside_executable() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.parent()?.join(file_name());
    path.exists().then_some(path)
}

/// So that the library is not searched for elsewhere.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
