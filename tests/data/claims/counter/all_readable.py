"""trials.watching with all sockets readable: what epoll_wait tells of is no longer one of many, and its cost grows."""

import scenarios.trials.watching as trial
from scenarios.kit import main, transport


class _Readable(trial.socket.socket):
    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.bind((transport.LOOPBACK, 0))
        self.connect(self.getsockname())
        self.send(b"it stays here")

    def bind(self, address: tuple[str, int]) -> None:
        if self.getsockname()[1] == 0:  # the trial binds one of them itself
            super().bind(address)


trial.socket.socket, trial.SIZES = _Readable, (4, 100)
main("all_readable", __doc__, ("none",), trial.receive)
