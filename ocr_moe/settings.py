"""Settings that several rooms read: how a component and a verified sheet stand in a configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ocr_moe.types import Probability, Value


class Component(BaseModel):
    """A part that the composition root builds: its kind, and the parameters of that kind."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class TruthOptions(Value):
    """How a verified sheet is read."""

    absent: tuple[str, ...] = ("无", "-", "null", "absent")
    """Cells that mean: this field is not on the document."""
    blank: Literal["unverified", "absent"] = "unverified"
    """What an empty cell means: nobody looked (left out), or not on the document."""
    sheet: str | None = None
    """Name of the sheet; else the one with most usable columns."""
    file_column: str | None = None
    """Heading of the column with the file names; else found by its usual names."""
    subject_column: str | None = None
    """Heading of the column with the subjects' names; else found by its usual names."""


class ReviewOptions(Value):
    """How people review a run."""

    reviewers: tuple[str, ...] = ()
    """Names to choose from at the desk; without any, that of whoever is logged in to the machine."""
    reviewer_header: str | None = None
    """Header in which a trusted proxy names the reviewer, such as X-Forwarded-User."""
    target: Probability = 0.995
    """Share of right cells that the plan is to reach."""
    assurance: Probability = 0.95
    """How sure a certificate is to be."""
    blind_share: Probability = 0.05
    """Share of the sure cells that are shown as well, without their values: they measure what confidence
    is worth, and how often reviewers err."""
    double_entry: bool = False
    """Whether every cell is to be judged by two people who do not see each other's word."""
    claim_minutes: float = Field(default=10.0, gt=0)
    """How long a document that somebody works on is kept from others."""


class ServiceOptions(Value):
    """What the service takes, and how much at once."""

    max_files: int = Field(default=500, ge=1)
    """Files of one request."""
    max_upload: int = Field(default=512, ge=1)
    """MiB of one request."""
    max_pages: int = Field(default=2000, ge=1)
    """Pages of one request."""
    max_seconds: int = Field(default=300, ge=1)
    """For an answer to /v1/extract; longer work is for /v1/jobs."""
    concurrency: int = Field(default=4, ge=1)
    """Requests to /v1/extract that are worked on at once, and jobs likewise; all of them together read
    as many documents at once as `workers` says."""
    queue: int = Field(default=16, ge=0)
    """Requests that wait, and jobs likewise; with more, the answer is 429."""
    keep_days: float = Field(default=30.0, gt=0)
    """Days after its end, or the last decision at its desk, after which a job is deleted."""
    hosts: tuple[str, ...] = ()
    """Names under which the service may be called, besides the address that it is bound to."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose headers are believed."""
    urls: bool = False
    """Whether documents may be named by their https address, to be fetched; never from private
    networks."""
    webhooks: bool = False
    """Whether a job may name an address that is called when it ends; never in private networks."""


class ClusterOptions(Value):
    """How `--runner ray` spreads files over the machines of a Ray cluster."""

    address: str | None = None
    """Host and port of its head; null: as RAY_ADDRESS says, and without that Ray is started on this
    machine for the run, with as many cores as `workers` says."""
    min_actors: int = Field(default=1, ge=1)
    """Actors that are started at once, each with engines of its own."""
    max_actors: int | None = Field(default=None, ge=1)
    """Most actors; null: as many as the cluster has room for, also for those that it grows by."""
    cpus: float = Field(default=1.0, gt=0)
    """Cores of an actor; half a core makes two of them share one."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of an actor; 0.25 makes four of them share one."""
    block: int = Field(default=16, ge=1)
    """Files that are given to an actor at once, two such blocks at a time. All of them may wait for an
    endpoint at once; of those of a node that is lost, pages are read again."""
    wait: float = Field(default=60.0, gt=0)
    """Seconds until a cluster that does not answer, or has no room for an actor, is given up."""
    object_store: int = Field(default=100, ge=80)
    """MiB of Ray's object store, where it is started for the run."""
