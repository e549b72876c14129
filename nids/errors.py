"""The errors a caller can act on. Anything else that is raised is a defect of ours.

    NidsError
    |-- InputError         what the caller gave is not as expected: mend it and call again
    |-- NotFoundError      a model, version, signature or label that is not there
    |-- NotApprovedError   a model without an approving decision: it is not released
    |-- ArtifactError      an artifact on disk is damaged or incomplete: make it again
    `-- StoreError         a store or server that cannot be read or written now: retry

Messages are one sentence or two: ``Expected ... Received: ...``, naming file, column, row or flag.
"""


class NidsError(Exception):
    """Base of every error that a user or a client is expected to read."""


class InputError(NidsError):
    """The caller's input is not as expected."""


class NotFoundError(NidsError):
    """A named thing does not exist."""


class NotApprovedError(NidsError):
    """A model has no approving decision for exactly its bytes."""


class ArtifactError(NidsError):
    """An artifact on disk is damaged, incomplete or of another kind."""


class StoreError(NidsError):
    """A store or server cannot be reached, read or written now."""
