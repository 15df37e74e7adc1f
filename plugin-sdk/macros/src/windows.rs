//! `Windows`.

mod spec;

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{DeriveInput, Error, LitStr, Result, Token, Type};

use crate::structs::{Struct, plain_name, with_static};
use spec::{Fold, Spec};

pub(crate) fn windows(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let sides = input
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("input"))
        .map(|attribute| attribute.parse_args::<Side>())
        .collect::<Result<Vec<_>>>()?;
    let mut folds = Folds::default();
    let mut aggregates = Vec::new();
    for field in &item.fields {
        let spec = Spec::of(field)?;
        let name = plain_name(field.ident.as_ref().expect("fields have names"));
        aggregates.push(aggregate(&item, &name, &spec, &sides, &mut folds)?);
    }
    let sides = sides.iter().map(Side::tokens);
    let folds = folds.tokens();
    let body = reading_and_writing(&item);
    let (name, generics) = (item.name, item.generics());
    Ok(quote! {
        impl #generics ::tailwater_sdk::Windows for #name #generics {
            const SIDES: &'static [::tailwater_sdk::Side] = &[#(#sides),*];
            const AGGREGATES: &'static [::tailwater_sdk::Aggregate] = &[#(#aggregates),*];
            const FOLDS: &'static [::tailwater_sdk::CustomFold] = &[#(#folds),*];
            #body
        }
    })
}

fn reading_and_writing(item: &Struct<'_>) -> TokenStream {
    let (name, of) = (item.name, item.with(&quote!('__b)));
    let (names, statics, types) = (item.names(), item.static_types(), item.types());
    let count = names.len();
    let at: Vec<_> = (0..count).collect();
    let kinds: Vec<_> = at
        .iter()
        .zip(&statics)
        .map(|(at, ty)| quote!(const { ::tailwater_sdk::kind_of::<Self, __R, #ty>(#at) }))
        .collect();
    quote! {
        type Of<'__b> = #of;
        type Readers<'__b> = [::tailwater_sdk::batch::ColumnReader<'__b>; #count];

        #[allow(unused_variables)]
        fn open<'__b, __R: ::tailwater_sdk::Fields>(
            __batch: &::tailwater_sdk::batch::Batch<'__b>,
            __first: usize,
        ) -> ::core::result::Result<Self::Readers<'__b>, ::tailwater_sdk::batch::Flaw> {
            ::core::result::Result::Ok([#(::tailwater_sdk::open_cell(__batch, __first + #at, #kinds)?),*])
        }

        #[inline(always)]
        #[allow(unused_variables)]
        unsafe fn read<'__b, __R: ::tailwater_sdk::Fields>(
            __readers: &Self::Readers<'__b>,
            __row: usize,
        ) -> Self::Of<'__b> {
            // SAFETY: each column was opened as one of this kind.
            unsafe {
                #name { #(#names: <#statics as ::tailwater_sdk::Cell>::read(&__readers[#at], __row, #kinds)),* }
            }
        }

        fn writers<__R: ::tailwater_sdk::Fields>() -> ::std::vec::Vec<::tailwater_sdk::batch::ColumnWriter> {
            ::std::vec![#(::tailwater_sdk::cell_writer(#kinds)),*]
        }

        #[allow(unused_variables)]
        fn write<__R: ::tailwater_sdk::Fields>(
            &self,
            __writers: &mut [::tailwater_sdk::batch::ColumnWriter],
        ) {
            #(<#types as ::tailwater_sdk::Cell>::write(&self.#names, &mut __writers[#at], #kinds);)*
        }
    }
}

fn aggregate(
    item: &Struct<'_>,
    name: &str,
    spec: &Spec,
    sides: &[Side],
    folds: &mut Folds,
) -> Result<TokenStream> {
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
    let mistakes = mistakes(item, name, spec);
    Ok(quote! {
        ::tailwater_sdk::Aggregate {
            name: #name,
            input: #input,
            fold: ::tailwater_sdk::describe::Fold::#fold,
            column: #column,
            filter: #filter,
            window: ::tailwater_sdk::describe::Window::#window,
            mistakes: [#(#mistakes),*],
        }
    })
}

/// What the compiler shows if a name or a type turns out wrong for the row that is used.
fn mistakes(item: &Struct<'_>, name: &str, spec: &Spec) -> [String; 3] {
    let place = format!("{}::{name}", item.name);
    let column = match (&spec.fold, &spec.column) {
        (Fold::Custom(fold), _) => {
            let fold = quote!(#fold);
            format!("{place}: the row lacks a column of the entry of {fold}, or has it with another type")
        }
        (_, column) => {
            format!("{place}: the row has no column `{}`", column.as_deref().unwrap_or_default())
        }
    };
    let filter = spec.filter.as_deref().unwrap_or_default();
    let filter = format!("{place}: the row has no boolean column `{filter}`");
    [column, filter, format!("{place}: the value is of another type than the field")]
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
