//! The derives and attributes of `tailwater-sdk`. They are documented at the traits that they
//! implement.

mod duration;
mod features;
mod fields;
mod register;
mod routes;
mod settings;
mod structs;
mod windows;
mod worlds;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemFn, parse_macro_input};

/// A struct as a row: see the trait of this name.
#[proc_macro_derive(Row, attributes(column))]
pub fn row(input: TokenStream) -> TokenStream {
    finish(fields::row(&parse_macro_input!(input as DeriveInput)))
}

/// What rules want to see: see the trait of this name.
#[proc_macro_derive(View, attributes(column, features, score))]
pub fn view(input: TokenStream) -> TokenStream {
    finish(fields::view(&parse_macro_input!(input as DeriveInput)))
}

/// What the pipeline's file may set: see the trait of this name.
#[proc_macro_derive(Settings, attributes(default, name))]
pub fn settings(input: TokenStream) -> TokenStream {
    finish(settings::settings(&parse_macro_input!(input as DeriveInput)))
}

/// Values of windows and tables: see the trait of this name.
#[proc_macro_derive(
    Windows,
    attributes(
        input,
        count,
        sum,
        mean,
        variance,
        min,
        max,
        latest,
        since_latest,
        distinct,
        quantile,
        decayed_mean,
        top_k,
        fold,
        lookup
    )
)]
pub fn windows(input: TokenStream) -> TokenStream {
    finish(windows::windows(&parse_macro_input!(input as DeriveInput)))
}

/// A feature vector: see the trait `Vector`.
#[proc_macro_derive(Features, attributes(name, id))]
pub fn vector(input: TokenStream) -> TokenStream {
    finish(features::vector(&parse_macro_input!(input as DeriveInput)))
}

/// The ways out: see the trait of this name.
#[proc_macro_derive(Routes, attributes(name))]
pub fn routes(input: TokenStream) -> TokenStream {
    finish(routes::routes(&parse_macro_input!(input as DeriveInput)))
}

/// What a fold knows: see the trait of this name.
#[proc_macro_derive(Register)]
pub fn register(input: TokenStream) -> TokenStream {
    finish(register::register(&parse_macro_input!(input as DeriveInput)))
}

/// Makes a preprocessor of a function from a row to rows.
///
/// ```text
/// #[preprocessor]
/// fn clean<'a>(raw: &Raw<'a>, limits: &Limits) -> Result<Option<Tx<'a>>, Rejection> { ... }
/// ```
///
/// It takes a reference to a row and, if it has any, to its settings. It returns what the trait
/// `Outcome` says. A row with a lifetime must show it: `&Raw<'_>`, not `&Raw`. One plugin a crate;
/// natively, one a module: `pub fn plugin()` is generated beside it.
#[proc_macro_attribute]
pub fn preprocessor(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(worlds::preprocessor(&arguments.into(), &parse_macro_input!(item as ItemFn)))
}

/// Makes a features plugin of a function from a row and the values of its windows to a vector.
///
/// ```text
/// #[features]
/// fn features(t: &Tx, w: &W, settings: &Limits) -> F { ... }
///
/// #[features(on_close = Tx)]
/// fn features(hour: &Hour, w: &W, settings: &Limits) -> F { ... }
/// ```
///
/// It takes references to a row, to windows (left out, or `&()`: there are none) and, if it has
/// any, to its settings. It returns what the trait `Vectored` says. Types with a lifetime must show
/// it: `&Tx<'_>`. One plugin a crate; natively, one a module: `pub fn plugin()` is generated beside
/// it.
///
/// With `on_close = Tx` there is a vector for each window that closes: see the trait `Compute`.
#[proc_macro_attribute]
pub fn features(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(worlds::features(&arguments.into(), &parse_macro_input!(item as ItemFn)))
}

/// Makes rules of a function from a view to a decision.
///
/// ```text
/// #[rules]
/// fn decide<'a>(seen: &Seen<'a>, settings: &Limits) -> (Route, Out<'a>) { ... }
/// ```
///
/// It takes a reference to a view and, if it has any, to its settings. It returns what the trait
/// `Decision` says. Types with a lifetime must show it: `&Seen<'_>`. One plugin a crate; natively,
/// one a module: `pub fn plugin()` is generated beside it.
#[proc_macro_attribute]
pub fn rules(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(worlds::rules(&arguments.into(), &parse_macro_input!(item as ItemFn)))
}

fn finish(tokens: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    tokens.unwrap_or_else(|error| error.into_compile_error()).into()
}
