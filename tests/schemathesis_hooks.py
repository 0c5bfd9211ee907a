"""What schemathesis is told beside schemathesis.toml."""
import os

import schemathesis


@schemathesis.serializer("application/vnd.tcpdump.pcap")
def capture(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Who is disabled or removed cannot go on: nobody does that to the user who asks. And nobody watches this machine's interfaces:
    a start that may be obeyed starts the simulator."""
    if case.path_parameters and case.path_parameters.get("id") == os.environ.get("OWN_ID"):
        case.path_parameters["id"] = "nobody"
    if case.operation.path == "/api/network/start-monitoring" and isinstance(case.body, dict):
        name = case.body.get("interface")
        if name is None or (isinstance(name, str) and 1 <= len(name) <= 64):
            case.body = {**case.body, "interface": "simulator"}
