//! `preprocessor`, `features` and `rules`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Error, FnArg, ItemFn, Result, ReturnType, Token, Type};

use crate::structs::with_static;

pub(crate) fn preprocessor(arguments: &TokenStream, function: &ItemFn) -> Result<TokenStream> {
    let signature = Signature::of(arguments, function, 2)?;
    let (raw, settings, outcome) = (&signature.parameters[0], signature.settings(1), &signature.returned);
    let call = signature.call(&["__row"], 1);
    Ok(quote! {
        #function

        struct __Plugin;

        impl ::tailwater_sdk::Clean for __Plugin {
            type Settings = #settings;
            type Raw = #raw;
            type Row = <#outcome as ::tailwater_sdk::Outcome>::Row;

            #[inline(always)]
            #[allow(unused_variables)]
            fn clean<'__b>(
                __row: &<Self::Raw as ::tailwater_sdk::Fields>::Of<'__b>,
                __settings: &Self::Settings,
                __out: &mut ::tailwater_sdk::Cleaned<'_, <Self::Row as ::tailwater_sdk::Fields>::Writers>,
            ) {
                ::tailwater_sdk::Outcome::put(#call, __out)
            }
        }

        ::tailwater_sdk::export!(preprocessor, ::tailwater_sdk::RowPreprocessor<__Plugin>);
    })
}

pub(crate) fn features(arguments: &TokenStream, function: &ItemFn) -> Result<TokenStream> {
    let on_close = on_close(arguments)?;
    let signature = Signature::of(&TokenStream::new(), function, 3)?;
    let (row, settings, vectored) = (&signature.parameters[0], signature.settings(2), &signature.returned);
    let windows = signature.settings(1);
    let call = signature.call(&["__row", "__windows"], 2);
    let (closes, record) = (on_close.is_some(), on_close.as_ref().unwrap_or(row));
    Ok(quote! {
        #function

        struct __Plugin;

        impl ::tailwater_sdk::Compute for __Plugin {
            type Settings = #settings;
            type Record = #record;
            type Row = #row;
            type Windows = #windows;
            type Vector = <#vectored as ::tailwater_sdk::Vectored>::Vector;
            const ON_CLOSE: bool = #closes;

            #[inline(always)]
            #[allow(unused_variables)]
            fn compute<'__b>(
                __row: &<Self::Row as ::tailwater_sdk::Fields>::Of<'__b>,
                __windows: &<Self::Windows as ::tailwater_sdk::Windows>::Of<'__b>,
                __settings: &Self::Settings,
                __out: &mut ::tailwater_sdk::Computation<'_>,
            ) {
                ::tailwater_sdk::Vectored::put(#call, __out)
            }
        }

        ::tailwater_sdk::export!(@features
            ::tailwater_sdk::RowFeatures<__Plugin>,
            !<#windows as ::tailwater_sdk::Windows>::FOLDS.is_empty()
        );
    })
}

/// `Tx` of `on_close = Tx`.
fn on_close(arguments: &TokenStream) -> Result<Option<TokenStream>> {
    if arguments.is_empty() {
        return Ok(None);
    }
    let parse = |input: ParseStream<'_>| {
        let name: Ident = input.parse()?;
        if name != "on_close" {
            return Err(Error::new_spanned(name, "the only argument is `on_close = Tx`, Tx being a row"));
        }
        input.parse::<Token![=]>()?;
        input.parse::<Type>()
    };
    parse.parse2(arguments.clone()).map(|row| Some(with_static(&row)))
}

pub(crate) fn rules(arguments: &TokenStream, function: &ItemFn) -> Result<TokenStream> {
    let signature = Signature::of(arguments, function, 2)?;
    let (seen, settings, decision) = (&signature.parameters[0], signature.settings(1), &signature.returned);
    let call = signature.call(&["__row"], 1);
    Ok(quote! {
        #function

        struct __Plugin;

        impl ::tailwater_sdk::Decide for __Plugin {
            type Settings = #settings;
            type Seen = #seen;
            type Row = <#decision as ::tailwater_sdk::Decision>::Row;
            type Routes = <#decision as ::tailwater_sdk::Decision>::Routes;

            #[inline(always)]
            #[allow(unused_variables)]
            fn decide<'__b>(
                __row: &<Self::Seen as ::tailwater_sdk::Fields>::Of<'__b>,
                __settings: &Self::Settings,
                __out: &mut ::tailwater_sdk::Choice<'_, <Self::Row as ::tailwater_sdk::Fields>::Writers>,
            ) {
                ::tailwater_sdk::Decision::put(#call, __out)
            }
        }

        ::tailwater_sdk::export!(rules, ::tailwater_sdk::RowRules<__Plugin>);
    })
}

/// Of the author's function, all lifetimes being `'static`.
struct Signature<'a> {
    function: &'a ItemFn,
    parameters: Vec<TokenStream>,
    returned: TokenStream,
}

impl<'a> Signature<'a> {
    fn of(arguments: &TokenStream, function: &'a ItemFn, most: usize) -> Result<Self> {
        if !arguments.is_empty() {
            return Err(Error::new_spanned(arguments, "this attribute takes no arguments"));
        }
        let inputs = &function.sig.inputs;
        if inputs.is_empty() || inputs.len() > most {
            let message = format!("the function takes 1 to {most} parameters, settings being the last");
            return Err(Error::new_spanned(&function.sig, message));
        }
        let parameters = inputs.iter().map(referent).collect::<Result<_>>()?;
        let ReturnType::Type(_, returned) = &function.sig.output else {
            return Err(Error::new_spanned(&function.sig, "the function must return something"));
        };
        Ok(Self { function, parameters, returned: with_static(returned) })
    }

    /// Type of a parameter that may be left out.
    fn settings(&self, index: usize) -> TokenStream {
        self.parameters.get(index).cloned().unwrap_or_else(|| quote!(()))
    }

    /// The call, with these arguments and then the settings, as far as the function takes them.
    fn call(&self, arguments: &[&str], settings: usize) -> TokenStream {
        let name = &self.function.sig.ident;
        let taken = self.parameters.len();
        let arguments = arguments.iter().take(taken).map(|name| quote::format_ident!("{name}"));
        let settings = (taken > settings).then(|| quote!(__settings));
        quote!(#name(#(#arguments,)* #settings))
    }
}

/// `T` of a parameter `x: &T`.
fn referent(parameter: &FnArg) -> Result<TokenStream> {
    if let FnArg::Typed(parameter) = parameter
        && let Type::Reference(reference) = &*parameter.ty
        && reference.mutability.is_none()
    {
        return Ok(with_static(&reference.elem));
    }
    Err(Error::new_spanned(parameter, "each parameter is a reference: `&T`"))
}
