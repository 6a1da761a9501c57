"""What every scenario is made of. Its author needs only this: `from scenarios.kit import Workload, main`."""

from scenarios.kit.errors import Unsupported
from scenarios.kit.main import main
from scenarios.kit.receiver import Workload

__all__ = ["Unsupported", "Workload", "main"]
