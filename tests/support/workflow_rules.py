"""What a shipped workflow file must be, beyond Argo's schema. Each rule takes documents and gives the faults, one line
each, so that a test can also feed it a broken document."""

import os
import re

import workflow_files

RETRY_EXPRESSION = (
    'lastRetry.status == "Error" || (asInt(lastRetry.exitCode) >= 40 && asInt(lastRetry.exitCode) <= 49) || '
    "asInt(lastRetry.exitCode) in [-1, 137, 143]"
)
# Our images and pods are Linux; beside it a cluster may have Windows nodes.
LINUX = {"kubernetes.io/os": "linux"}
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# capsule-run has tried again what may pass by itself: what is left is a pod that was lost or killed.
FUSED_RETRY_EXPRESSION = 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [-1, 137, 143]'
# The leaves that are a whole loop in one pod.
FUSED = ("deploy-capsule", "build-capsule")
TOKEN_STEPS = ("deploy", "plan", "generate-proof", "register", "explain", "deploy-capsule")
OF_THE_OUTER_WORKFLOW = {"name": "ARGO_WORKFLOW_UID", "value": "{{workflow.uid}}"}
# Templates that are a mode of another step, or run several.
STEP_OF = {"plan": "deploy", "explain": "run", **dict.fromkeys(FUSED, "run")}
# Templates that are a subcommand, which is their first argument.
SUBCOMMANDS = ("explain",)
# What a hook may be told of its workflow; that of a step is told neither status nor failures.
OF_WORKFLOWS = ("workflow.name", "workflow.uid", "workflow.status", "workflow.failures")
VOLUME_KINDS = ("emptyDir", "secret", "configMap")
_LABELS = ("app.kubernetes.io/part-of", "app.kubernetes.io/version")
_ANNOTATIONS = tuple(f"workflows.argoproj.io/{name}" for name in ("title", "description", "version"))
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_PURE_REFERENCE = re.compile(r"\{\{(?:steps|tasks)\.([\w-]+)\.outputs\.parameters\.([\w-]+)\}\}")


def seconds(duration):
    """A duration such as 1h30m in seconds; None when it is none."""
    parts = re.findall(r"(\d+)([smh])", duration or "")
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def file_faults(documents):
    """One kind per file, the file's name, labels and annotations."""
    for path, document in documents.items():
        metadata = document.get("metadata", {})
        stem = os.path.splitext(os.path.basename(path))[0]
        if "loops" in path.split(os.sep):
            if metadata.get("generateName") != f"{stem}-" or "name" in metadata:
                yield f"{path}: a second create must work: generateName {stem}- and no name"
        elif document.get("kind") != "ConfigMap" and metadata.get("name") != stem:
            yield f"{path}: metadata.name is {metadata.get('name')!r}"
        for label in _LABELS:
            if not metadata.get("labels", {}).get(label):
                yield f"{path}: label {label} is missing"
        for annotation in _ANNOTATIONS:
            if not metadata.get("annotations", {}).get(annotation):
                yield f"{path}: annotation {annotation} is missing"


def text_faults(path, text):
    """What the parsed document does not show."""
    if re.search(r"^---", text, re.MULTILINE):
        yield f"{path}: more than one document"
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 120:
            yield f"{path}:{number}: longer than 120 characters"
        if line != line.rstrip() or "\t" in line:
            yield f"{path}:{number}: trailing blank or tab"


def leaf_faults(documents):
    """Everything a template that runs a container has to bring along itself."""
    for path, template in workflow_files.leaf_templates(documents):
        where = f"{path}: {template.get('name')}"
        if "container" not in template:
            yield f"{where}: only `container` templates; parameters pasted into a script would be code"
            continue
        for rule in (_command_faults, _security_faults, _limit_faults, _retry_faults, _volume_faults, _account_faults, _registry_faults):
            for fault in rule(template):
                yield f"{where}: {fault}"


