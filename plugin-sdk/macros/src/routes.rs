//! `Routes`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Variant};

use crate::structs::{find, plain_name};

/// The number after the last route means: nowhere.
const MOST: usize = 255;

pub(crate) fn routes(input: &DeriveInput) -> Result<TokenStream> {
    let refuse = |what| Err(Error::new_spanned(&input.ident, what));
    let Data::Enum(data) = &input.data else { return refuse("routes are an enum") };
    if data.variants.is_empty() || data.variants.len() > MOST {
        return refuse("there are 1 to 255 routes");
    }
    if !input.generics.params.is_empty() {
        return refuse("routes have no parameters");
    }
    let names = data.variants.iter().map(name).collect::<Result<Vec<_>>>()?;
    let item = &input.ident;
    let variants = data.variants.iter().map(|variant| &variant.ident);
    let index = 0_u8..;
    let index = index.take(names.len());
    Ok(quote! {
        impl ::tailwater_sdk::Routes for #item {
            const NAMES: &'static [&'static str] = &[#(#names),*];

            #[inline(always)]
            fn index(&self) -> u8 {
                match self {
                    #(Self::#variants => #index),*
                }
            }
        }
    })
}

fn name(variant: &Variant) -> Result<String> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new_spanned(variant, "a route has no fields"));
    }
    match find(&variant.attrs, "name") {
        Some(attribute) => Ok(attribute.parse_args::<LitStr>()?.value()),
        None => Ok(kebab_case(&plain_name(&variant.ident))),
    }
}

/// `ForReview` becomes `for-review`.
fn kebab_case(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::kebab_case;

    #[test]
    fn names_become_kebab_case() {
        assert_eq!(kebab_case("Decisions"), "decisions");
        assert_eq!(kebab_case("ForReview2"), "for-review2");
    }
}
