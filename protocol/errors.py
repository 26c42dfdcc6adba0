"""One error tree: who is wrong decides what the process does, and with which exit code a command ends.

``exit_code`` follows the command-line contract: 1 = it ran and the answer is no, 2 = wrong usage or
configuration, 3 = a needed service is unreachable.
"""


class PotError(Exception):
    """Root of every error this project raises on purpose; ``str(error)`` is a sentence for the reader."""

    exit_code = 1


class InvalidInput(PotError):
    """What the caller handed in cannot be used (a spec, a flag, a file, a configuration)."""

    exit_code = 2


class ConfigurationError(InvalidInput):
    """A setting is missing or contradicts another one."""


class ServiceUnreachable(PotError):
    """A service that is needed does not answer; the same call may succeed later."""

    exit_code = 3

    def __init__(self, service: str, url: str, detail: str) -> None:
        super().__init__(f"{service} at {url} is unreachable: {detail}. Check that it runs, then try again.")
        self.service = service
        self.url = url
        self.detail = detail


class Refused(PotError):
    """The chain or a peer understood the request and said no; ``reason`` is its error name."""

    def __init__(self, sentence: str, reason: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason


class VerificationFailed(PotError):
    """Something that was claimed is not true; ``subject`` names the lie (a blob, a root, a signature)."""

    def __init__(self, subject: str, detail: str) -> None:
        super().__init__(f"{subject}: {detail}")
        self.subject = subject
        self.detail = detail


class PeerMisbehaved(VerificationFailed):
    """A peer broke the rules: drop what it sent, count it, go on."""
