"""What is known to differ between the service and the contract it is held against, written into the contract first.

The alternative would be to switch checks off. So the checks stay on, for every operation, and each difference stands
here with its reason. The project's own contract (specs/openapi.yaml) needs the last one only.
"""

import schemathesis

PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # The official contract protects GET /flussi and does not say what happens without a valid voucher, past the
    # declared thresholds, or when the service cannot answer.
    responses = raw_schema["paths"]["/flussi"]["get"]["responses"]
    for status in ("401", "403", "429", "503"):
        responses.setdefault(status, {"description": "not in the official contract", **PROBLEM})
    schemas = raw_schema["components"]["schemas"]
    # Some senders write null for an optional field; refusing it would make INPS send the outcomes again for ever.
    for schema in (schemas["ElencoEsiti"], schemas["EsitoFlusso"]):
        for name, field in schema["properties"].items():
            if name not in schema.get("required", []):
                field["nullable"] = True
    # `since` goes up to 1e20, past its own format int64: the bound is what counts.
    schemas["UnixTimestamp"].pop("format", None)
