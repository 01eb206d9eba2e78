"""Checks requests to AWS against the models that AWS publishes of its services (in botocore).

Reads lines of JSON, [operation, body], prints what is wrong with them, a line for each, and fails then.
Bodies of AWS Query are texts throughout, as they were sent.
"""

import json
import sys

import botocore.loaders
import botocore.model
import botocore.validate

SERVICES = ["ecs", "ecr", "sts", "logs", "elbv2", "cloudformation", "secretsmanager", "ssm"]


def models():
    """Every operation's input, and whether it is sent as a form, by the operation's name."""
    loader = botocore.loaders.Loader()
    known = {}
    for service in SERVICES:
        model = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"))
        for name in model.operation_names:
            known.setdefault(name, []).append(
                (model.operation_model(name).input_shape, model.protocol == "query")
            )
    return known


def typed(shape, value):
    """What a text of a form means."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {k: typed(shape.members[k], v) if k in shape.members else v for k, v in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [typed(shape.member, item) for item in value]
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(value, value)
    if shape.type_name in ("integer", "long"):
        return int(value)
    return value


def main():
    known, validator, wrong = models(), botocore.validate.ParamValidator(), set()
    for line in sys.stdin:
        operation, body = json.loads(line)
        if operation not in known:
            wrong.add(f"{operation}: there is no such operation")
            continue
        reports = []
        for shape, is_form in known[operation]:
            said = {k: v for k, v in (body or {}).items() if not (is_form and k == "Version")}
            if shape is None:
                reports.append("it takes nothing" if said else "")
            else:
                said = typed(shape, said) if is_form else said
                reports.append(validator.validate(said, shape).generate_report())
        # An operation's name may be that of several services.
        if all(reports):
            wrong.add(f"{operation}: {reports[0]}")
    print("\n".join(sorted(wrong)), end="")
    return 1 if wrong else 0


sys.exit(main())
