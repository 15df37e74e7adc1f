//! Names of a matrix's columns: the model's own, or the pipeline file's.

use std::collections::HashSet;

use crate::error::{Code, Error, Result};
use crate::model::words;

/// Property of a model's metadata: a JSON array of strings, one a column of its matrix.
pub(super) const PROPERTY: &str = "tailwater.features";

/// Names in the order of the matrix's columns; `None` if nobody says. Where the model and the pipeline
/// both do, they must agree.
pub(super) fn of_matrix(property: Option<&str>, given: Option<&[String]>) -> Result<Option<Vec<String>>> {
    let own = property.map(parse).transpose()?;
    if let (Some(own), Some(given)) = (&own, given)
        && own != given
    {
        return Err(Error::new(Code::ModelInputs, differ(own, given)));
    }
    let names = own.or_else(|| given.map(<[String]>::to_vec));
    match names.as_deref().and_then(repeated) {
        Some(name) => {
            let name = words::quoted(name);
            Err(Error::new(Code::ModelInputs, format!("the feature {name} is named twice")))
        }
        None => Ok(names),
    }
}

fn parse(property: &str) -> Result<Vec<String>> {
    serde_json::from_str(property).map_err(|error| {
        let message = format!("its metadata property `{PROPERTY}` is no JSON array of strings: {error}");
        Error::new(Code::ModelInputs, message)
    })
}

fn differ(own: &[String], given: &[String]) -> String {
    let at = own.iter().zip(given).position(|(a, b)| a != b).unwrap_or(own.len().min(given.len()));
    let name = |names: &[String]| names.get(at).map_or("nothing".into(), |name| words::quoted(name));
    format!(
        "its metadata and the pipeline file name different features: {} and {}, at {at} (counted from 0) {} \
         and {}. Take the names out of the pipeline file: the model knows its own",
        own.len(),
        given.len(),
        name(own),
        name(given)
    )
}

fn repeated(names: &[String]) -> Option<&str> {
    let mut seen = HashSet::new();
    names.iter().map(String::as_str).find(|name| !seen.insert(*name))
}
