"""What the OpenAPI document allows is asked, and the answers are as it says."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from made_up_bundles import TOKEN, Running, bundle, served
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bundles")
    bundle(folder / "one")
    bundle(folder / "two", version=2)
    with served(folder / "one", shadow=folder / "two") as found:
        yield found


WANTED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CHECKED = settings(
    max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


def test_the_service_answers_as_its_description_says(running: Running) -> None:
    schema = schemathesis.openapi.from_url(f"{running.address}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 15

    for operation in operations:
        # The description does not say how many pixels the model takes, so most requests are refused: that is told too.
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            try:
                CHECKED(given(case=operation.as_strategy(generation_mode=mode))(ask))()
            except Unsatisfiable:  # there is nothing that such a request could get wrong
                assert mode is schemathesis.GenerationMode.NEGATIVE


def ask(case: Any) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"} if case.path.startswith("/admin/") else {}
    case.validate_response(case.call(headers=headers), checks=WANTED)