def _command_faults(template):
    container = template["container"]
    step = STEP_OF.get(template["name"], template["name"])
    if container.get("command") != [f"/usr/local/bin/capsule-{step}"]:
        yield f"command is {container.get('command')}"
    image = container.get("image", "")
    if not re.fullmatch(rf"capsule-loop\.invalid/{step}:\d+\.\d+\.\d+", image):
        yield f"image is {image!r}"
    if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        yield "terminationMessagePolicy is not FallbackToLogsOnError"
    args = container.get("args", [])
    if "--outputs=/work/outputs" not in args:
        yield "--outputs=/work/outputs is missing"
    positional = args[args.index("--") + 1 :] if "--" in args else []
    options = args[: args.index("--")] if "--" in args else args
    if template["name"] in SUBCOMMANDS:
        if options.pop(0) != template["name"]:
            yield f"the first argument is not {template['name']}"
    for arg in options:
        if not re.match(r"--[a-z]", arg):
            yield f"{arg!r} stands before `--`: a value that begins with `-` would become an option"
        elif "=" not in arg:
            yield f"{arg!r} has no `=`: an empty value would take the next argument"
    if not positional and template["name"] not in SUBCOMMANDS:
        yield "no argument after `--`"


def _security_faults(template):
    if template.get("securityContext") != POD_SECURITY:
        yield "the pod's securityContext is not the restricted one"
    if template["container"].get("securityContext") != CONTAINER_SECURITY:
        yield "the container's securityContext is not the restricted one"


def _limit_faults(template):
    resources = template["container"].get("resources", {})
    for side in ("requests", "limits"):
        for name in ("cpu", "memory"):
            if name not in resources.get(side, {}):
                yield f"resources.{side}.{name} is missing"
    pending, whole = (seconds(template.get(field)) for field in ("pendingTimeout", "timeout"))
    if not pending or not whole:
        yield "timeout or pendingTimeout is missing"
    elif whole <= pending:
        yield "timeout counts the time pending: it must be larger than pendingTimeout"


def _retry_faults(template):
    retry = template.get("retryStrategy", {})
    if " ".join(retry.get("expression", "").split()) != (FUSED_RETRY_EXPRESSION if template["name"] in FUSED else RETRY_EXPRESSION):
        yield "retryStrategy.expression is another one"
    if retry.get("limit") != "4" or retry.get("retryPolicy") != "Always":
        yield 'retryStrategy is not limit "4", retryPolicy Always'
    backoff = retry.get("backoff", {})
    if set(backoff) != {"duration", "factor", "cap", "maxDuration"}:
        yield "retryStrategy.backoff needs duration, factor, cap and maxDuration"
        return
    longest = (seconds(template.get("timeout")) or 0) + (seconds(template.get("pendingTimeout")) or 0)
    if seconds(backoff["maxDuration"]) <= longest:
        yield "backoff.maxDuration is not longer than one attempt: a slow pull would end the retries"


def _volume_faults(template):
    volumes = {volume["name"]: volume for volume in template.get("volumes", [])}
    mounts = {mount["name"]: mount for mount in template["container"].get("volumeMounts", [])}
    if set(volumes) != set(mounts):
        yield f"volumes {sorted(volumes)} but mounts {sorted(mounts)}"
        return
    for name, volume in volumes.items():
        kind = next((kind for kind in VOLUME_KINDS if kind in volume), None)
        mount = mounts[name]
        if "persistentVolumeClaim" in volume and template["name"] in FUSED:
            if not mount.get("readOnly") or not volume["persistentVolumeClaim"].get("readOnly"):
                yield f"volume {name}: read-only"
        elif kind is None:
            yield f"volume {name} is none of {VOLUME_KINDS}"
        elif kind == "emptyDir":
            if (name, mount["mountPath"]) != ("work", "/work") or not volume[kind].get("sizeLimit"):
                yield "the one writable volume is work at /work with a sizeLimit"
        elif not mount.get("readOnly") or not volume[kind].get("optional"):
            yield f"volume {name}: read-only, and optional so that its absence is an error message, not a pending pod"
    text = " ".join(workflow_files.strings([template["container"].get("args"), template["container"].get("env")]))
    used = {path for path in re.findall(r"(?<![\w./-])(/(?:work|trust|keys/[\w-]+|registry/[\w-]+))", text)}
    for path in used - {mount["mountPath"] for mount in mounts.values()}:
        yield f"{path} is used but not mounted"
    for name, parameter in workflow_files.inputs(template).items():
        if re.match(r"/(work|trust|keys|registry)(/|$)", parameter.get("default", "")):
            yield f"the parameter {name} holds a path under a mount: a local runner maps only what the file itself says"


