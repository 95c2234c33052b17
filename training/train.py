"""Trains the recogniser for code lines on shards that `shards.py` makes alongside.

The learning rate warms up, stays, and falls linearly over the last part of the run (Hu et al.
2024, arXiv:2404.06395), so a run can be prolonged or ended early by resuming it with another
`--samples` as long as it has not begun to fall.  A run with `--minutes` ends by the clock, and is
then not repeatable to the bit.  The weights that count are an exponential moving
average.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from network import ALPHABET, HEIGHT, CodeLineNet
from numpy.typing import NDArray
from shards import Line, Pixels, fitted, load, shard_path
from torch import Tensor, nn

from ocr_moe.codes.posterior import OTHER

BATCH = 16
PEAK_RATE = 1.2e-3
WARM_UP = 4_000
FALL = 0.3
"""The last share of the samples, over which the learning rate falls to nothing."""
AVERAGE = 0.996
AVERAGE_EVERY = 4
"""Share of the moving average that stays at each of its updates, every so many steps."""
REPLAYED = 0.6
"""Share of a round's lines that were seen before, to spare the generator."""

_INDEX = {character: index for index, character in enumerate(ALPHABET)}


@dataclass(frozen=True)
class Batch:
    """Lines of one common width and what they say."""

    pixels: Tensor
    """(lines, 3, HEIGHT, width) in [-1, 1]."""
    targets: Tensor
    """Characters of all lines end to end."""
    lengths: Tensor
    """Characters of each line."""
    known: Tensor
    """(n, 3): line, time step, class at the places where the class is known."""


