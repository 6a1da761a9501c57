"""What every test runs under: no limit on hypothesis' time, thorough cases only when they are asked for, live ones only
where the probes can be attached; and several at once with pytest-xdist."""

import os
import shlex
import sys

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than there are CPUs: live tests mostly wait. No more than 8, each of which imports and collects all."""
    return min(len(os.sched_getaffinity(0)) + 1, 8)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs):
    """Workers are started as this Python was: under -I what is installed is tested, by them too."""
    options = ["-I"] * sys.flags.isolated + ["-B"] * sys.dont_write_bytecode
    for spec in specs:
        spec.python = shlex.join([sys.executable, *options])


# First: pytest-xdist reads the groups in this hook too.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if not config.getoption("--thorough"):
        left = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    for item in items:
        if not item.get_closest_marker("xdist_group") and _shares_with_its_module(item):
            item.add_marker(pytest.mark.xdist_group(item.path.name))


def _shares_with_its_module(item):
    """Whether it uses what is made once for its module: then one worker runs the module, and makes that once."""
    made = item._fixtureinfo.name2fixturedefs.values()
    return any(fixture.scope == "module" for found in made for fixture in found)


@pytest.fixture(scope="session", autouse=True)
def _others_may_enter(tmp_path_factory):
    """Some tests start programs as another user, who is to reach their directory. pytest makes its own for us alone,
    and pytest-xdist one for each worker below."""
    base = tmp_path_factory.getbasetemp()
    for directory in (base, *base.parents[:2]):
        directory.chmod(directory.stat().st_mode | 0o055)


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
