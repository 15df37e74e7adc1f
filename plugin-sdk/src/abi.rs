//! The component model's canonical ABI, by hand: what the host calls, and how values lie in memory
//! that cross the border.
//!
//! Parameters lie in an [`Arena`](arena::Arena) that starts anew after each call. Results lie in
//! memory of the plugin that is reused, so there is nothing to free: no `cabi_post_*`, and the host
//! may read them until the next call.

#[cfg(any(test, target_arch = "wasm32"))]
mod arena;
// With the tests, so that its mistakes show without a target for WebAssembly.
#[cfg(any(test, target_arch = "wasm32"))]
mod guest;
#[cfg(any(test, target_arch = "wasm32"))]
mod layout;
#[cfg(any(test, target_arch = "wasm32"))]
mod lower;
#[cfg(any(test, target_arch = "wasm32"))]
mod wire;

#[cfg(any(test, target_arch = "wasm32"))]
pub use guest::*;

/// Exports a type that implements a world of [`world`](crate::world) by hand. At most one a crate.
/// It also generates `pub fn plugin()`, for running it [natively](crate::native).
///
/// `export!(preprocessor, MyType)`, `export!(features, MyType)`, `export!(custom_features, MyType)`
/// (a features plugin with folds of its own), or `export!(rules, MyType)`.
#[macro_export]
macro_rules! export {
    (preprocessor, $type:ty) => {
        $crate::__export!($type, Preprocessor, preprocessor(), process, $crate::component_type::PREPROCESSOR);
    };
    (features, $type:ty) => {
        $crate::export!(@features $type, false);
    };
    (custom_features, $type:ty) => {
        $crate::export!(@features $type, true);
    };
    (@features $type:ty, $custom:expr) => {
        $crate::__export!(
            $type, Features, features($custom), compute, $crate::component_type::features($custom),
            // A world without folds does not know these exports, and the host never sees them.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn fold(
                custom: u32,
                rows: u32,
                spans: *const u32,
                spans_length: usize,
                data: *const u8,
                data_length: usize,
                tape: *const u32,
                tape_length: usize,
                registers: *mut u8,
                registers_length: usize,
            ) -> *const u8 {
                // SAFETY: the host calls this with a sound batch and lists of its own.
                PLUGIN.with_borrow_mut(|plugin| unsafe {
                    let entries = $crate::abi::batch(rows, spans, spans_length, data, data_length);
                    let tape = ::core::slice::from_raw_parts(tape, tape_length);
                    let registers = ::core::slice::from_raw_parts_mut(registers, registers_length);
                    $crate::abi::fold(plugin, custom, &entries, tape, registers)
                })
            },
            #[unsafe(no_mangle)]
            unsafe extern "C" fn migrate(
                custom: u32,
                version: u32,
                count: u32,
                registers: *const u8,
                registers_length: usize,
            ) -> *const u8 {
                // SAFETY: the host calls this with a list of its own.
                PLUGIN.with_borrow_mut(|plugin| unsafe {
                    let registers = ::core::slice::from_raw_parts(registers, registers_length);
                    $crate::abi::migrate(plugin, custom, version, count, registers)
                })
            }
        );
    };
    (rules, $type:ty) => {
        $crate::__export!($type, Rules, rules(), decide, $crate::component_type::RULES);
    };
}

/// The exports of a world: the call that works on rows, what all worlds have, and what `$more` says;
/// and the section that says which world it is.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($type:ty, $world:ident, $start:ident($($custom:expr)?), $work:ident, $section:expr $(, $more:item)*) => {
        /// This plugin, for running it without a sandbox.
        #[allow(unreachable_pub)]
        pub fn plugin() -> $crate::native::Plugin {
            $crate::native::Plugin::$start::<$type>($($custom)?)
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static PLUGIN: ::core::cell::RefCell<$crate::abi::Slot<$type>> =
                    const { ::core::cell::RefCell::new($crate::abi::Slot::FRESH) };
            }

            #[used]
            #[unsafe(link_section = "component-type:tailwater")]
            static COMPONENT_TYPE: [u8; $section.len()] = $crate::component_type::array($section);

            #[unsafe(no_mangle)]
            unsafe extern "C" fn cabi_realloc(
                old: *mut u8,
                old_length: usize,
                align: usize,
                new_length: usize,
            ) -> *mut u8 {
                // SAFETY: the host calls this as the canonical ABI says.
                unsafe { $crate::abi::realloc(old, old_length, align, new_length) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn describe(
                columns: *const u8,
                columns_length: usize,
                rows: u32,
                spans: *const u32,
                spans_length: usize,
                data: *const u8,
                data_length: usize,
            ) -> *const u8 {
                // SAFETY: the host calls this with sound settings.
                PLUGIN.with_borrow_mut(|plugin| unsafe {
                    let row = $crate::abi::batch(rows, spans, spans_length, data, data_length);
                    let describe = <$type as $crate::world::$world>::describe;
                    $crate::abi::describe(plugin, columns, columns_length, &row, describe)
                })
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn $work(
                rows: u32,
                spans: *const u32,
                spans_length: usize,
                data: *const u8,
                data_length: usize,
            ) -> *const u8 {
                // SAFETY: the host calls this with a sound batch.
                PLUGIN.with_borrow_mut(|plugin| unsafe {
                    let rows = $crate::abi::batch(rows, spans, spans_length, data, data_length);
                    $crate::abi::$work(plugin, &rows)
                })
            }

            $($more)*
        };
    };
}

#[cfg(test)]
mod tests;
