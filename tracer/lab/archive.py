"""Debian's archive through apt-get(8) with a state of its own: signatures are checked by apt against Debian's keyring,
the host's sources, packages and preferences are neither read nor changed, and no root is needed."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tracer.lab import CannotLab, LabError, tools
from tracer.lab.store import sha256

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"
ARCHITECTURE = "amd64"


@dataclass(frozen=True)
class Package:
    """One .deb: its exact version, size in bytes, and SHA-256 as the signed index gave it."""

    name: str
    version: str
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """A name for the cache; the archive's own has ':' and '~' written in ways that differ."""
        return f"{self.name}_{self.version.replace(':', '%3a')}.deb"

    def facts(self) -> dict[str, Any]:
        """The package as the lock file keeps it."""
        return asdict(self)


class Archive:
    """One suite of the archive, with its index in `directory`."""

    def __init__(self, directory: Path, suite: str) -> None:
        """Raises CannotLab without Debian's keyring."""
        if not KEYRING.exists():
            raise CannotLab(f"{KEYRING} is missing: apt-get install debian-archive-keyring")
        self.suite = suite
        self._directory = directory / suite
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        mirror = os.environ.get("IOTRACE_LAB_MIRROR", MIRROR)
        (self._directory / "sources.list").write_text(
            f"deb [arch={ARCHITECTURE} signed-by={KEYRING}] {mirror} {suite} main\n",
            encoding="ascii",
        )

    def update(self) -> None:
        """Fetches the suite's index; raises LabError where the mirror cannot be reached or a signature is wrong."""
        self._apt(
            "apt-get",
            "-qq",
            "-o",
            "Acquire::Retries=1",
            "-o",
            "APT::Update::Error-Mode=any",
            "update",
        )

    def newest(self, name: str) -> str | None:
        """The highest version of a package, None where the suite has none."""
        versions = [stanza["Version"] for stanza in self._stanzas(name)]
        return versions[0] if versions else None  # apt-cache prints the newest first

    def package(self, name: str, version: str) -> tuple[Package, list[str]]:
        """The package, and the names of what it depends on (of alternatives the first)."""
        for stanza in self._stanzas(f"{name}={version}"):
            needs = [
                re.split(r"[ (|:]", dependency.strip())[0]
                for dependency in stanza.get("Depends", "").split(",")
            ]
            return Package(name, version, int(stanza["Size"]), stanza["SHA256"]), [
                need for need in needs if need
            ]
        raise LabError(
            f"{self.suite} has no {name} {version} any more: `iotrace lab update` moves the lock file "
            "to what it has now"
        )

    def closure(self, names: list[str]) -> list[Package]:
        """What apt would install for `names` and all essential packages on an empty system."""
        lines = self._apt(
            "apt-get",
            "-qq",
            "--simulate",
            "--no-install-recommends",
            "install",
            "?essential",
            *names,
        )
        installed = re.findall(r"^Inst (\S+) \((\S+) ", lines, re.M)
        return [self.package(name, version)[0] for name, version in sorted(installed)]

    def fetch(self, packages: list[Package], directory: Path) -> None:
        """Downloads packages into `directory` under `Package.file`; checks signature, size and the lock's checksum."""
        self.update()
        for package in packages:
            self.package(package.name, package.version)
        self._apt(
            "apt-get",
            "-qq",
            "download",
            *(f"{package.name}={package.version}" for package in packages),
            cwd=directory,
        )
        have = {sha256(path): path for path in directory.glob("*.deb")}
        for package in packages:
            if package.sha256 not in have:
                raise LabError(
                    f"{package.name} {package.version} came with another checksum than the lock file has: "
                    "not used; `iotrace lab update` moves the lock file if this was meant"
                )
            have[package.sha256].rename(directory / package.file)

    def _stanzas(self, name_or_version: str) -> list[dict[str, str]]:
        text = self._apt(
            "apt-cache",
            "show",
            "--no-all-versions" if "=" in name_or_version else "--all-versions",
            name_or_version,
            missing_ok=True,
        )
        return [
            dict(re.findall(r"^(\S+?): (.*)$", stanza, re.M))
            for stanza in text.split("\n\n")
            if stanza.strip()
        ]

    def _apt(
        self,
        program: str,
        *arguments: str,
        cwd: Path | str = tools.ELSEWHERE,
        missing_ok: bool = False,
    ) -> str:
        directory = self._directory
        options = {
            "Dir::State": directory / "state",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": directory / "cache",
            "Dir::Cache::pkgcache": "pkgcache.bin",
            "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
            "Dir::Etc::sourcelist": directory / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Acquire::Languages": "none",
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures": ARCHITECTURE,
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
            "Acquire::http::Timeout": "20",
        }
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        try:
            return tools.run(program, *flags, *arguments, cwd=cwd)
        except LabError as error:
            if missing_ok:
                return ""
            raise LabError(f"Debian's archive ({self.suite}): {error}") from None
