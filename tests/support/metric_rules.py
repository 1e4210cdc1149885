"""The Prometheus metrics that each template with a container brings along. Argo's controller makes one series of each set of label values and keeps it,
and takes no second help text, type or buckets for a name: both are held here."""
import re

import workflow_files

DURATION, FAILURES = "capsule_loop_step_duration_seconds", "capsule_loop_step_failures_total"
# What a label may be filled with: values of which there are few. An input, an output or a workflow's name is another one each time.
_FEW = ("status", "exitCode")


def faults(documents):
    leaves = [(path, template) for path, template in workflow_files.leaf_templates(documents) if "container" in template]
    kinds = {}
    for path, template in leaves:
        metrics = template.get("metrics", {}).get("prometheus", [])
        for fault in _template_faults(template["name"], metrics):
            yield f"{path}: {fault}"
        for metric in metrics:
            kind = _kind(metric)
            if kinds.setdefault(metric["name"], kind) != kind:
                yield f"{path}: {metric['name']}: help, type, buckets and labels are other ones than elsewhere"


def _template_faults(step, metrics):
    found = {metric["name"]: metric for metric in metrics}
    for name, field, value, label in ((DURATION, "histogram", "{{duration}}", ("status", "{{status}}")), (FAILURES, "counter", "1", ("exit_code", "{{exitCode}}"))):
        metric = found.get(name, {})
        labels = [(one["key"], one["value"]) for one in metric.get("labels", [])]
        if metric.get(field, {}).get("value") != value or labels != [("step", step), label]:
            yield f"{name} is not a {field} of {value} with the labels step={step}, {label[0]}={label[1]}"
    if found.get(FAILURES, {}).get("when") != "{{status}} != Succeeded":
        yield f"{FAILURES} does not count what has not succeeded, and that alone"
    for metric in metrics:
        if not re.fullmatch("capsule_loop_[a-z_]+", metric["name"]) or not metric.get("help"):
            yield f"{metric['name']}: capsule_loop_… with a help text"
        yield from (f"{metric['name']}: a label of {{{{{tag}}}}} has no end of values" for tag in workflow_files.tags(metric.get("labels")) if tag not in _FEW)


def _kind(metric):
    """What the controller takes once for a name."""
    [field] = {"histogram", "counter", "gauge"} & metric.keys()
    return metric.get("help"), field, metric[field].get("buckets"), [label["key"] for label in metric.get("labels", [])]
