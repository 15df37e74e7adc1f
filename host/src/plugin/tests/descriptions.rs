//! Descriptions that cross the border whole, and those that can't be.

use super::guest::{ECHO, closing_features, pass, rich_features, rich_rules};
use super::*;
use crate::contract::{FeaturesDescription, Fold, RulesDescription, Trigger, Window};
use crate::plugin::instance::{Sandbox, Template};
use crate::plugin::v0_1::{CONTRACT, Processing};

#[test]
fn descriptions_cross_the_border_whole() {
    let bench = Bench::new();
    let plugin = bench.load(&Guest::echo());
    assert_eq!(plugin.preprocessor(&stage()).unwrap().0, pass());
    for description in [rich_features(), closing_features()] {
        let plugin = bench.load(&Guest::features("custom-features", &description));
        assert_eq!(plugin.features(&stage()).unwrap().0, description);
    }
    let plugin = bench.load(&Guest::rules(&rich_rules()));
    assert_eq!(plugin.rules(&stage()).unwrap().0, rich_rules());
}

#[test]
fn settings_reach_the_plugin() {
    // The threshold, 0.5, is the first value of the settings' row; its span is (0, 8).
    let describe = r#"
        (if (f64.ne (f64.load (local.get 5)) (f64.const 0.5)) (then unreachable))
        (if (i32.ne (i32.load offset=20 (local.get 3)) (i32.const 8)) (then unreachable))
        (if (i32.ne (i32.load8_u offset=8 (local.get 0)) (i32.const 2)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.load (local.get 0))) (i32.const 116)) (then unreachable))
        (if (i32.ne (local.get 2) (i32.const 1)) (then unreachable))"#;
    let bench = Bench::new();
    let mut guest = Guest::described("not 0.5, please", ECHO);
    guest.describe = format!("{describe} (i32.const {})", guest.described_at());
    let parts = ["stage clean", "refuses its settings: not 0.5, please"];
    assert_error(bench.load(&guest).preprocessor(&stage()), Code::PluginDescribe, &parts);
}

#[test]
fn a_describe_that_fails_fails_as_any_call() {
    let bench = Bench::new();
    let describing = |body: &str| {
        let mut guest = Guest::echo();
        guest.describe = body.into();
        let stage = Stage { limits: Limits { time: Duration::from_millis(30), ..stage().limits }, ..stage() };
        bench.load(&guest).preprocessor(&stage)
    };
    assert_error(describing("unreachable"), Code::PluginTrap, &["`describe` trapped", "in describe"]);
    assert_error(describing("(loop $on (br $on)) (i32.const 0)"), Code::PluginTime, &["within 30ms"]);
    assert_error(describing("(i32.const -4)"), Code::PluginOutput, &["`describe` broke the rules"]);
    assert_error(describing("(i32.const 3)"), Code::PluginOutput, &["not aligned"]);
}

#[test]
fn a_description_without_end_is_cut_off() {
    let bench = Bench::new();
    let mut guest = Guest::echo();
    // 100,000 columns, all with the one name that lies in the zeros there.
    guest.describe = "(drop (memory.grow (i32.const 32)))
        (i32.store (i32.const 68) (i32.const 131072)) (i32.store (i32.const 72) (i32.const 100000)) (i32.const 64)"
        .into();
    assert_error(bench.load(&guest).preprocessor(&stage()), Code::PluginOutput, &["more than 1048576 bytes"]);
}

#[test]
fn every_instance_must_describe_itself_alike() {
    let bench = Bench::new();
    let plugin = bench.load(&Guest::echo());
    let mut template = Template::<Processing>::new(&plugin, &CONTRACT, &stage()).unwrap();
    template.description.output.pop();
    let sandbox = Sandbox::new(std::sync::Arc::new(template));
    assert_error(sandbox.map(|_| ()), Code::PluginOutput, &["answered otherwise than before"]);
}

#[test]
fn custom_folds_need_a_function_that_folds() {
    let bench = Bench::new();
    let plugin = bench.load(&Guest::features("features", &rich_features()));
    let parts = ["the custom fold `own`", "does not export `fold`", "world custom-features"];
    assert_error(plugin.features(&stage()), Code::PluginWorld, &parts);
}

/// A change that spoils a description.
type Spoil<'a> = &'a dyn Fn(&mut FeaturesDescription);

/// Expects that a change spoils the description, and what is said of it.
fn refusing(sound: FeaturesDescription) -> impl Fn(Spoil<'_>, &[&str]) {
    let bench = Bench::new();
    move |spoil: Spoil<'_>, parts: &[&str]| {
        let mut description = sound.clone();
        spoil(&mut description);
        let plugin = bench.load(&Guest::features("custom-features", &description));
        assert_error(plugin.features(&stage()), Code::PluginDescribe, parts);
    }
}

