"""The C twin of a scenario: found beside it in scenarios/c/, compiled on first use with the system's cc, and kept.

    python3 -m tracer.run.twin blocking      compiles it if that was not yet done, and says where it is

It is kept in the cache of the user who runs it (XDG_CACHE_HOME or ~/.cache, as XDG's base directories have it), in a
directory named by a digest of the sources, the flags and the compiler. Nobody else may be able to write there, nor to
choose what cc reads: cc, as and ld look into their working directory and into many variables of the environment
(GCC's manual, "Environment Variables Affecting GCC"), so they get a directory and an environment of their own.
"""

import argparse
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import scenarios
from tracer import places
from tracer.errors import CANNOT, IotraceError

SOURCES = Path(scenarios.__file__).parent / "c"
SHARED = ("workload.c", "transport.c")  # compiled into every twin
FLAGS = ("-O2", "-std=gnu11", "-Wall")


class CannotBuild(IotraceError):
    """There is no compiler, it refuses, or there is no safe place for what it makes; the text is one line."""

    status = CANNOT


def compiler() -> str | None:
    """The path of the C compiler, None where there is none."""
    return shutil.which("cc", path=places.path())


def built(path: Path) -> Path:
    """The program of the twin at `path`, compiled unless it is in this user's cache already; raises CannotBuild."""
    cc = compiler()
    if cc is None:
        raise CannotBuild(
            "--lang c needs a C compiler, and there is no cc: apt-get install gcc libc6-dev"
        )
    place = _cache()
    kept = place / _digest(path, cc)
    if not (kept / path.stem).exists():
        try:
            _compile(path, cc, kept)
        except OSError as error:
            raise CannotBuild(f"cannot compile into {place}: {error.strerror}") from None
    return kept / path.stem


def built_as(path: Path, user: tuple[int, int] | None) -> Path:
    """built(), run as another user (uid, gid): with that user's rights, into that user's cache. None: as this user."""
    if user is None:
        return built(path)
    uid, gid = user
    try:
        account = pwd.getpwuid(uid)
        groups, home = os.getgrouplist(account.pw_name, gid), account.pw_dir
    except KeyError:
        groups, home = [], "/"
    done = subprocess.run(
        [sys.executable, "-m", "tracer.run.twin", path.stem],
        user=uid,
        group=gid,
        extra_groups=groups,
        umask=0o077,
        env={
            **places.environment(),
            "HOME": home,
            "PYTHONPATH": str(SOURCES.parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd="/",
        capture_output=True,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("twin: ")
        raise CannotBuild(said or "compiling the C twin failed")
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n")))


def _digest(path: Path, compiler: str) -> str:
    """A digest of all that the program depends on: the sources, the flags, the compiler, and its path to as and ld."""
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, check=False, **_apart("/")
    ).stdout
    ingredients = [
        os.fsencode(os.path.realpath(compiler)),
        version,
        " ".join(FLAGS).encode(),
        os.fsencode(places.path()),
    ]
    ingredients += [
        source.read_bytes()
        for source in (path, *sorted(SOURCES.glob("*.h")), *(SOURCES / name for name in SHARED))
    ]
    return hashlib.sha256(
        b"".join(hashlib.sha256(ingredient).digest() for ingredient in ingredients)
    ).hexdigest()[:16]


def _compile(path: Path, compiler: str, kept: Path) -> None:
    """Compiles in a directory of its own, which then gets its name, so that no program is ever half there."""
    directory = tempfile.mkdtemp(prefix=".building-", dir=kept.parent)
    try:
        command = [
            compiler,
            *FLAGS,
            "-o",
            str(Path(directory, path.stem)),
            str(path),
            *(str(SOURCES / name) for name in SHARED),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **_apart(directory),
        )
        if done.returncode:
            errors = [
                line for line in done.stderr.splitlines() if "error" in line
            ] or done.stderr.splitlines()
            raise CannotBuild(
                f"{compiler} cannot compile {path.name}: {(errors or ['it did not say why'])[0].strip()}"
            )
        os.chmod(Path(directory, path.stem), 0o700)
        try:
            os.rename(directory, kept)
        except OSError:
            if not kept.exists():  # else another run was quicker
                raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _apart(directory: str) -> dict[str, Any]:
    """Popen's arguments by which nothing of the caller's directory and environment reaches the compiler but PATH."""
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = "/"
    return {
        "cwd": directory,
        "stdin": subprocess.DEVNULL,
        "env": {"PATH": places.path(), "HOME": home, "TMPDIR": directory, "LC_ALL": "C"},
    }


def _cache() -> Path:
    """The directory of this user's twins, made if need be; raises CannotBuild where others could write to it."""
    cache_home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = (
            Path(cache_home)
            if cache_home.startswith("/")
            else Path(pwd.getpwuid(os.geteuid()).pw_dir, ".cache")
        )
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = home.resolve() / "iotrace"
        place.mkdir(mode=0o700, exist_ok=True)
        directory = places.open_to_others(place)
        if directory:
            raise CannotBuild(
                f"compiled scenarios are not kept in {place}: others may write to {directory} "
                "(chmod go-w, or set XDG_CACHE_HOME)"
            )
    except KeyError:
        raise CannotBuild(
            "this user has no home to keep compiled scenarios in: set XDG_CACHE_HOME"
        ) from None
    except OSError as error:
        raise CannotBuild(
            f"compiled scenarios cannot be kept in {error.filename}: {error.strerror} "
            "(set XDG_CACHE_HOME)"
        ) from None
    return place


def main() -> None:
    """Says where the twin is; exits 0, 2 (usage) or 3 (cannot here)."""
    names = sorted(path.stem for path in SOURCES.glob("*.c") if path.name not in SHARED)
    arguments = argparse.ArgumentParser(
        prog="python -m tracer.run.twin", description=(__doc__ or "").partition("\n")[0]
    )
    arguments.add_argument("name", choices=names)
    try:
        program = built(SOURCES / f"{arguments.parse_args().name}.c")
        sys.stdout.buffer.write(os.fsencode(program) + b"\n")
    except CannotBuild as problem:
        print(f"twin: {problem}", file=sys.stderr)
        sys.exit(problem.status)


if __name__ == "__main__":
    main()
