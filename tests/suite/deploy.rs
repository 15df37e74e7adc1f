//! What describes a host's surroundings: it fits its schemas, and what the host does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tailwater::app::STOP_WITHIN;
use tailwater::config::Config;
use tailwater_tests::{python, repository};

/// Kubernetes' versions whose schemas the manifests must fit: the newest that is known here, and an old one.
const KUBERNETES: [&str; 2] = ["1.37", "1.30"];
/// Between what a host allows itself and what it is given, in seconds.
const SPARE: u64 = 10;

/// The documents of a file in YAML.
fn documents(file: &Path) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = python().args(["-c", script]).arg(file).output().expect("Python starts");
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn compose() -> Value {
    documents(&repository("deploy/compose.yaml")).remove(0)
}

/// The manifests, by their files' names.
fn manifests() -> BTreeMap<String, PathBuf> {
    let files = fs::read_dir(repository("deploy/kubernetes")).expect("a folder").flatten();
    let named = files.map(|file| (file.file_name().to_string_lossy().into_owned(), file.path()));
    named.filter(|(name, _)| name != "kustomization.yaml").collect()
}

fn manifest(name: &str) -> Value {
    documents(&manifests()[name]).remove(0)
}

/// The pod's part of the StatefulSet.
fn pod() -> Value {
    manifest("stateful-set.yaml")["spec"]["template"]["spec"].clone()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    items(value).iter().filter_map(Value::as_str).collect()
}

