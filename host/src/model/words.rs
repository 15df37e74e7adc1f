//! How models are spoken of in errors. What a model calls things is not to be trusted.

use ort::value::{TensorElementType, ValueType};

/// Characters that are kept of a name.
const NAME_LIMIT: usize = 80;
/// Names that are kept of a list.
const LIST_LIMIT: usize = 24;
/// Bytes that are kept of what ONNX Runtime says.
const TEXT_LIMIT: usize = 600;

/// A name in backticks, on one line, of bounded length.
pub(super) fn quoted(name: &str) -> String {
    let mut text: String = name.chars().take(NAME_LIMIT).flat_map(char::escape_debug).collect();
    if name.chars().nth(NAME_LIMIT).is_some() {
        text.push('…');
    }
    format!("`{text}`")
}

/// Names in backticks, or `none`.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let mut shown: Vec<String> = names.iter().take(LIST_LIMIT).map(|name| quoted(name)).collect();
    match names.len().saturating_sub(LIST_LIMIT) {
        0 if names.is_empty() => return "none".into(),
        0 => {}
        more => shown.push(format!("and {more} more")),
    }
    shown.join(", ")
}

/// What ONNX Runtime said.
pub(super) fn said(error: &ort::Error) -> String {
    let text = error.to_string();
    let end = text.floor_char_boundary(TEXT_LIMIT);
    let dots = if end < text.len() { "…" } else { "" };
    format!("{}{dots}", text[..end].trim())
}

/// A type with its shape: `float [N, 9]`; a dimension that may vary is a letter or `?`.
pub(super) fn shaped(dtype: &ValueType) -> String {
    match dtype {
        ValueType::Tensor { ty, shape, dimension_symbols } => {
            let dimension = |(at, size): (usize, &i64)| match dimension_symbols.get(at).map(|s| s.as_str()) {
                _ if *size >= 0 => size.to_string(),
                Some(symbol) if !symbol.is_empty() && symbol.len() < 20 => symbol.escape_debug().to_string(),
                _ => "?".into(),
            };
            let dimensions: Vec<String> = shape.iter().enumerate().map(dimension).collect();
            format!("{} [{}]", element(*ty), dimensions.join(", "))
        }
        ValueType::Sequence(inner) => format!("a sequence of {}", shaped(inner)),
        ValueType::Map { key, value } => format!("maps from {} to {}", element(*key), element(*value)),
        ValueType::Optional(inner) => format!("an optional {}", shaped(inner)),
    }
}

/// In ONNX's words.
fn element(ty: TensorElementType) -> String {
    match ty {
        TensorElementType::Float32 => "float".into(),
        TensorElementType::Float64 => "double".into(),
        TensorElementType::Int32 => "int32".into(),
        TensorElementType::Int64 => "int64".into(),
        TensorElementType::Bool => "bool".into(),
        TensorElementType::String => "string".into(),
        other => other.to_string(),
    }
}
