"""Requests made from the OpenAPI document, good and bad ones: no answer breaks, and each fits what is documented.

A quick profile; `VP_OPENAPI_EXAMPLES=200 pytest tests/serving/test_openapi.py` looks harder.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from wire_client import Server

EXAMPLES = int(os.environ.get("VP_OPENAPI_EXAMPLES", "8"))
PATHS = (
    "/health", "/ready", "/metrics", "/v1/instrument", "/v1/signals", "/v1/datasets", "/v1/datasets/{dataset_id}",
    "/v1/serving", "/v1/serving/{name}", "/v1/experiments/runs", "/v1/experiments/runs/{run_id}/detail",
)  # fmt: skip


@pytest.fixture(scope="module")
def operations(server: Server) -> dict[str, Any]:
    """Every operation of the document by its path."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return {found.ok().path: found.ok() for found in schema.get_all_operations()}


def test_the_document_names_every_path(operations: dict[str, Any]) -> None:
    assert set(PATHS) <= set(operations)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_answers_fit_the_document(server: Server, operations: dict[str, Any], mode: GenerationMode) -> None:
    asked = set()
    for operation in operations.values():

        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy(mode))
        def ask(case: Any) -> None:
            asked.add(case.operation.path)
            case.call_and_validate(base_url=server.url)

        with contextlib.suppress(Unsatisfiable):  # without parameters no request can be a bad one
            ask()
    with_parameters = {path for path, operation in operations.items() if operation.query or operation.path_parameters}
    assert asked >= (set(operations) if mode is GenerationMode.POSITIVE else with_parameters)