def batch_of(lines: list[Line], rng: np.random.Generator) -> Batch:
    """Lines as a batch.

    Stretching to the median width instead of padding is an augmentation, and matches inference,
    where a line is never padded.
    """
    images = [fitted(line.pixels) for line in lines]
    width = int(np.median([image.shape[1] for image in images]))
    longest = max(_steps(line.text) for line in lines)
    # Few different widths: each new one costs the library a compilation of its kernels.
    width = -(-max(width, 4 * longest) // 32) * 32
    stacked = np.empty((len(images), HEIGHT, width, 3), dtype=np.float32)
    for place, image in enumerate(images):
        scaled = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_LINEAR)
        stacked[place] = _jittered(scaled.astype(np.float32), rng)
    pixels = torch.from_numpy(stacked).permute(0, 3, 1, 2) / 127.5 - 1.0
    targets = [[_INDEX[character] for character in line.text] for line in lines]
    flat = torch.tensor([index for target in targets for index in target], dtype=torch.long)
    lengths = torch.tensor([len(target) for target in targets], dtype=torch.long)
    steps = -(-width // 4)
    known = [
        (place, step, index)
        for place, line in enumerate(lines)
        for step, index in _known(line, steps)
    ]
    return Batch(pixels, flat, lengths, torch.tensor(known, dtype=torch.long))


def _known(line: Line, steps: int) -> list[tuple[int, int]]:
    """(time step, class): each character at its centre, the blank halfway between two."""
    at = np.minimum((line.marks * steps).astype(int), steps - 1)
    known = [(int(step), _INDEX[c]) for step, c in zip(at, line.text, strict=True)]
    known += [(int(a + b) // 2, 0) for a, b in pairwise(at) if b - a >= 2]
    return known


def _steps(text: str) -> int:
    """The fewest time steps in which CTC can say the text."""
    return len(text) + sum(a == b for a, b in pairwise(text)) + 1


def _jittered(line: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Light and colour changed a little; sometimes only the channel that hides a red seal."""
    draw = rng.random()
    if draw < 0.06:
        line = np.repeat(line[:, :, :1], 3, axis=2)
    elif draw < 0.10:
        line = np.repeat(line.mean(axis=2, keepdims=True), 3, axis=2)
    gain = rng.uniform(0.85, 1.15) * rng.uniform(0.96, 1.04, 3)
    shifted = line * gain.astype(np.float32) + np.float32(rng.uniform(-15, 15))
    return np.clip(shifted, 0, 255)


def rounds(folder: Path, start: int, seed: int) -> Iterator[list[list[Line]]]:
    """Batches of lines of similar width, a round at a time: new shards mixed with earlier ones."""
    number = start
    while True:
        chooser = random.Random(f"{seed}-{number}")
        for new in (number, number + 1):
            while not shard_path(folder, new).exists():
                time.sleep(1)
        names = [number, number + 1]
        if number >= 4:
            earlier = range(max(0, number - 16), number)
            names += chooser.sample(earlier, round(2 * REPLAYED / (1 - REPLAYED)))
        (folder / "taken").write_text(str(number))
        lines = [line for name in names for line in load(shard_path(folder, name)) if line.text]
        chooser.shuffle(lines)
        # Exact sorting would always batch the same kinds of line together.
        lines.sort(key=lambda line: _ratio(line.pixels) * chooser.uniform(0.95, 1.05))
        batches = [lines[i : i + BATCH] for i in range(0, len(lines) - BATCH + 1, BATCH)]
        chooser.shuffle(batches)
        yield batches
        number += 2


def _ratio(pixels: Pixels) -> float:
    return pixels.shape[1] / pixels.shape[0]


def rate(seen: int, progress: float) -> float:
    """The learning rate after so many samples, at that share of the run."""
    rise = min(seen / WARM_UP, 1.0)
    fall = min(max((1.0 - progress) / FALL, 0.0), 1.0)
    return PEAK_RATE * rise * fall


def guidance(seen: int) -> float:
    """Weight of the cross-entropy at known places beside the CTC loss.

    The lines being synthetic, it is known where each character stands.  Saying so spares CTC the
    search for an alignment, on which it otherwise spends its first ten thousand lines.
    """
    return max(1.0 - seen / 50_000, 0.2)


def greedy(logits: Tensor) -> str:
    """The best path's text without OTHER; logits of shape (steps, classes)."""
    best = logits.argmax(dim=1).tolist()
    kept = [index for place, index in enumerate(best) if place == 0 or index != best[place - 1]]
    return "".join(ALPHABET[index] for index in kept).replace(OTHER, "")


@torch.no_grad()
def exact(network: nn.Module, lines: list[Line]) -> int:
    """How many lines are read without an error."""
    right = 0
    for pixels, text, _ in lines:
        line = torch.from_numpy(fitted(pixels)).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        line = line.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(line)
        right += greedy(logits[0].float()) == text.replace(OTHER, "")
    return right


def validate(network: nn.Module, folder: Path) -> dict[str, list[int]]:
    """Set name → [lines read without an error, lines]."""
    was = network.training
    network.eval()
    figures = {}
    for path in sorted(folder.glob("*.npz")):
        lines = load(path)
        figures[path.stem] = [exact(network, lines), len(lines)]
    network.train(was)
    return figures


class Run:
    """A training run: network, moving average, optimiser, progress; saved and resumed whole."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seen = 0
        self.next_shard = 0
        torch.manual_seed(seed)
        self.network = CodeLineNet().to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}],
            lr=PEAK_RATE,
            betas=(0.9, 0.98),
            fused=True,
        )
        if self.checkpoint.exists():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "seen": self.seen,
                "next_shard": self.next_shard,
            },
            partial,
        )
        partial.rename(self.checkpoint)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.seen, self.next_shard = state["seen"], state["next_shard"]

    def step(self, lines: list[Line], rng: np.random.Generator, progress: float) -> float:
        """One update; the batch's mean loss per character."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.seen, progress)
        batch = batch_of(lines, rng)
        pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(pixels)
        scores = logits.float().log_softmax(dim=2).transpose(0, 1)
        steps = torch.full((len(lines),), scores.shape[0], dtype=torch.long)
        loss = nn.functional.ctc_loss(
            scores, batch.targets, steps, batch.lengths, zero_infinity=True
        )
        line, step, index = batch.known.T
        loss = loss + guidance(self.seen) * -scores[step, line, index].mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimizer.step()
        self.seen += len(lines)
        if self.seen // BATCH % AVERAGE_EVERY == 0:
            self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        # Young averages must forget the random start.
        updates = self.seen / BATCH / AVERAGE_EVERY
        keep = min(AVERAGE, (1 + updates) / (20 + updates))
        now = self.network.state_dict()
        for name, kept in self.average.state_dict().items():
            if kept.dtype.is_floating_point:
                kept.lerp_(now[name], 1 - keep)
            else:
                kept.copy_(now[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=300_000)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=5, help="validate every so many rounds")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(options.out, options.seed)
    log = (options.out / "log.jsonl").open("a", encoding="utf-8")
    began = time.monotonic()

    def progress() -> float:
        elapsed = (time.monotonic() - began) / 60
        return max(run.seen / options.samples, elapsed / options.minutes)

    for count, batches in enumerate(rounds(options.shards, run.next_shard, options.seed), start=1):
        rng = np.random.default_rng((options.seed, 4, run.next_shard))
        losses = []
        for batch in batches:
            if progress() >= 1:
                break
            losses.append(run.step(batch, rng, progress()))
        run.next_shard += 2
        done = progress() >= 1
        entry: dict[str, object] = {
            "seen": run.seen,
            "loss": round(float(np.mean(losses)), 4) if losses else None,
            "rate": round(rate(run.seen, progress()), 6),
            "seconds": round(time.monotonic() - began),
        }
        if count % options.every == 0 or done:
            entry["exact"] = validate(run.average, options.validation)
        run.save()
        log.write(json.dumps(entry) + "\n")
        log.flush()
        if done:
            return


if __name__ == "__main__":
    main()
