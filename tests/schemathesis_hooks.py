"""What schemathesis is told beside schemathesis.toml."""
import os

import schemathesis


@schemathesis.serializer("application/vnd.tcpdump.pcap")
def capture(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Who is disabled or removed cannot go on: nobody does that to the user who asks."""
    if case.path_parameters and case.path_parameters.get("id") == os.environ.get("OWN_ID"):
        case.path_parameters["id"] = "nobody"
