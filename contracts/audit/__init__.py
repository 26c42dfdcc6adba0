"""Assurance around the contracts: coverage, static analysis, symbolic checks and mutation.

Each module is a program (``python -m contracts.audit.coverage``) that works on a copy of the sources, so that
the build of the working tree stays as it is. slither and halmos have an environment of their own,
``.venv-audit``.
"""
