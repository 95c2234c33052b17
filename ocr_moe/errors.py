"""Every error that ocr_moe raises on purpose.

OcrMoeError
├── UsageError            the command or call cannot be started            (exit status 2)
│   ├── ConfigError       a configuration file, value or environment variable is wrong
│   ├── SchemaError       a schema is wrong or unknown
│   ├── TruthError        a verified sheet cannot be used
│   ├── MissingDependencyError   an optional package is not installed
│   ├── EndpointMissingError     a strategy needs an endpoint that is not configured
│   ├── ClusterError          a Ray cluster is not there, or a node of it cannot do what this machine can
│   └── StoreError        a run's store is of another run, version or process, or cannot be used further
│       └── DamagedRowError  a single row of it cannot be read
├── DocumentError         one file or page cannot be processed; the others go on
│   ├── UnreadableFileError      empty, truncated, mislabelled, encrypted or unknown format
│   ├── TooLargeError            beyond the configured limit of pixels or pages
│   ├── UnrecognisedError        no schema fits (--schema auto)
│   ├── WorkerLostError          reading it ended the process that did so
│   └── UnexpectedError          something broke over it, a plug-in perhaps
├── ExpertError           one expert could not answer
│   ├── EngineError       an OCR engine failed
│   └── ChatError         a language-model endpoint failed
│       ├── ChatConnectionError  down, refused, or timed out
│       ├── ChatAuthError        401 or 403
│       ├── ChatRateLimitError   429 after all retries
│       ├── ChatServerError      5xx after all retries
│       ├── ChatRequestError     the server refuses the request (other 4xx)
│       │   └── ChatTooLargeError    for its size: a smaller image may be taken
│       └── ChatAnswerError      an answer that cannot be used: prose, refusal, empty, cut off
├── ClusterLostError      a Ray cluster is gone amid a run, which can be resumed
├── OutputError           a file cannot be written: the disk is full, a folder stands in its place, …
├── DeferredError         a question waits for a batch of its endpoint: it is put again, nothing failed
├── PostponedError        questions are in a batch, which is not waited for: the run can be resumed
└── BudgetExceededError   --max-cost reached: the run stops cleanly and can be resumed
KeyboardInterrupt
└── InterruptedRunError   Ctrl-C: the run stopped cleanly and can be resumed  (exit status 130)
"""

from __future__ import annotations


class OcrMoeError(Exception):
    """Base of the tree; `str(error)` is a sentence for the user."""


class UsageError(OcrMoeError):
    pass


class ConfigError(UsageError):
    pass


class SchemaError(UsageError):
    pass


class TruthError(UsageError):
    pass


class MissingDependencyError(UsageError):
    pass


class EndpointMissingError(UsageError):
    pass


class ClusterError(UsageError):
    pass


class StoreError(UsageError):
    pass


class DamagedRowError(StoreError):
    pass


class DocumentError(OcrMoeError):
    pass


class UnreadableFileError(DocumentError):
    pass


class TooLargeError(DocumentError):
    pass


class UnrecognisedError(DocumentError):
    pass


class WorkerLostError(DocumentError):
    pass


class UnexpectedError(DocumentError):
    pass


class ExpertError(OcrMoeError):
    pass


class EngineError(ExpertError):
    pass


class ChatError(ExpertError):
    pass


class ChatConnectionError(ChatError):
    pass


class ChatAuthError(ChatError):
    pass


class ChatRateLimitError(ChatError):
    pass


class ChatServerError(ChatError):
    pass


class ChatRequestError(ChatError):
    pass


class ChatTooLargeError(ChatRequestError):
    pass


class ChatAnswerError(ChatError):
    """`reply` is the completed request (an `ocr_moe.protocols.ChatReply`), where it came to one: it
    was paid for all the same."""

    def __init__(self, message: str, reply: object = None) -> None:
        super().__init__(message)
        self.reply = reply


class ClusterLostError(OcrMoeError):
    pass


class OutputError(OcrMoeError):
    pass


class DeferredError(OcrMoeError):
    pass


class PostponedError(OcrMoeError):
    pass


class BudgetExceededError(OcrMoeError):
    pass


class InterruptedRunError(KeyboardInterrupt):
    """Not one of the tree: whoever handles errors is not to go on over an interrupt.

    `at_once` tells whether what was under way was left behind, unfinished.
    """

    def __init__(self, message: str, *, at_once: bool = False) -> None:
        super().__init__(message)
        self.at_once = at_once