#[test]
fn unsound_features_are_refused_by_name() {
    let refused = refusing(rich_features());
    refused(
        &|d| d.inputs[1].columns[2].name.clear(),
        &["input `labels`: column 2 (counted from 0) without a name"],
    );
    refused(&|d| d.inputs[0].columns[1].name = "amount".into(), &["column `amount` twice"]);
    refused(&|d| d.inputs[0].columns[1].name = "a\nb".into(), &["control character"]);
    refused(&|d| d.inputs[0].kept[1] = 4, &["kept column 4", "there are 4 columns"]);
    refused(&|d| d.inputs[0].kept[1] = 0, &["kept column 0 twice"]);
    refused(&|d| d.aggregates[2].name = "a1".into(), &["aggregate `a1` twice"]);
    refused(&|d| d.aggregates[2].input = 2, &["aggregate `a2` of input 2, where there are 2"]);
    refused(&|d| d.aggregates[2].input = 1, &["aggregate `a2` of kept column 0, where there are 0"]);
    refused(&|d| d.aggregates[2].column = Some(u32::MAX), &["aggregate `a2` of kept column 4294967295"]);
    refused(&|d| d.aggregates[1].filter = Some(0), &["filtered by `amount` of kind float"]);
    refused(&|d| d.aggregates[2].column = None, &["mean needs one"]);
    refused(&|d| d.aggregates[7].column = Some(0), &["since-latest takes none"]);
    refused(&|d| d.aggregates[2].column = Some(2), &["mean of `country` of kind text"]);
    refused(&|d| d.aggregates[9].fold = Fold::Quantile(1.01), &["quantile 1.01"]);
    refused(&|d| d.aggregates[9].fold = Fold::Quantile(f64::NAN), &["quantile NaN"]);
    refused(&|d| d.aggregates[10].fold = Fold::DecayedMean(0), &["half-life of 0"]);
    refused(&|d| d.aggregates[12].fold = Fold::Custom(1), &["custom fold 1, where there are 1"]);
    refused(&|d| d.aggregates[0].window = Window::Sliding(0), &["aggregate `a0` with a window of 0"]);
    refused(&|d| d.aggregates[0].window = Window::Sliding(u64::MAX), &["window of 18446744073709551615"]);
    refused(&|d| d.aggregates[2].window = Window::Hopping { size: 2, slide: 3 }, &["slide of 3 ms"]);
    refused(&|d| d.custom_folds[0].register_bytes = 65_537, &["registers of 65537 bytes"]);
    refused(&|d| d.custom_folds[0].register_bytes = 0, &["registers of 0 bytes"]);
    refused(&|d| d.features[1] = "one".into(), &["feature `one` twice"]);
    refused(&|d| d.ids[1].name = "x".repeat(257), &["id column 1", "more than 256 bytes"]);
    let aggregate = rich_features().aggregates.remove(0);
    refused(&|d| d.aggregates = vec![aggregate.clone(); 4_097], &["4097 aggregates, where at most 4096"]);
}

#[test]
fn unsound_inputs_are_refused_by_name() {
    let refused = refusing(rich_features());
    refused(&|d| d.inputs.clear(), &["no input"]);
    refused(&|d| d.inputs[0].updates_only = true, &["first input as updates only"]);
    refused(&|d| d.inputs[0].source = "tx".into(), &["first input with the source `tx`"]);
    refused(&|d| d.inputs[1].updates_only = false, &["input `labels` not as updates only"]);
    refused(&|d| d.inputs[1].source.clear(), &["further input 0", "without a name"]);
    refused(&|d| d.inputs[1].source = "x".repeat(257), &["further input 0", "more than 256 bytes"]);
    refused(&|d| d.inputs.push(d.inputs[1].clone()), &["further input `labels` twice"]);
    refused(&|d| d.inputs = vec![d.inputs[0].clone(); 65], &["65 inputs, where at most 64"]);
    refused(&|d| d.inputs[0].columns[2].kind = Kind::Floats, &["kept column `country` of kind floats"]);
    refused(&|d| d.inputs[0].kept = vec![0; 65], &["65 kept columns, where at most 64"]);
    refused(&|d| d.inputs[0].columns[0].kind = Kind::Bytes, &["`a1` as sum of `amount` of kind bytes"]);
    refused(&|d| d.aggregates[11].column = Some(2), &["`a11` as top-k of `country` of kind text"]);
}

