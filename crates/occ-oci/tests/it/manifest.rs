use occ_oci::{
    DescribedPlatform, Descriptor, Digest, ImageConfig, Index, Manifest, MediaType, Platform,
};
use proptest::prelude::*;
use serde_json::json;

const HEX: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn descriptor() -> serde_json::Value {
    let media_type = "application/vnd.oci.image.config.v1+json";
    json!({ "mediaType": media_type, "digest": format!("sha256:{HEX}"), "size": 2 })
}

fn manifest() -> serde_json::Value {
    json!({ "schemaVersion": 2, "config": descriptor(), "layers": [] })
}

/// Replaces what a JSON pointer leads to.
fn with(
    mut document: serde_json::Value,
    pointer: &str,
    value: serde_json::Value,
) -> serde_json::Value {
    *document.pointer_mut(pointer).unwrap() = value;
    document
}

#[test]
fn fields_are_in_one_order_and_annotations_sorted() {
    let mut layer = Descriptor::of(MediaType::LayerGzip, b"x");
    layer.annotations.insert("b".to_owned(), "2".to_owned());
    layer.annotations.insert("a".to_owned(), "1".to_owned());
    layer.platform = Some(Platform::LinuxArm64.into());
    let index = Index::new(vec![layer]);
    let digest = Digest::sha256(b"x");
    assert_eq!(
        serde_json::to_string(&index).unwrap(),
        format!(
            concat!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","#,
                r#""manifests":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","#,
                r#""digest":"{}","size":1,"platform":{{"architecture":"arm64","os":"linux"}},"#,
                r#""annotations":{{"a":"1","b":"2"}}}}]}}"#
            ),
            digest
        )
    );
}

#[test]
fn an_artifact_has_an_empty_configuration_and_a_subject() {
    let subject = Descriptor::of(MediaType::ImageManifest, b"{}");
    let file = Descriptor::of(MediaType::CycloneDx, b"[]");
    let artifact = Manifest::attached(MediaType::CycloneDx, file, subject.clone());
    assert_eq!(artifact.config.digest.hex(), HEX);
    assert_eq!(artifact.config.size, 2);
    let read: Manifest = serde_json::from_slice(&serde_json::to_vec(&artifact).unwrap()).unwrap();
    assert_eq!(read, artifact);
    assert_eq!(read.subject, Some(subject));
}

#[test]
fn unknown_fields_and_nulls_are_read_over() {
    let mut document = manifest();
    document["com.example"] = json!({ "a": [1] });
    document["annotations"] = json!(null);
    document["config"]["urls"] = json!(["x"]);
    document["config"]["platform"] =
        json!({ "architecture": "s390x", "os": "linux", "os.version": "1", "variant": "v1" });
    let read: Manifest = serde_json::from_value(document).unwrap();
    assert!(read.annotations.is_empty());
    let platform: DescribedPlatform = read.config.platform.unwrap();
    assert_eq!(platform.known(), None);
    assert_eq!(platform.variant.as_deref(), Some("v1"));
}

#[test]
fn what_the_specification_requires_is_required() {
    for (pointer, value) in [
        ("/schemaVersion", json!(1)),
        ("/schemaVersion", json!("2")),
        ("/config", json!(null)),
        ("/config/size", json!(-1)),
        ("/config/size", json!(1.5)),
        ("/config/size", json!("2")),
        ("/config/digest", json!(HEX)),
        ("/config/digest", json!("sha256:00")),
        ("/config/digest", json!(format!("sha256:{}", HEX.to_uppercase()))),
        ("/config/mediaType", json!("plain")),
        ("/config/mediaType", json!("a/b/c")),
        ("/config/mediaType", json!("")),
        ("/layers", json!({})),
    ] {
        let document = with(manifest(), pointer, value.clone());
        let read = serde_json::from_value::<Manifest>(document);
        assert!(read.is_err(), "{pointer} {value} was accepted");
    }
    assert!(serde_json::from_value::<Manifest>(json!({ "schemaVersion": 2 })).is_err());
    assert!(serde_json::from_value::<Index>(manifest()).is_err());
}

#[test]
fn configurations_of_engines_are_understood() {
    // What an engine writes: nulls, history without layers, fields of its own.
    let config: ImageConfig = serde_json::from_value(json!({
        "architecture": "amd64", "os": "linux", "docker_version": "1", "container": "x",
        "created": "2025-01-01T00:00:00Z",
        "config": {
            "User": "me", "Env": ["A=1"], "Entrypoint": null, "Cmd": ["sh"], "Labels": null,
            "ExposedPorts": { "80/tcp": {} }, "Healthcheck": { "Test": ["NONE"] }, "OnBuild": null
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{HEX}"), format!("sha256:{HEX}")] },
        "history": [
            { "created_by": "first" },
            { "created_by": "ENV A=1", "empty_layer": true },
            { "comment": "no command" }
        ]
    }))
    .unwrap();
    assert_eq!(config.platform.known(), Some(Platform::LinuxAmd64));
    assert_eq!(config.layer_history(), ["first", ""]);
    assert_eq!(config.config.cmd, ["sh"]);
    assert!(config.config.exposed_ports.contains("80/tcp"));
    assert!(config.config.entrypoint.is_empty() && config.config.labels.is_empty());

    let smallest =
        json!({ "architecture": "a", "os": "b", "rootfs": { "type": "layers", "diff_ids": [] } });
    let config: ImageConfig = serde_json::from_value(smallest).unwrap();
    assert!(config.layer_history().is_empty());
    assert!(serde_json::from_value::<ImageConfig>(json!({ "os": "b" })).is_err());
}

#[test]
fn docker_s_names_are_known() {
    let list: MediaType =
        "application/vnd.docker.distribution.manifest.list.v2+json".parse().unwrap();
    assert!(list.is_index() && !list.is_manifest());
    assert!(MediaType::DockerManifest.is_manifest());
    assert!(MediaType::DockerConfig.is_image_config());
    assert_eq!("text/plain".parse(), Ok(MediaType::Other("text/plain".to_owned())));
}

fn media_types() -> impl Strategy<Value = MediaType> {
    prop_oneof![
        Just(MediaType::ImageManifest),
        Just(MediaType::LayerZstd),
        Just(MediaType::Empty),
        "[a-z]{1,9}/[a-z][a-z.+-]{0,20}".prop_map(|text| text.parse().unwrap()),
    ]
}

proptest! {
    #[test]
    fn every_manifest_survives_being_written_and_read(
        layers in prop::collection::vec((media_types(), any::<[u8; 4]>(), any::<u64>()), 0..5),
        annotations in prop::collection::btree_map(".{0,9}", ".{0,9}", 0..4),
    ) {
        let describe = |(kind, bytes, size): (_, [u8; 4], _)| {
            Descriptor::new(kind, Digest::sha256(&bytes), size)
        };
        let config = Descriptor::of(MediaType::ImageConfig, b"{}");
        let mut manifest = Manifest::new(config, layers.into_iter().map(describe).collect());
        manifest.annotations = annotations;
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let read: Manifest = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&read, &manifest);
        prop_assert_eq!(serde_json::to_vec(&read).unwrap(), bytes);
    }

    #[test]
    fn media_types_survive_being_printed_and_read(kind in media_types()) {
        prop_assert_eq!(kind.to_string().parse::<MediaType>(), Ok(kind));
    }

    #[test]
    fn no_text_makes_the_parser_of_media_types_panic(text in ".{0,40}") {
        drop(text.parse::<MediaType>());
    }
}
