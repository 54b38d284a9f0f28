"""deploy/ray.yaml: what Kubernetes and KubeRay take, and what a run with ``--on`` relies on.

The pods and policies are held against Kubernetes's own schemas. KubeRay's schema has a megabyte and is not here. The
file was held against it for KubeRay 1.6.2 and 1.7.0 when it was written; ``KNOWN`` has the fields that it uses of it.
"""

import copy
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from fortydays.cluster.connection import _OBJECT_STORE_BYTES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [each for each in yaml.safe_load_all((ROOT / "deploy" / "ray.yaml").read_text("utf-8")) if each]
GUIDE = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")

KNOWN: dict[str, Any] = {
    "rayVersion": str,
    "authOptions": {"mode": ("disabled", "token"), "secretName": str, "enableK8sTokenAuth": bool},
    "enableInTreeAutoscaling": bool,
    "headGroupSpec": {"rayStartParams": dict, "template": dict, "serviceType": str},
    "workerGroupSpecs": [
        {
            "groupName": str,
            "replicas": int,
            "minReplicas": int,
            "maxReplicas": int,
            "idleTimeoutSeconds": int,
            "rayStartParams": dict,
            "template": dict,
        }
    ],
}
"""Fields of the spec of a RayCluster (ray.io/v1), with their types or values."""


def unknown(found: Any, known: Any, place: str) -> list[str]:
    """What of a part of the spec is not as it is known, by its place."""
    if isinstance(known, dict):
        if not isinstance(found, dict):
            return [place]
        wrong = [f"{place}.{name}" for name in found if name not in known]
        return wrong + [
            each for name in found if name in known for each in unknown(found[name], known[name], f"{place}.{name}")
        ]
    if isinstance(known, list):
        if not isinstance(found, list):
            return [place]
        return [each for n, item in enumerate(found) for each in unknown(item, known[0], f"{place}[{n}]")]
    if isinstance(known, tuple):
        return [] if found in known else [place]
    return [] if type(found) is known else [place]


def of_kind(kind: str) -> list[Any]:
    return [document for document in DOCUMENTS if document["kind"] == kind]


def cluster() -> Any:
    (found,) = of_kind("RayCluster")
    return found


def pods() -> dict[str, Any]:
    """The templates of the pods, by what they are."""
    spec = cluster()["spec"]
    (group,) = spec["workerGroupSpecs"]
    return {"head": spec["headGroupSpec"]["template"], "trainer": group["template"]}