#[test]
fn unsound_lookups_are_refused_by_name() {
    let refused = refusing(rich_features());
    let countries = "lookup of the table `countries`";
    refused(&|d| d.lookups[2].table.clear(), &["lookup of the table 2", "without a name"]);
    refused(&|d| d.lookups[1].key = "country".into(), &[countries, "twice"]);
    refused(&|d| d.lookups[0].key = "city".into(), &[countries, "by `city`, which is not among"]);
    refused(&|d| d.lookups[0].key = "fraud".into(), &[countries, "by `fraud` of kind boolean"]);
    refused(&|d| d.lookups[0].columns.clear(), &[countries, "without columns"]);
    refused(&|d| d.lookups[0].columns[1].name = "name".into(), &[countries, "column `name` twice"]);
    refused(&|d| d.lookups[0].columns[0].nullable = false, &["column `name`, which must be nullable"]);
    refused(&|d| d.lookups = vec![d.lookups[0].clone(); 65], &["65 lookups, where at most 64"]);
    // Numbers, texts and bytes can be keys.
    for kind in [Kind::Int, Kind::Text, Kind::Bytes] {
        let mut description = rich_features();
        description.inputs[0].columns[3].kind = kind;
        let plugin = Bench::new().load(&Guest::features("custom-features", &description));
        assert_eq!(plugin.features(&stage()).unwrap().0, description);
    }
}

#[test]
fn unsound_closing_is_refused_by_name() {
    let refused = refusing(closing_features());
    let taken = |change: fn(&mut Vec<Column>)| {
        move |d: &mut FeaturesDescription| {
            let Trigger::Close(columns) = &mut d.trigger else { panic!("it works on closed windows") };
            change(columns);
        }
    };
    refused(&taken(|c| c[0].name.clear()), &["column of a closed window 0", "without a name"]);
    refused(&taken(|c| c[2].name = "@start".into()), &["column of a closed window `@start` twice"]);
    refused(&taken(|c| c[0].nullable = true), &["column `country` of a closed window as nullable"]);
    refused(
        &taken(|c| c[1].kind = Kind::Int),
        &["column `@start` of a closed window as int", "must be time"],
    );
    refused(&taken(|c| c[2].kind = Kind::Int), &["column `@end`", "must be time"]);
    refused(&taken(|c| c[3].kind = Kind::Time), &["column `@revision`", "must be int"]);
    refused(&taken(|c| drop(c.remove(0))), &["by `country`, which is not among the key columns"]);
    refused(&|d| d.lookups[0].key = "@revision".into(), &["by `@revision`, which is not among"]);
    refused(&|d| d.lookups[0].key = "@end".into(), &["by `@end` of kind time"]);
    refused(&|d| d.aggregates.clear(), &["no aggregate, so that no window closes"]);
    refused(&|d| d.aggregates[1].window = Window::Tumbling(10), &["`a0` and `a1` with different windows"]);
    for window in [Window::Sliding(10), Window::Last(10), Window::Forever] {
        let spoil = |d: &mut FeaturesDescription| d.aggregates.iter_mut().for_each(|a| a.window = window);
        refused(&spoil, &["aggregate `a0` with a", window.name(), "which never closes"]);
    }
    for (fold, column) in [(Fold::Latest, Some(0)), (Fold::SinceLatest, None), (Fold::Custom(0), None)] {
        let spoil =
            |d: &mut FeaturesDescription| (d.aggregates[0].fold, d.aggregates[0].column) = (fold, column);
        refused(&spoil, &["aggregate `a0` as", fold.name(), "which a row alone can see"]);
    }
}

#[test]
fn unsound_rules_are_refused_by_name() {
    let bench = Bench::new();
    let refused = |spoil: &dyn Fn(&mut RulesDescription), parts: &[&str]| {
        let mut description = rich_rules();
        spoil(&mut description);
        let plugin = bench.load(&Guest::rules(&description));
        assert_error(plugin.rules(&stage()), Code::PluginDescribe, parts);
    };
    refused(&|d| d.routes.clear(), &["no route"]);
    refused(&|d| d.routes = (0..256).map(|n| n.to_string()).collect(), &["256 routes, where at most 255"]);
    refused(&|d| d.routes[1] = "approve".into(), &["route `approve` twice"]);
    refused(&|d| d.input[1].column.kind = Kind::Int, &["the feature `amount` as int"]);
    refused(&|d| d.input[2].column.kind = Kind::Single, &["the feature `*` as single, which must be floats"]);
    refused(&|d| d.input[3].column.kind = Kind::Text, &["the score `score` as text"]);
    refused(&|d| d.output[0].name = "vector".into(), &["output column `vector` twice"]);
}
