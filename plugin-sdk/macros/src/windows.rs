//! `Windows`.

mod access;
mod lookup;
mod spec;

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{DeriveInput, Error, LitStr, Result, Token, Type};

use crate::structs::{Struct, plain_name, with_static};
use lookup::Lookups;
use spec::{Asked, Fold, Spec};

pub(crate) fn windows(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let sides = sides(input)?;
    let (mut folds, mut lookups) = (Folds::default(), Lookups::default());
    let (mut aggregates, mut values) = (Vec::new(), Vec::new());
    for field in &item.fields {
        let name = plain_name(field.ident.as_ref().expect("fields have names"));
        let place = format!("{}::{name}", item.name);
        values.push(match Asked::of(field)? {
            Asked::Aggregate(spec) => {
                aggregates.push(aggregate(&place, &name, &spec, &sides, &mut folds)?);
                Value::Aggregate(aggregates.len() - 1)
            }
            Asked::LookedUp(lookup) => lookups.take(lookup, &place, &field.ty)?,
        });
    }
    let body = access::reading_and_writing(&item, &values, &lookups.starts(aggregates.len()));
    let sides = sides.iter().map(Side::tokens);
    let (folds, lookups) = (folds.tokens(), lookups.tokens());
    let (name, generics) = (item.name, item.generics());
    Ok(quote! {
        impl #generics ::tailwater_sdk::Windows for #name #generics {
            const SIDES: &'static [::tailwater_sdk::Side] = &[#(#sides),*];
            const AGGREGATES: &'static [::tailwater_sdk::Aggregate] = &[#(#aggregates),*];
            const FOLDS: &'static [::tailwater_sdk::CustomFold] = &[#(#folds),*];
            const LOOKUPS: &'static [::tailwater_sdk::Lookup] = &[#(#lookups),*];
            #body
        }
    })
}

fn sides(input: &DeriveInput) -> Result<Vec<Side>> {
    let mut sides: Vec<Side> = Vec::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("input")) {
        let side = attribute.parse_args::<Side>()?;
        if sides.iter().any(|known| known.source.value() == side.source.value()) {
            return Err(Error::new_spanned(side.source, "the struct has this input already"));
        }
        sides.push(side);
    }
    Ok(sides)
}

/// What a field is, and where its column stands.
enum Value {
    /// Index among the aggregates.
    Aggregate(usize),
    /// Indices of the lookup and of its column.
    LookedUp(usize, usize),
}

fn aggregate(place: &str, name: &str, spec: &Spec, sides: &[Side], folds: &mut Folds) -> Result<TokenStream> {
    let input = match &spec.from {
        None => 0,
        Some(from) => 1 + position(sides, from)?,
    };
    let fold = match &spec.fold {
        Fold::Ready(fold) => quote!(#fold),
        Fold::Custom(fold) => {
            let index = folds.index(fold, input);
            quote!(Custom(#index))
        }
    };
    let (column, filter, window) = (option(&spec.column), option(&spec.filter), &spec.window);
    let mistakes = mistakes(place, spec);
    Ok(quote! {
        ::tailwater_sdk::Aggregate {
            name: #name,
            input: #input,
            fold: ::tailwater_sdk::describe::Fold::#fold,
            column: #column,
            filter: #filter,
            window: ::tailwater_sdk::describe::Window::#window,
            mistakes: #mistakes,
        }
    })
}

/// What the compiler shows if something turns out wrong for the row that is used.
fn mistakes(place: &str, spec: &Spec) -> TokenStream {
    let row = match &spec.from {
        None => "the row".to_owned(),
        Some(from) => format!("the row of the input `{}`", from.value()),
    };
    let named = spec.column.as_deref().unwrap_or_default();
    let column = match &spec.fold {
        Fold::Custom(fold) => {
            let fold = quote!(#fold);
            format!("{place}: {row} lacks a column of the entry of {fold}, or has it with another type")
        }
        Fold::Ready(_) => format!("{place}: {row} has no column `{named}`"),
    };
    let filter = spec.filter.as_deref().unwrap_or_default();
    let filter = format!("{place}: {row} has no boolean column `{filter}`");
    let kind = format!(
        "{place}: this can't be had of the type of `{named}`; of texts and bytes there are count and distinct, \
         of lists of floats nothing"
    );
    let field = format!("{place}: the value is of another type than the field");
    let closing = format!(
        "{place}: closed windows are all one tumbling, hopping or session window, and know no latest, \
         since_latest or fold of their own"
    );
    quote! {
        ::tailwater_sdk::Mistakes {
            column: #column,
            kind: #kind,
            filter: #filter,
            field: #field,
            closing: #closing,
        }
    }
}

fn position(sides: &[Side], from: &LitStr) -> Result<usize> {
    let found = sides.iter().position(|side| side.source.value() == from.value());
    found.ok_or_else(|| {
        let message = format!("the struct has no #[input({:?}, ...)]", from.value());
        Error::new_spanned(from, message)
    })
}

fn option(name: &Option<String>) -> TokenStream {
    match name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    }
}

/// `#[input("labels", Label)]`
struct Side {
    source: LitStr,
    row: Type,
}

impl syn::parse::Parse for Side {
    fn parse(input: syn::parse::ParseStream<'_>) -> Result<Self> {
        let source: LitStr = input.parse()?;
        if source.value().is_empty() {
            return Err(Error::new_spanned(source, "the input's source must be named"));
        }
        input.parse::<Token![,]>()?;
        let row = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok(Self { source, row })
    }
}

impl Side {
    fn tokens(&self) -> TokenStream {
        let (source, row) = (&self.source, with_static(&self.row));
        quote! {
            ::tailwater_sdk::Side {
                source: #source,
                columns: <#row as ::tailwater_sdk::Fields>::COLUMNS,
            }
        }
    }
}

/// Each custom fold on each input, once.
#[derive(Default)]
struct Folds(Vec<(Type, usize)>);

impl Folds {
    fn index(&mut self, fold: &Type, input: usize) -> u32 {
        let text = quote!(#fold).to_string();
        let same = |(known, on): &(Type, usize)| *on == input && quote!(#known).to_string() == text;
        let index = self.0.iter().position(same).unwrap_or_else(|| {
            self.0.push((fold.clone(), input));
            self.0.len() - 1
        });
        index as u32
    }

    fn tokens(&self) -> Vec<TokenStream> {
        let token = |(fold, input): &(Type, usize)| quote!(::tailwater_sdk::CustomFold::new::<#fold>(#input));
        self.0.iter().map(token).collect()
    }
}

/// Arguments of an attribute, separated by commas.
type Arguments<T> = Punctuated<T, Token![,]>;