def pod(template: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", **template.get("metadata", {})},
        "spec": template["spec"],
    }


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33"])
def test_kubernetes_takes_what_is_its_own(version: str) -> None:
    own = [each for each in DOCUMENTS if each["kind"] != "RayCluster"]
    assert [each["kind"] for each in own] == ["Namespace", "NetworkPolicy", "NetworkPolicy"]
    for document in [*own, *map(pod, pods().values())]:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_in_a_pod_would_be_found() -> None:
    wrong = copy.deepcopy(pods()["trainer"])
    wrong["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod(wrong), "1.31", strict=True)


def test_the_cluster_has_only_fields_that_kuberay_knows() -> None:
    assert cluster()["apiVersion"] == "ray.io/v1"
    spec = cluster()["spec"]
    assert unknown(spec, KNOWN, "spec") == []
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        # The operator makes options of `ray start` of them, and takes texts alone.
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_a_mistake_in_the_cluster_would_be_found() -> None:
    wrong = copy.deepcopy(cluster()["spec"])
    wrong["authOption"] = wrong.pop("authOptions")
    wrong["workerGroupSpecs"][0]["replicas"] = "4"
    assert unknown(wrong, KNOWN, "spec") == ["spec.authOption", "spec.workerGroupSpecs[0].replicas"]
    wrong["headGroupSpec"] = []
    assert "spec.headGroupSpec" in unknown(wrong, KNOWN, "spec")
    assert unknown({"mode": "tokens"}, KNOWN["authOptions"], "auth") == ["auth.mode"]


def test_whoever_uses_the_cluster_needs_a_token_and_ray_tells_nobody_of_it() -> None:
    # Without a token, `forty` refuses the cluster, and whoever reaches it can run programs on it.
    assert cluster()["spec"]["authOptions"] == {"mode": "token"}
    for template in pods().values():
        (container,) = template["spec"]["containers"]
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert not [each for each in container["env"] if "TOKEN" in each["name"]]


def test_the_image_has_the_packages_of_the_lock_and_the_version_of_ray_in_it() -> None:
    locked = re.search(r"^ray==(\S+)", (ROOT / "locks" / "ray.txt").read_text("utf-8"), re.MULTILINE)
    assert locked is not None
    assert cluster()["spec"]["rayVersion"] == locked[1]
    stage = re.search(r"^FROM (\S+) AS node\n(.*?)(?=^FROM )", dockerfile(), re.MULTILINE | re.DOTALL)
    assert stage is not None
    base, steps = stage.groups()
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert "--require-hashes --no-deps -r /tmp/ray.txt" in steps
    assert "COPY locks/ray.txt /tmp/ray.txt" in steps
    assert "USER 10001" in steps
    images = {container["image"] for template in pods().values() for container in template["spec"]["containers"]}
    (image,) = images
    assert f"--target node -t {image} ." in dockerfile()
    # The driver needs the same Python, and the guide says which one.
    version = re.search(r"python:(3\.\d+\.\d+)", base)
    assert version is not None
    assert f"Python {version[1]}" in GUIDE


def dockerfile() -> str:
    return (ROOT / "deploy" / "Dockerfile").read_text("utf-8")


def test_the_service_is_still_what_the_dockerfile_makes_by_default() -> None:
    assert re.findall(r"^FROM \S+ AS (\w+)", dockerfile(), re.MULTILINE)[-1] == "service"


def test_trials_are_trained_by_workers_alone_and_have_what_was_asked_for() -> None:
    spec = cluster()["spec"]
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (group,) = spec["workerGroupSpecs"]
    assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for template in pods().values():
        (container,) = template["spec"]["containers"]
        asked, most = container["resources"]["requests"], container["resources"]["limits"]
        # With fewer CPUs than its limit, a trial would be slowed down; with less memory, its worker would be killed.
        assert asked["cpu"] == most["cpu"]
        assert asked["memory"] == most["memory"]
        assert int(most["cpu"]) >= 1
    (trainer,) = pods()["trainer"]["spec"]["containers"]
    most = trainer["resources"]["limits"]
    assert int(most["memory"].removesuffix("Gi")) >= int(most["cpu"]) + 1


def test_what_waits_to_be_sent_has_as_much_memory_as_on_a_cluster_of_ones_own() -> None:
    spec = cluster()["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        assert int(group["rayStartParams"]["object-store-memory"]) == _OBJECT_STORE_BYTES


def test_the_pods_are_confined_and_can_write_where_they_have_to() -> None:
    (space,) = of_kind("Namespace")
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, template in pods().items():
        spec = template["spec"]
        (container,) = spec["containers"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == 10001, name
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert mounted.keys() == {"/state", "/tmp"}, name
        assert {volume["name"] for volume in spec["volumes"]} == set(mounted.values()), name
        variables = {each["name"]: each["value"] for each in container["env"]}
        assert variables["FORTYDAYS_HOME"] == variables["HOME"] == "/state", name


def test_the_probes_ask_for_processes_and_not_for_pages_of_a_dashboard() -> None:
    assert cluster()["spec"]["headGroupSpec"]["rayStartParams"]["include-dashboard"] == "false"
    for name, processes in {"head": ("gcs_server", "raylet"), "trainer": ("raylet",)}.items():
        (container,) = pods()[name]["spec"]["containers"]
        for probe in ("livenessProbe", "readinessProbe"):
            program, option, code = container[probe]["exec"]["command"]
            assert (program, option) == ("python", "-c")
            compile(code, probe, "exec")
            assert all(f'"{process}"' in code for process in processes)


def test_the_nodes_reach_each_other_and_nothing_else_but_the_names() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind("NetworkPolicy")}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    nodes = {"podSelector": {"matchLabels": {"ray.io/cluster": cluster()["metadata"]["name"]}}}
    among = policies["among-nodes"]
    assert among["podSelector"] == nodes["podSelector"]
    assert among["policyTypes"] == ["Ingress", "Egress"]
    assert among["ingress"] == [{"from": [nodes]}]
    inside, names = among["egress"]
    assert inside == {"to": [nodes]}
    assert {each["port"] for each in names["ports"]} == {53}
    spaces = {each["metadata"].get("namespace") for each in DOCUMENTS if each["kind"] != "Namespace"}
    (space,) = of_kind("Namespace")
    assert spaces == {space["metadata"]["name"]}


def test_the_guide_names_what_the_file_makes() -> None:
    name, space = cluster()["metadata"]["name"], cluster()["metadata"]["namespace"]
    assert f"kubectl -n {space} get secret {name} " in GUIDE
    (head,) = pods()["head"]["spec"]["containers"]
    (client,) = (each["containerPort"] for each in head["ports"] if each["name"] == "client")
    assert f"kubectl -n {space} port-forward service/{name}-head-svc {client}" in GUIDE
    assert f"--on ray://127.0.0.1:{client}" in GUIDE
    assert "kubectl apply -f deploy/ray.yaml" in GUIDE
