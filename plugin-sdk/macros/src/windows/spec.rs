//! `#[mean("amount", "7d", filter = "declined")]`: attribute of a field of `Windows`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, Expr, ExprCall, Field, Lit, LitStr, Result, Type, parse_quote};

use super::Arguments;
use super::lookup::Lookup;
use crate::duration;

/// What a field asks for.
pub(super) struct Spec {
    pub(super) fold: Fold,
    pub(super) column: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) from: Option<LitStr>,
    /// Behind `Window::`.
    pub(super) window: TokenStream,
}

pub(super) enum Fold {
    /// Behind `Fold::`.
    Ready(TokenStream),
    Custom(Box<Type>),
}

/// Folds of a column and a window.
const OF_COLUMN: [(&str, &str); 6] = [
    ("sum", "Sum"),
    ("mean", "Mean"),
    ("variance", "Variance"),
    ("min", "Min"),
    ("max", "Max"),
    ("distinct", "Distinct"),
];
const LOOKUP: &str = "lookup";
const OTHERS: [&str; 7] = ["count", "latest", "since_latest", "quantile", "decayed_mean", "top_k", "fold"];

/// Of a field.
pub(super) enum Asked {
    Aggregate(Spec),
    LookedUp(Lookup),
}

impl Asked {
    pub(super) fn of(field: &Field) -> Result<Self> {
        let mut known = field.attrs.iter().filter_map(|attribute| Some((attribute, name(attribute)?)));
        match (known.next(), known.next()) {
            (Some((attribute, name)), None) if name == LOOKUP => Ok(Self::LookedUp(Lookup::of(attribute)?)),
            (Some((attribute, name)), None) => Ok(Self::Aggregate(Spec::of(attribute, &name)?)),
            _ => Err(Error::new_spanned(field, "a field needs one attribute like #[count(\"7d\")]")),
        }
    }
}

impl Spec {
    fn of(attribute: &Attribute, name: &str) -> Result<Self> {
        let arguments = match &attribute.meta {
            syn::Meta::Path(_) => Arguments::new(),
            _ => attribute.parse_args_with(Arguments::<Expr>::parse_terminated)?,
        };
        let mut arguments = Sorted::of(attribute, arguments)?;
        let (fold, column) = arguments.fold(name)?;
        let window = arguments.window(name)?;
        Ok(Self { fold, column, filter: arguments.filter, from: arguments.from, window })
    }
}

fn name(attribute: &Attribute) -> Option<String> {
    let name = attribute.path().get_ident()?.to_string();
    let known = name == LOOKUP
        || OTHERS.contains(&name.as_str())
        || OF_COLUMN.iter().any(|(known, _)| *known == name);
    known.then_some(name)
}

/// Arguments, the named ones apart.
struct Sorted<'a> {
    attribute: &'a Attribute,
    /// Yet to be read, the first being the last here.
    plain: Vec<Expr>,
    filter: Option<String>,
    from: Option<LitStr>,
}

impl<'a> Sorted<'a> {
    fn of(attribute: &'a Attribute, arguments: Arguments<Expr>) -> Result<Self> {
        let mut sorted = Self { attribute, plain: Vec::new(), filter: None, from: None };
        for argument in arguments {
            let Expr::Assign(named) = &argument else {
                sorted.plain.push(argument);
                continue;
            };
            let value = text(&named.right)?;
            let left = &named.left;
            match quote!(#left).to_string().as_str() {
                "filter" => sorted.filter = Some(value.value()),
                "from" => sorted.from = Some(value),
                _ => return Err(Error::new_spanned(left, "there are `filter` and `from`")),
            }
        }
        sorted.plain.reverse();
        Ok(sorted)
    }

    fn fold(&mut self, name: &str) -> Result<(Fold, Option<String>)> {
        if let Some((_, fold)) = OF_COLUMN.iter().find(|(known, _)| *known == name) {
            let fold: syn::Ident = syn::parse_str(fold)?;
            return Ok((Fold::Ready(quote!(#fold)), Some(self.column()?)));
        }
        let (fold, column) = match name {
            "count" if self.plain.len() > 1 => (quote!(Count), Some(self.column()?)),
            "count" => (quote!(Count), None),
            "latest" => (quote!(Latest), Some(self.column()?)),
            "since_latest" => (quote!(SinceLatest), None),
            "quantile" => {
                let column = self.column()?;
                let q = self.next("the quantile, like 0.9")?;
                (quote!(Quantile(#q)), Some(column))
            }
            "decayed_mean" => {
                let column = self.column()?;
                let half_life = duration::parse(&text(&self.next("the half-life, like \"1h\"")?)?)?;
                (quote!(DecayedMean(#half_life)), Some(column))
            }
            "top_k" => {
                let column = self.column()?;
                let k = self.next("how many")?;
                (quote!(TopK(#k)), Some(column))
            }
            _ => {
                let fold = self.next("the type of the fold")?;
                return Ok((Fold::Custom(Box::new(parse_quote!(#fold))), None));
            }
        };
        Ok((Fold::Ready(fold), column))
    }

    /// What is left must be the window; folds of the newest entry may do without.
    fn window(&mut self, name: &str) -> Result<TokenStream> {
        if self.plain.is_empty() && matches!(name, "latest" | "since_latest") {
            return Ok(quote!(Forever));
        }
        let window = window(&self.next("the window, like \"7d\"")?)?;
        match self.plain.pop() {
            Some(more) => Err(Error::new_spanned(more, "this is one argument too many")),
            None => Ok(window),
        }
    }

    fn column(&mut self) -> Result<String> {
        Ok(text(&self.next("the column, like \"amount\"")?)?.value())
    }

    fn next(&mut self, what: &str) -> Result<Expr> {
        let missing = || Error::new_spanned(self.attribute, format!("an argument is missing: {what}"));
        self.plain.pop().ok_or_else(missing)
    }
}

const WINDOWS: &str = "a window is a duration like \"7d\", \"forever\", tumbling(\"1h\"), \
    hopping(\"1d\", \"1h\"), session(\"30m\") or last(10)";

fn window(expression: &Expr) -> Result<TokenStream> {
    match expression {
        Expr::Call(call) => called_window(call),
        _ => {
            let text = text(expression).map_err(|error| Error::new(error.span(), WINDOWS))?;
            if text.value() == "forever" {
                return Ok(quote!(Forever));
            }
            let size = duration::parse(&text)?;
            Ok(quote!(Sliding(#size)))
        }
    }
}

fn called_window(call: &ExprCall) -> Result<TokenStream> {
    let function = &call.func;
    let name = quote!(#function).to_string();
    let arguments: Vec<_> = call.args.iter().collect();
    let duration = |expression: &Expr| duration::parse(&text(expression)?);
    match (name.as_str(), &arguments[..]) {
        ("tumbling", [size]) => {
            let size = duration(size)?;
            Ok(quote!(Tumbling(#size)))
        }
        ("hopping", [size, slide]) => {
            let (size, slide) = (duration(size)?, duration(slide)?);
            Ok(quote!(Hopping { size: #size, slide: #slide }))
        }
        ("session", [gap]) => {
            let gap = duration(gap)?;
            Ok(quote!(Session(#gap)))
        }
        ("last", [rows]) => Ok(quote!(Last(#rows))),
        _ => Err(Error::new_spanned(call, WINDOWS)),
    }
}

fn text(expression: &Expr) -> Result<LitStr> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Ok(text.clone()),
            _ => Err(Error::new_spanned(expression, "this must be a text")),
        },
        _ => Err(Error::new_spanned(expression, "this must be a text")),
    }
}
