"""What every test runs under: no limit on hypothesis' time, and the thorough cases only when they are asked for."""

from hypothesis import settings

settings.register_profile("iotrace", deadline=None)
settings.load_profile("iotrace")


def pytest_addoption(parser):
    parser.addoption("--thorough", action="store_true",
                     help="every scenario in every language over every protocol, and the same again under load")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--thorough"):
        left = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
