"""What can go wrong around local programs; every sentence names the command that fixes it."""

from pathlib import Path

from protocol.errors import ConfigurationError, PotError, ServiceUnreachable


class ToolchainError(ConfigurationError):
    """A program this project runs is missing or unfit; ``fix`` is the command to run next."""

    def __init__(self, tool: str, problem: str, fix: str) -> None:
        super().__init__(f"{tool}: {problem}. To fix it: {fix}")
        self.tool = tool
        self.problem = problem
        self.fix = fix


class ToolMissing(ToolchainError):
    """Neither on PATH nor to be fetched for this machine."""


class ToolBroken(ToolchainError):
    """The program is there but does not run, or says a version that does not fit."""


class ChecksumMismatch(ToolchainError):
    """Fetched bytes are not the pinned ones; they were not kept."""

    def __init__(self, tool: str, path: Path, expected: str, actual: str) -> None:
        super().__init__(
            tool,
            f"{path.name} has sha256 {actual}, pinned is {expected}; it was not installed",
            "check the registry this machine installs from, then run `pot doctor` again",
        )
        self.path = path
        self.expected = expected
        self.actual = actual


class FetchFailed(ServiceUnreachable):
    """A package could not be fetched from the registry; ``command`` is what was run."""

    def __init__(self, tool: str, command: str, detail: str) -> None:
        super().__init__(f"the package registry (for {tool})", f"`{command}`", detail)
        self.tool = tool
        self.command = command


class LockHeld(PotError):
    """Another process holds the toolchain lock for longer than it ever needs."""

    exit_code = 3

    def __init__(self, path: Path, waited_s: float) -> None:
        super().__init__(
            f"another process has been setting up tools for {waited_s:.0f} s. "
            f"If none is running, remove {path} and try again."
        )
        self.path = path
        self.waited_s = waited_s


class ProgramFailed(PotError):
    """A local program ended or did not become ready; ``log`` holds the tail of what it said."""

    exit_code = 3

    def __init__(self, program: str, problem: str, log: str) -> None:
        tail = log.strip() or "it printed nothing"
        super().__init__(f"{program} {problem}. It said: {tail}")
        self.program = program
        self.problem = problem
        self.log = log


class CompilationFailed(PotError):
    """The Solidity compiler refused the sources; ``diagnostics`` are its formatted errors."""

    def __init__(self, diagnostics: tuple[str, ...]) -> None:
        super().__init__("the contracts do not compile:\n" + "\n".join(diagnostics))
        self.diagnostics = diagnostics
