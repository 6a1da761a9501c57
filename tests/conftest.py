"""What every test runs under: no limit on hypothesis' time, thorough cases only when they are asked for, live ones only
where the probes can be attached."""

import pytest
from hypothesis import settings

from tracer.bpf.loader import Attachment
from tracer.kernel import features

settings.register_profile("iotrace", deadline=None)
settings.load_profile("iotrace")


def pytest_addoption(parser):
    parser.addoption(
        "--thorough",
        action="store_true",
        help="every scenario in every language over every protocol, and the same again under load",
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--thorough"):
        left = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]


@pytest.fixture(scope="session")
def cannot_trace():
    """Why the probes cannot be attached here; empty where they can."""
    try:
        with Attachment(features.find(), 4096):
            return ""
    except features.CannotTrace as error:
        return " ".join(str(error).split())[:200]


@pytest.fixture(autouse=True)
def _traceable(request):
    if request.node.get_closest_marker("live"):
        why = request.getfixturevalue("cannot_trace")
        if why:
            pytest.skip(why)
