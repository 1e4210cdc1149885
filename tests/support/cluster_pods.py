"""Pods that tests make, as the restricted pod security standard admits them."""

POD_SECURITY = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
# Of a runner with 256 MiB: processes that each stay below the limit of one, and together pass that of all.
TAKES_MEMORY = """for _ in range(8):
    if os.fork() == 0:
        held = b"x" * (60 << 20)
        time.sleep(20)
        os._exit(0)
time.sleep(10)"""


def pod(name, image, *command, volumes=(), mounts=(), **more):
    """A pod of one container, `main`; without a command that of the image."""
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "securityContext": CONTAINER_SECURITY,
                 "volumeMounts": list(mounts), **({"command": list(command)} if command else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "restartPolicy": "Never", "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1,
        "securityContext": POD_SECURITY, "containers": [container], "volumes": list(volumes), **more}}
