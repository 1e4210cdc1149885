"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler of one cluster."""
import json

from network import FIRST_SERVICE, NODE, PODS, SERVICES

SERVER = f"https://{NODE}:6443"
ETCD = "http://127.0.0.1:2379"


def make_identities(authority, node):
    """All certificates and kubeconfigs: of the servers, of the administrator, of each part."""
    authority.make()
    authority.server("apiserver", f"IP:{NODE}", f"IP:{FIRST_SERVICE}", "IP:127.0.0.1", "DNS:kubernetes.default.svc")
    authority.server("kubelet-server", f"IP:{NODE}", f"DNS:{node}")
    for name, user, group in (("admin", "admin", "system:masters"),
                              ("apiserver-kubelet", "apiserver", "system:masters"),
                              ("kube-controller-manager", "system:kube-controller-manager", None),
                              ("kube-scheduler", "system:kube-scheduler", None),
                              ("kube-proxy", "system:kube-proxy", None),
                              ("kubelet", f"system:node:{node}", "system:nodes")):
        authority.client(name, user, group)
        authority.kubeconfig(name, SERVER)


def etcd(folder):
    # Nothing here outlives the machine: what is written may wait.
    return ["etcd", f"--data-dir={folder}", "--unsafe-no-fsync", f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380", "--log-level=warn"]


# Whoever is no part of the cluster itself: what a test or a bench asked for, with the moments.
AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
    {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system", "system:unauthenticated"]},
    {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "apiserver"]},
    {"level": "Metadata"}]}


def apiserver(authority, image_volumes):
    path = authority.path
    path("audit-policy.json").write_text(json.dumps(AUDIT), encoding="ascii")
    return ["kube-apiserver", f"--etcd-servers={ETCD}", "--bind-address=0.0.0.0", f"--advertise-address={NODE}",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
            f"--service-cluster-ip-range={SERVICES}", f"--feature-gates=ImageVolume={str(image_volumes).lower()}",
            f"--audit-policy-file={path('audit-policy.json')}", f"--audit-log-path={path('audit.log')}",
            f"--client-ca-file={path('ca.crt')}", f"--tls-cert-file={path('apiserver.crt')}", f"--tls-private-key-file={path('apiserver.key')}",
            "--kubelet-preferred-address-types=InternalIP", f"--kubelet-certificate-authority={path('ca.crt')}",
            f"--kubelet-client-certificate={path('apiserver-kubelet.crt')}", f"--kubelet-client-key={path('apiserver-kubelet.key')}",
            f"--service-account-key-file={path('service-accounts.pub')}", f"--service-account-signing-key-file={path('service-accounts.key')}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--cert-dir={path('.')}"]


def controller_manager(authority):
    config = authority.path("kube-controller-manager.kubeconfig")
    return ["kube-controller-manager", f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
            f"--service-account-private-key-file={authority.path('service-accounts.key')}", f"--root-ca-file={authority.path('ca.crt')}",
            "--use-service-account-credentials", "--allocate-node-cidrs", f"--cluster-cidr={PODS}", "--leader-elect=false",
            "--bind-address=127.0.0.1"]


def scheduler(authority):
    config = authority.path("kube-scheduler.kubeconfig")
    return ["kube-scheduler", f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
            "--leader-elect=false", "--bind-address=127.0.0.1"]
