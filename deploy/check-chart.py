"""What no schema says about the chart's output: KEDA's and Prometheus' types, and what this project promises of its pods.

check-chart.py OUTPUT IDMILL: reads the chart's output, and has the program IDMILL read the settings of its pods.
"""

import json
import re
import subprocess
import sys

import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as monitoring

# Where a pod may run, and before whom.
PLACE = ("nodeSelector", "tolerations", "affinity", "priorityClassName")

TYPES = {"keda.sh/v1alpha1": keda, "monitoring.coreos.com/v1": monitoring}


def unknown(given, kept, path=""):
    """Paths in `given` that its type dropped, which are those it does not know."""
    if isinstance(given, dict):
        for key, value in given.items():
            if key in kept:
                yield from unknown(value, kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(given, list):
        for index, (value, other) in enumerate(zip(given, kept, strict=True)):
            yield from unknown(value, other, f"{path}[{index}]")


def check_type(resource):
    """A custom resource against the types of its operator, strictly."""
    model = getattr(TYPES[resource["apiVersion"]], resource["kind"])
    parsed = model.model_validate_json(json.dumps(resource), strict=True)
    kept = json.loads(parsed.model_dump_json(by_alias=True, exclude_unset=True))
    for path in unknown(resource, kept):
        yield f"{resource['kind']} has no {path}"


def variables(pod):
    """What its one container finds in its environment, as the kubelet writes it."""
    (container,) = pod["containers"]
    return {each["name"]: each["value"].replace("$$", "$") for each in container["env"] if "value" in each}


def seconds(name, settings):
    return int(re.fullmatch(r"(\d+)s", settings[name]).group(1))


def accepted(idmill, settings, command):
    """Whether the program takes these settings: then it gets as far as asking a process that is not there."""
    asked = subprocess.run([idmill, *command], env=settings, capture_output=True, text=True, check=False)
    if "answers" not in asked.stderr:
        print(asked.stderr, file=sys.stderr)
    return "answers" in asked.stderr


def hardening(pod):
    """What holds for every pod."""
    (container,) = pod["containers"]
    guarded, inner = pod["securityContext"], container["securityContext"]
    names = [each["name"] for each in container["env"]]
    return {
        # A pod that restarts in an update, or comes back when it is undone, has the settings of its own version.
        "carries its settings": not [volume for volume in pod["volumes"] if "configMap" in volume]
        and "envFrom" not in container and not [each for each in container["env"] if "configMapKeyRef" in each.get("valueFrom", {})],
        # Server-side apply refuses a name that comes twice.
        "has each variable once": len(names) == len(set(names)),
        "has no setting that the kubelet would change": "$" not in "".join(each.get("value", "") for each in container["env"]).replace("$$", ""),
        "runs as a user of its own": guarded["runAsNonRoot"] and guarded["runAsUser"] > 0,
        "has the runtime's seccomp profile": guarded["seccompProfile"] == {"type": "RuntimeDefault"},
        "has a read-only root": inner["readOnlyRootFilesystem"],
        "has no capabilities": inner["capabilities"] == {"drop": ["ALL"]},
        "cannot gain privileges": inner["allowPrivilegeEscalation"] is False,
        "has no Kubernetes token": pod["automountServiceAccountToken"] is False,
        "is limited in memory and not in CPU": set(container["resources"]["limits"]) == {"memory"},
        "mounts only volumes that it has": {mount["name"] for mount in container["volumeMounts"]}
        == {volume["name"] for volume in pod["volumes"]},
    }


def check_pod(name, deployment, idmill):
    """Hardening, settings, probes and grace period."""
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    settings = variables(pod)
    grace, drain = pod["terminationGracePeriodSeconds"], seconds(f"IDMILL__{name.upper()}__DRAIN_TIMEOUT", settings)
    promises = hardening(pod) | {
        "has settings that idmill accepts": accepted(idmill, settings, ["probe"] if name == "worker" else ["probe", name]),
        "lives by /livez alone": container["livenessProbe"]["httpGet"]["path"] == "/livez",
        "is ready by /readyz": container["readinessProbe"]["httpGet"]["path"] == "/readyz",
        "is killed only after it could drain": grace > drain,
        "spreads over zones and nodes": {each["topologyKey"] for each in pod["topologySpreadConstraints"]}
        == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"},
        "is selected by labels that it has": deployment["spec"]["selector"]["matchLabels"].items() <= labels.items(),
    }
    if name == "worker":
        promises["may drain for longer than a job takes"] = drain > seconds("IDMILL__WORKER__JOB_BUDGET", settings)
        promises["takes what the process computes"] = settings["IDMILL__WORKER__CONCURRENCY"] == "0"
    yield from broken(name, promises)


def check_tools(job, worker, policies):
    """An operator's pod has a worker's secrets, settings and way out, and is nobody's replica."""
    own = {"IDMILL__ENGINE__INSTANCES": "1"}
    template = job["spec"]["jobTemplate"]["spec"]["template"]
    pod, (container,) = template["spec"], template["spec"]["containers"]
    worker_pod = worker["spec"]["template"]["spec"]
    labels = template["metadata"]["labels"]
    promises = hardening(pod) | {
        "never runs by itself": job["spec"]["suspend"] is True and pod["restartPolicy"] == "Never",
        "is not asked whether it listens": not {key for key in container if key.endswith("Probe")},
        "has a worker's settings": variables(pod) == variables(worker_pod) | own,
        "mounts what a worker mounts": (pod["volumes"], container["volumeMounts"])
        == (worker_pod["volumes"], worker_pod["containers"][0]["volumeMounts"]),
        "runs where a worker may": {key: pod.get(key) for key in PLACE} == {key: worker_pod.get(key) for key in PLACE},
        "is who a worker is": pod["serviceAccountName"] == worker_pod["serviceAccountName"],
        "is no replica of the workers": not worker["spec"]["selector"]["matchLabels"].items() <= labels.items(),
        "reaches what workers reach": not policies or any(
            labels["app.kubernetes.io/component"] in expression["values"]
            for policy in policies for expression in policy["spec"]["podSelector"].get("matchExpressions", [])),
    }
    yield from broken("tools", promises)


def broken(name, promises):
    for promise, kept in promises.items():
        if not kept:
            yield f"{name}: it is not so that the pod {promise}"


def main(output, idmill):
    resources = [resource for resource in yaml.safe_load_all(open(output)) if resource]
    errors = []
    for resource in resources:
        if resource["apiVersion"] in TYPES:
            errors.extend(check_type(resource))
        if resource["kind"] == "Deployment":
            errors.extend(check_pod(resource["spec"]["template"]["spec"]["containers"][0]["name"], resource, idmill))
        if resource["kind"] == "CronJob":
            worker = next(r for r in resources if r["kind"] == "Deployment" and r["metadata"]["name"].endswith("-worker"))
            errors.extend(check_tools(resource, worker, [r for r in resources if r["kind"] == "NetworkPolicy"]))
        if resource["kind"] == "ScaledObject":
            grace = next(r["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] for r in resources
                         if r["kind"] == "Deployment" and r["metadata"]["name"] == resource["spec"]["scaleTargetRef"]["name"])
            down = resource["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
            if down["stabilizationWindowSeconds"] < min(3600, grace):
                errors.append("the ScaledObject does not wait for a drain")
            trigger = resource["spec"]["triggers"][0]["metadata"]
            # tests/it/autoscale.rs asks RabbitMQ what KEDA does with these.
            if (trigger["protocol"], trigger["mode"]) != ("http", "QueueLength") or trigger.get("excludeUnacknowledged", "false") != "false":
                errors.append("the ScaledObject does not count the jobs in flight")
    sys.exit("\n".join(errors) or None)


main(*sys.argv[1:])