def _account_faults(template):
    if not template.get("serviceAccountName"):
        yield "serviceAccountName is missing"
    needs_token = template["name"] in TOKEN_STEPS
    if template.get("automountServiceAccountToken") is not needs_token:
        yield f"automountServiceAccountToken is not {needs_token}"
    if not needs_token and not template.get("executor", {}).get("serviceAccountName"):
        yield "without a token Argo's own container needs executor.serviceAccountName"


# A step that speaks to a registry says who it is there, whom it trusts there, and where plain http is wanted.
REGISTRY_STEPS = ("download", "verify", "publish", "deploy", "plan", "generate-proof", "anchor", "register")
_REGISTRY_VOLUMES = (
    ("/registry/login", {"secret": {"secretName": "capsule-registry", "optional": True, "defaultMode": 0o440}}),
    ("/registry/ca", {"configMap": {"name": "capsule-registry-ca", "optional": True}}),
)
_REGISTRY_ENVIRONMENT = {
    "REGISTRY_AUTH_FILE": "/registry/login/.dockerconfigjson",
    "CAPSULE_REGISTRY_CA": "/registry/ca",
}


def _registry_faults(template):
    if template["name"] not in REGISTRY_STEPS:
        return
    container = template["container"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
    for path, wanted in _REGISTRY_VOLUMES:
        if {"name": mounts.get(path), **wanted} not in template.get("volumes", []):
            yield f"{path} is not mounted as in every step that speaks to a registry"
    environment = {variable["name"]: variable.get("value") for variable in container.get("env", [])}
    for name, value in _REGISTRY_ENVIRONMENT.items():
        if environment.get(name) != value:
            yield f"{name} is not {value}"
    for name in ("insecure-registry", "auth-host"):
        if f"--{name}={{{{inputs.parameters.{name}}}}}" not in container.get("args", []):
            yield f"--{name} is not that of the parameter"


# What capsule-run gives as outputs of its own.
RUNNER_OUTPUTS = ("run-id", "phase")


def workflow_faults(documents):
    """What a Workflow inherits from the WorkflowTemplate that it refers to."""
    submitted = {(d["spec"].get("workflowSpec") or d["spec"]).get("workflowTemplateRef", {}).get("name")
                 for d in documents.values() if d.get("kind") in ("Workflow", "CronWorkflow")}
    ticks = {path for path, d in documents.items() if d["metadata"].get("name") in
             {c["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] for c in documents.values() if c.get("kind") == "CronWorkflow"}}
    for path, document in documents.items():
        spec = document.get("spec") or {}
        if document.get("kind") == "WorkflowTemplate" and spec.get("nodeSelector") != LINUX:
            yield f"{path}: spec.nodeSelector does not keep its pods to {LINUX}"
        if document.get("kind") != "WorkflowTemplate" or document["metadata"].get("name") not in submitted:
            continue
        for field in ("entrypoint", "activeDeadlineSeconds", "ttlStrategy", "parallelism"):
            if field not in spec:
                yield f"{path}: spec.{field} is missing"
        if spec.get("podGC", {}).get("strategy") != "OnPodSuccess" or "deleteDelayDuration" not in spec.get("podGC", {}):
            yield f"{path}: spec.podGC is not OnPodSuccess with a delay"
        for template in spec["templates"]:
            for name in workflow_files.outputs(template).keys() & set(RUNNER_OUTPUTS):
                if template["name"] == spec.get("entrypoint") and "container" not in template:
                    yield f"{path}: the output {name} of the entrypoint would hide that of capsule-run"
        if spec.get("securityContext") != POD_SECURITY:
            yield f"{path}: spec.securityContext is not the restricted one"
        called = [call for template in spec["templates"] for call, _ in workflow_files.calls(template)]
        is_gated = any("when" in call for call in called) and path in ticks
        hooks = [call["hooks"] for call in called if "when" in call and "hooks" in call] if is_gated else [spec.get("hooks")]
        if called and (is_gated and "hooks" in spec or [None] == hooks or not hooks):
            yield f"{path}: an exit hook says why a loop failed; of a cron workflow at the gated step alone"


def reference_faults(documents):
    """Every template that is called exists and gets the parameters it needs; every {{tag}} points at something."""
    library = workflow_files.templates_by_name(documents)
    for path, document in documents.items():
        if document.get("kind") == "ConfigMap":
            continue
        spec = document["spec"].get("workflowSpec", document["spec"])
        local = {template["name"]: template for template in spec.get("templates", [])}
        if "templates" in spec and spec.get("entrypoint") not in local:
            yield f"{path}: the entrypoint {spec.get('entrypoint')!r} is not there"
        for template in local.values():
            for fault in _template_faults(template, local, library):
                yield f"{path}: {template['name']}: {fault}"
        yield from (f"{path}: hooks: {fault}" for fault in _hook_faults(spec.get("hooks"), local, library, OF_WORKFLOWS))
        if "workflowTemplateRef" in spec:
            yield from (f"{path}: {fault}" for fault in _submission_faults(spec, documents))


def _called(call, local, library):
    if "templateRef" in call:
        reference = call["templateRef"]
        return library.get((reference.get("name"), reference.get("template")))
    return local.get(call.get("template"))


def _template_faults(template, local, library):
    declared = workflow_files.inputs(template)
    called = {call["name"]: _called(call, local, library) for call, _ in workflow_files.calls(template)}
    conditional = {call["name"] for call, _ in workflow_files.calls(template) if "when" in call}
    for call, before in workflow_files.calls(template):
        target = called[call["name"]]
        if target is None:
            yield f"{call['name']}: the template {call.get('templateRef', call.get('template'))} does not exist"
            continue
        where = f"{call['name']}: "
        yield from (where + fault for fault in _argument_faults(call, target, conditional))
        allowed = {name: called[name] for name in before}
        loops = "withItems" in call or "withParam" in call
        yield from (f"{where}hooks: {fault}" for fault in _hook_faults(call.get("hooks"), local, library, OF_WORKFLOWS[:2]))
        for tag in workflow_files.tags({key: value for key, value in call.items() if key != "hooks"}):
            yield from (where + fault for fault in _tag_faults(tag, declared, allowed, loops))
    own = {key: value for key, value in template.items() if key not in ("steps", "dag", "metrics")}  # what metrics may name: metric_rules.py
    if template["name"] in FUSED and "container" in own:  # the workflow inside has an identity of its own
        own["container"] = {**own["container"], "env": [one for one in own["container"]["env"] if one != OF_THE_OUTER_WORKFLOW]}
    for tag in workflow_files.tags({key: value for key, value in own.items() if key != "outputs"}):
        yield from _tag_faults(tag, declared, {}, False)
    for tag in workflow_files.tags(own.get("outputs")):
        yield from _tag_faults(tag, declared, called, False)
    for name, output in workflow_files.outputs(template).items():
        reference = _PURE_REFERENCE.fullmatch(output.get("valueFrom", {}).get("parameter", ""))
        if reference and reference[1] in conditional and "default" not in output["valueFrom"]:
            yield f"output {name}: {reference[1]} has a `when`, so this needs valueFrom.default"


def _hook_faults(hooks, local, library, may_be_told):
    """A hook calls a template that is there with what it needs, and tells it of the workflow what Argo fills in there."""
    for name, hook in (hooks or {}).items():
        target = _called(hook, local, library)
        if name != "exit" or target is None:
            yield f"{name}: only exit, with a template that exists"
            continue
        yield from _argument_faults(hook, target, set())
        yield from (f"{{{{{tag}}}}} is not filled in here" for tag in workflow_files.tags(hook) if tag.strip() not in may_be_told)


def _argument_faults(call, target, conditional):
    wanted = workflow_files.inputs(target)
    given = {parameter["name"]: parameter for parameter in call.get("arguments", {}).get("parameters", [])}
    for name in given.keys() - wanted.keys():
        yield f"{target['name']} has no input {name}"
    for name, parameter in wanted.items():
        optional = "default" in parameter or "value" in parameter
        if name not in given and not optional:
            yield f"the input {name} of {target['name']} is not given"
        reference = _PURE_REFERENCE.fullmatch(given.get(name, {}).get("value", ""))
        if reference and reference[1] in conditional and "default" not in parameter:
            yield f"{name}: {reference[1]} has a `when`, so the input needs a default"


def _tag_faults(tag, declared, called, loops):
    """TAG must name a declared input, an output of a step that has ended, or the item of a loop."""
    name = tag.strip()
    if name.startswith("="):
        name = re.sub(r"\[\s*['\"]([\w-]+)['\"]\s*\]", r".\1", name[1:])
        references = re.findall(r"\b(?:inputs|steps|tasks|workflow)\.[\w.-]+", name)
    else:
        references = [name]
    for reference in references:
        parts = reference.split(".")
        if parts[:2] == ["inputs", "parameters"] and len(parts) == 3 and parts[2] in declared:
            continue
        if loops and parts[0] == "item":
            continue
        if parts[0] in ("steps", "tasks") and parts[2:4] == ["outputs", "parameters"] and len(parts) == 5:
            target = called.get(parts[1])
            if target and parts[4] in workflow_files.outputs(target):
                continue
        yield f"{{{{{tag}}}}} points at nothing that is there"


def _submission_faults(spec, documents):
    """The arguments of a Workflow against the entrypoint of its template and against the shipped ConfigMap."""
    name = spec["workflowTemplateRef"].get("name")
    home = next(
        (d for d in documents.values() if d.get("kind") == "WorkflowTemplate" and d["metadata"]["name"] == name), None
    )
    if home is None:
        yield f"the WorkflowTemplate {name} does not exist"
        return
    entrypoint = next((t for t in home["spec"]["templates"] if t["name"] == home["spec"]["entrypoint"]), None)
    if entrypoint is None:
        return  # said already, of the file that lacks it
    yield from _argument_faults(spec, entrypoint, set())
    maps = {d["metadata"]["name"]: d for d in documents.values() if d.get("kind") == "ConfigMap"}
    defaults = workflow_files.inputs(entrypoint)
    for parameter in spec.get("arguments", {}).get("parameters", []):
        source = parameter.get("valueFrom", {})
        key = source.get("configMapKeyRef", {})
        config = maps.get(key.get("name"), {})
        if key.get("key") not in config.get("data", {}):
            yield f"{parameter['name']}: {key} is not in a shipped ConfigMap"
        elif config["metadata"]["labels"].get("workflows.argoproj.io/configmap-type") != "Parameter":
            yield f"{parameter['name']}: Argo reads only ConfigMaps with the label configmap-type: Parameter"
        if source.get("default") != defaults.get(parameter["name"], {}).get("default"):
            yield f"{parameter['name']}: the default is not that of the template"