#[test]
fn the_compose_file_fits_the_specification() {
    let check = |file: &Path| {
        let mut command = python();
        command.args(["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]).arg(file);
        command.output().expect("Python starts")
    };
    let file = repository("deploy/compose.yaml");
    let output = check(&file);
    assert!(output.status.success(), "{}", said(&output));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wrong = folder.path().join("compose.yaml");
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&wrong, text.replace("read_only:", "read_onyl:")).expect("writable");
    assert!(!check(&wrong).status.success(), "a misspelt key is found");
}

#[test]
fn the_compose_file_publishes_on_loopback_and_keeps_secrets_in_files() {
    let compose = compose();
    let services = compose["services"].as_object().expect("services");
    let mut published = 0;
    for (name, service) in services {
        for port in items(&service["ports"]) {
            assert!(port.as_str().is_some_and(|port| port.starts_with("127.0.0.1:")), "{name}: {port}");
            published += 1;
        }
        for secret in texts(&service["secrets"]) {
            assert!(compose["secrets"][secret]["file"].is_string(), "{name}: {secret}");
        }
        for volume in texts(&service["volumes"]).into_iter().filter(|volume| volume.starts_with('.')) {
            let (from, _) = volume.split_once(':').expect("a place");
            // Plugins are built.
            let is_built = from.contains("target");
            assert!(is_built || repository("deploy").join(from).exists(), "{name}: there is no {from}");
            assert!(volume.ends_with(":ro"), "{name}: {volume}");
        }
    }
    assert_eq!(published, 4);
    let ignored = fs::read_to_string(repository("deploy/compose/.gitignore")).expect("text");
    assert_eq!(ignored.trim(), "/secrets");
    let host = &services["tailwater"];
    assert_eq!(host["read_only"], true);
    assert_eq!(host["cap_drop"], json!(["ALL"]));
    assert_eq!(host["security_opt"], json!(["no-new-privileges"]));
    let grace = host["stop_grace_period"].as_str().and_then(|grace| grace.strip_suffix('s')?.parse().ok());
    assert!(grace >= Some(STOP_WITHIN.as_secs() + SPARE), "{grace:?}");
    let pipeline = host["command"][1].as_str().and_then(|file| file.strip_prefix("/etc/tailwater/"));
    let pipeline = repository("examples/clicks").join(pipeline.expect("a pipeline file"));
    let environment = host["environment"].as_object().expect("variables").iter();
    let environment =
        environment.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let text = fs::read_to_string(pipeline).expect("text");
    let config = Config::parse(&text, Path::new("/etc/tailwater"), environment).expect("a valid pipeline");
    assert_eq!(config.kafka.brokers, "kafka:29092");
}

#[test]
fn the_manifests_fit_kubernetes() {
    for version in KUBERNETES {
        let mut command = python();
        command.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version]);
        let output = command.args(manifests().values()).output().expect("Python starts");
        assert!(output.status.success(), "{version}: {}", said(&output));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wrong = folder.path().join("wrong.yaml");
    let text = fs::read_to_string(&manifests()["stateful-set.yaml"]).expect("text");
    fs::write(&wrong, text.replace("runAsNonRoot", "runAsNonroot")).expect("writable");
    let mut command = python();
    let output = command.args(["-m", "kubernetes_validate", "--strict"]).arg(&wrong).output();
    assert!(!output.expect("Python starts").status.success(), "a misspelt key is found");
    let kustomization = documents(&repository("deploy/kubernetes/kustomization.yaml")).remove(0);
    let manifests = manifests();
    assert_eq!(texts(&kustomization["resources"]), manifests.keys().map(String::as_str).collect());
    let images = items(&kustomization["images"]);
    let of =
        |name: &str| images.iter().find(|image| image["name"] == name).map(|image| image["newTag"].clone());
    assert_eq!(of("tailwater"), Some(json!(env!("CARGO_PKG_VERSION"))));
    let dockerfile = fs::read_to_string(repository("deploy/Dockerfile")).expect("text");
    assert!(dockerfile.contains(&format!("\nARG VERSION={}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_pod_may_do_nothing_that_is_restricted_and_has_time_to_end() {
    let pod = pod();
    let user = &pod["securityContext"];
    assert_eq!((&user["runAsNonRoot"], &user["runAsUser"]), (&json!(true), &json!(1000)));
    assert_eq!(user["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let containers = [&pod["initContainers"], &pod["containers"]].map(items).concat();
    assert_eq!(containers.len(), 2);
    for container in &containers {
        let confined = &container["securityContext"];
        assert_eq!(confined["allowPrivilegeEscalation"], false);
        assert_eq!(confined["readOnlyRootFilesystem"], true);
        assert_eq!(confined["capabilities"]["drop"], json!(["ALL"]));
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
    let grace = pod["terminationGracePeriodSeconds"].as_u64();
    assert!(grace >= Some(STOP_WITHIN.as_secs() + SPARE), "{grace:?}");
    let host = &pod["containers"][0];
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"]
        .map(|probe| host[probe]["httpGet"]["path"].clone());
    assert_eq!(probes, [json!("/live"), json!("/live"), json!("/ready")]);
    let places = items(&host["volumeMounts"]).iter().filter(|mount| mount["readOnly"] != true);
    let writable: BTreeSet<&str> = places.filter_map(|mount| mount["mountPath"].as_str()).collect();
    assert_eq!(writable, BTreeSet::from(["/tmp", "/var/lib/tailwater"]));
}

#[test]
fn the_pods_pipeline_is_valid_and_each_pod_is_a_member_of_its_own() {
    let map = manifest("pipeline.yaml");
    let text = map["data"]["pipeline.toml"].as_str().expect("a pipeline");
    let host = &pod()["containers"][0];
    let environment = items(&host["env"]).iter().map(|variable| {
        let name = variable["name"].as_str().expect("a name").to_owned();
        let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.name") => "clicks-1",
            _ => variable["value"].as_str().expect("a value"),
        };
        (name, value.to_owned())
    });
    let config = Config::parse(text, Path::new("/etc/tailwater"), environment).expect("a valid pipeline");
    assert_eq!(config.kafka.instance.as_deref(), Some("clicks-1"));
    // All that is labelled as the pods are is what is meant by it.
    let labels = &manifest("stateful-set.yaml")["spec"]["template"]["metadata"]["labels"];
    for (file, selector) in [
        ("stateful-set.yaml", "/spec/selector/matchLabels"),
        ("service.yaml", "/spec/selector"),
        ("disruption-budget.yaml", "/spec/selector/matchLabels"),
        ("network-policy.yaml", "/spec/podSelector/matchLabels"),
    ] {
        assert_eq!(manifest(file).pointer(selector), Some(labels), "{file}");
    }
}
