"""The recogniser for code lines: convolutions, a bidirectional LSTM and CTC.

After Shi et al. 2015 (CRNN, arXiv:1507.05717) with residual blocks (He et al. 2016).  A line
comes in wider than it is (by `STRETCH`), because it takes more pixels along the line than across
to keep the digits of a condensed type and of runs such as 000000 apart; one time step is four of
them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocr_moe.codes.posterior import OTHER

HEIGHT = 32
STRETCH = 1.25
ALPHABET = ("", *"0123456789", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", OTHER)


def _conv(
    inputs: int, outputs: int, kernel: int, stride: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels, 3)
        self.second = _conv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class CodeLineNet(nn.Module):
    """Lines of shape (batch, 3, HEIGHT, width) in [-1, 1] → logits (batch, width / 4, classes)."""

    def __init__(
        self,
        widths: tuple[int, int, int] = (32, 64, 128),
        blocks: tuple[int, int, int] = (0, 2, 3),
        features: int = 192,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, count, stride in zip(widths, blocks, ((2, 2), (2, 2), (2, 1)), strict=True):
            layers += [_conv(channels, width, 3, stride), nn.ReLU()]
            layers += [Residual(width) for _ in range(count)]
            channels = width
        self.backbone = nn.Sequential(*layers)
        self.column = nn.Sequential(
            nn.Conv2d(channels, features, (HEIGHT // 8, 3), padding=(0, 1), bias=False),
            nn.BatchNorm2d(features),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.1)
        self.context = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden + features, len(ALPHABET))

    def forward(self, lines: Tensor) -> Tensor:
        columns = self.column(self.backbone(lines)).squeeze(2).transpose(1, 2)
        context, _ = self.context(columns)
        logits: Tensor = self.head(self.dropout(torch.cat([columns, context], dim=2)))
        return logits


class Probabilities(nn.Module):
    """The network as it is exported: softmax instead of logits."""

    def __init__(self, network: CodeLineNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, lines: Tensor) -> Tensor:
        return torch.softmax(self.network(lines), dim=2)
