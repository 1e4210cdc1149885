"""What makes the template that runs a loop in one pod the same as that loop: its inputs and outputs, and all that the loop's own templates bring along."""
import workflow_files

INSTALLED = "/usr/local/share/capsule-loop/workflows/templates"
# What capsule-run gives besides the outputs of the workflow.
OF_CAPSULE_RUN = ("run-id", "phase")


def faults(fused, loop, library, given=None, own=None, volumes=()):
    """`fused`: the leaf template; `loop`: the WorkflowTemplate whose file it runs; `library`: workflow_files.templates_by_name; `given`: {input of
    the loop: what it is given} where that is not the input of the same name; `own`: {input: default} and `volumes` that the loop does not have."""
    given, own = given or {}, own or {}
    entrypoint = library[loop, _entrypoint_of(loop, library)]
    leaves = list(leaves_below(loop, entrypoint, library))
    container = fused["container"]
    yield from _differ("inputs", {n: p.get("default") for n, p in workflow_files.inputs(fused).items()},
                       {n: p.get("default") for n, p in workflow_files.inputs(entrypoint).items()} | own)
    yield from _differ("outputs", {n: o["valueFrom"] for n, o in workflow_files.outputs(fused).items()},
                       {n: {"path": f"/work/outputs/{n}"} for n in (*OF_CAPSULE_RUN, *workflow_files.outputs(entrypoint))})
    yield from _differ("args", container["args"],
                       [*(f"--parameter={n}={given.get(n, f'{{{{inputs.parameters.{n}}}}}')}" for n in workflow_files.inputs(entrypoint)),
                        "--new=true", "--outputs=/work/outputs", "--", f"{INSTALLED}/{loop}.yaml"])
    yield from _differ("images of pods", images(fused), {pair for leaf in leaves for pair in images(leaf)})
    yield from _differ("what is mounted", mounted(fused), {place for leaf in leaves for place in _where_capsule_run_looks(leaf)} | set(volumes))


def leaves_below(home, template, library):
    """Every template with a container that `template` of the WorkflowTemplate `home` calls, at whatever depth."""
    if "container" in template:
        yield template
    for call, _ in workflow_files.calls(template):
        there = call.get("templateRef", {"name": home, "template": call.get("template")})
        yield from leaves_below(there["name"], library[there["name"], there["template"]], library)


def images(leaf):
    """The variables that name images of pods which a step makes."""
    return {(variable["name"], variable["value"]) for variable in leaf["container"]["env"] if variable["name"].endswith("_IMAGE")}


def mounted(leaf):
    """(mount path, what is there)."""
    volumes = {volume["name"]: volume for volume in leaf["volumes"]}
    return {(mount["mountPath"], _content(volumes[mount["name"]])) for mount in leaf["container"]["volumeMounts"]}


def _where_capsule_run_looks(leaf):
    for path, content in mounted(leaf):
        kind, name = content[:2]
        yield ({"secret": f"/work/secrets/{name}", "configMap": f"/work/configmaps/{name}"}.get(kind, path), content)


def _content(volume):
    if "secret" in volume:
        return "secret", volume["secret"]["secretName"], volume["secret"].get("defaultMode")
    if "configMap" in volume:
        return "configMap", volume["configMap"]["name"], volume["configMap"].get("defaultMode")
    if "persistentVolumeClaim" in volume:
        return "claim", volume["persistentVolumeClaim"]["claimName"]
    return ("emptyDir", volume["name"])


def _entrypoint_of(home, library):
    """The first template of a file is its entrypoint here; the rules hold the files to it."""
    return next(template for name, template in library if name == home)


def _differ(what, found, wanted):
    if found != wanted:
        yield f"{what}: {found} where the loop has {wanted}"
