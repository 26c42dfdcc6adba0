"""What can be wrong with training input: a spec or a file of ours, or a blob somebody sent."""

from protocol.errors import InvalidInput, PotError, VerificationFailed


class TrainingError(PotError):
    """Root of the errors of the training arithmetic."""


class InvalidModel(InvalidInput, TrainingError):
    """The spec names an architecture that is not registered, or parameters outside its bounds."""

    def __init__(self, arch: str, detail: str) -> None:
        super().__init__(f"model {arch!r}: {detail}")
        self.arch = arch
        self.detail = detail


class InvalidRecipe(InvalidInput, TrainingError):
    """The recipe cannot be carried out on this dataset; ``field`` names the entry at fault."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"recipe {field}: {detail}")
        self.field = field
        self.detail = detail


class InvalidDataset(InvalidInput, TrainingError):
    """A dataset cannot be used; ``subject`` names the file, tensor or column, ``detail`` says why."""

    def __init__(self, subject: str, detail: str) -> None:
        super().__init__(f"dataset {subject}: {detail}")
        self.subject = subject
        self.detail = detail


class DatasetHashMismatch(VerificationFailed, TrainingError):
    """The dataset's bytes are not those that the spec names."""

    def __init__(self, expected: bytes, found: bytes) -> None:
        super().__init__("dataset", f"sha256 is {found.hex()}, the spec names {expected.hex()}")
        self.expected = expected
        self.found = found


class BlobRejected(VerificationFailed, TrainingError):
    """A tensor blob (checkpoint, gradient) is not what its manifest says; nothing was built from it."""


class Diverged(TrainingError):
    """Training left the range of numbers: a gradient or a parameter is infinite or NaN."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} is not finite: training diverged. Lower the learning rate.")
        self.subject = subject


class UnusualArithmetic(TrainingError):
    """This process flushes subnormal numbers to zero, so it would compute other bits than everybody else."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__("this process flushes subnormal floats to zero; exact updates are impossible here")
